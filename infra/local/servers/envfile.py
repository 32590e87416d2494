"""The env file: KEY=VALUE lines with the servers' addresses, for command lines and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEADER = "# Written by `make up`; a variable of the real environment wins over a line here.\n"


def render(values: Mapping[str, str]) -> str:
    """Return the file's text.

    Raises:
        ValueError: A name or value would not survive the way through the file.
    """
    lines = [HEADER]
    for name, value in values.items():
        if not name.isidentifier() or "\n" in value or value != value.strip():
            message = f"{name!r} with value {value!r} cannot be written as one KEY=VALUE line"
            raise ValueError(message)
        lines.append(f"{name}={value}\n")
    return "".join(lines)


def parse(text: str) -> dict[str, str]:
    """Read the text back; blank lines and lines that start with `#` say nothing."""
    pairs = (line.partition("=") for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Replace the file in one step, so that a reader sees the old addresses or the new ones, never half."""
    replace(path, render(values))


def replace(path: Path, text: str) -> None:
    """Write a file beside its place and move it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)

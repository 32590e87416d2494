"""A Java that the servers run on: found by looking, since PATH may name a newer one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from servers.errors import MissingError
from servers.install.command import find
from servers.install.debian import command_to_get

if TYPE_CHECKING:
    from collections.abc import Iterable

# Elasticsearch 8.19 is supported on these; newer ones it may refuse. The first is preferred.
SUPPORTED_MAJORS = (17, 21)
# The development kit, not only the runtime: DynamoDB Local is started through a short source file.
PACKAGE = "openjdk-17-jdk-headless"
FOLDERS = Path("/usr/lib/jvm")


def find_java(candidates: Iterable[Path] | None = None) -> Path | None:
    """Return the home of a suitable development kit, None when there is none."""
    found: dict[int, Path] = {}
    for home in candidates if candidates is not None else _candidates():
        major = major_version(home)
        if major in SUPPORTED_MAJORS and (home / "bin/javac").exists():
            found.setdefault(major, home)
    return next((found[major] for major in SUPPORTED_MAJORS if major in found), None)


def require_java() -> Path:
    """Return the home of a suitable development kit.

    Raises:
        MissingError: There is none.
    """
    home = find_java()
    if home is None:
        versions = " or ".join(map(str, SUPPORTED_MAJORS))
        what = f"a Java development kit of version {versions} ({FOLDERS}, JAVA_HOME and PATH were looked at)"
        raise MissingError(what, get=command_to_get([PACKAGE]))
    return home


def major_version(home: Path) -> int | None:
    """Read the major version from a Java home's `release` file."""
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(r'^JAVA_VERSION="(\d+)', text, flags=re.MULTILINE)
    return int(match[1]) if match else None


def _candidates() -> list[Path]:
    named = [Path(value) for name in ("JAVA_HOME", "ES_JAVA_HOME") if (value := os.environ.get(name))]
    on_path = [Path(program).resolve().parents[1] for program in [find("javac")] if program]
    below = sorted(FOLDERS.iterdir()) if FOLDERS.is_dir() else []
    return [*named, *below, *on_path]

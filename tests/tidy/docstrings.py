"""Docstrings taken apart: paragraphs, and sections such as `Args` with their entries."""

import inspect
import re
from dataclasses import dataclass

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):\s*$")
_ENTRY = re.compile(r"^(\*{0,2}\w+): (.*)$", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One entry of a section.

    Attributes:
        name: What it is about; empty when it is a sentence of its own.
        text: What is said of it, on one line.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Docstring:
    """A docstring.

    Attributes:
        summary: The first sentence or sentences, on one line.
        parts: Further paragraphs, lists and code, in order; code is indented.
        sections: Entries by section.
    """

    summary: str
    parts: tuple[str, ...]
    sections: dict[str, list[Entry]]

    def names(self, section: str) -> list[str]:
        """Return what the entries of a section are about."""
        return [entry.name for entry in self.sections.get(section, [])]


def parse(text: str) -> Docstring:
    """Take a docstring apart."""
    paragraphs: list[str] = []
    sections: dict[str, list[Entry]] = {}
    lines = inspect.cleandoc(text).splitlines()
    while lines:
        section = _SECTION.match(lines[0])
        if section is None:
            block, lines = _split(lines, ends_at_section=True)
            paragraphs.extend(part for part in re.split(r"\n{2,}", "\n".join(block)) if part.strip())
        else:
            block, lines = _split(lines[1:], ends_at_section=False)
            sections[section[1]] = _entries(inspect.cleandoc("\n" + "\n".join(block)))
    return Docstring(_joined(paragraphs[0]) if paragraphs else "", tuple(paragraphs[1:]), sections)


def is_code(part: str) -> bool:
    """Tell whether a part of a docstring is code."""
    return all(line.startswith("    ") or not line for line in part.splitlines())


def is_list(part: str) -> bool:
    """Tell whether a part of a docstring is a list."""
    return part.startswith("- ")


def _split(lines: list[str], *, ends_at_section: bool) -> tuple[list[str], list[str]]:
    """Split off what comes before the next section, or what is indented."""
    for index, line in enumerate(lines):
        if _SECTION.match(line) if ends_at_section else line and not line.startswith(" "):
            return lines[:index], lines[index:]
    return lines, []


def _entries(text: str) -> list[Entry]:
    """Return the entries of a section: each begins at the margin, and what is indented goes on."""
    found = []
    for chunk in re.split(r"\n(?=\S)", text):
        if chunk.strip():
            entry = _ENTRY.match(_joined(chunk))
            found.append(Entry(entry[1].lstrip("*"), entry[2]) if entry else Entry("", _joined(chunk)))
    return found


def _joined(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines())

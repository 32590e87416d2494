"""The project's pages of Markdown, taken apart: tables, code blocks, headings, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_CODE_SPAN = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        language: What stands behind the opening fence.
        text: What is between the fences.
        line: Number of its first line in the page.
        output: Text of the `text` block that follows right after it, if one does.
    """

    language: str
    text: str
    line: int
    output: str | None


def all_pages() -> list[Path]:
    """Return every page: the ones at the top of the project, and those below docs."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text("utf-8")
    fences = list(_FENCE.finditer(text))
    found = []
    for fence, following in zip_longest(fences, fences[1:]):
        adjacent = following is not None and not text[fence.end() : following.start()].strip()
        output = following[2] if following is not None and adjacent and following[1] == "text" else None
        found.append(Block(fence[1], fence[2], text.count("\n", 0, fence.start()) + 2, output))
    return found


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, code left out."""
    return _LINK.findall(_CODE_SPAN.sub("", _FENCE.sub("", page.read_text("utf-8"))))


def anchors(page: Path) -> set[str]:
    """Return what a link can name behind the `#`: headings as GitHub writes them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(page: Path, column: str, section: str | None = None) -> Iterator[dict[str, str]]:
    """Yield the rows of a page's tables that have this column, as cells by column.

    Args:
        page: The page.
        column: Heading of the column that picks the tables.
        section: Only tables below the heading that holds this text.
    """
    heading, columns = "", []
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = line
        if not line.startswith("|"):
            columns = []
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not columns:
            columns = cells
        elif column in columns and not set(cells[0]) <= set("-: ") and (section is None or section in heading):
            yield dict(zip(columns, cells, strict=True))


def code(cell: str) -> list[str]:
    """Return the code spans of a cell."""
    return _CODE_SPAN.findall(cell)

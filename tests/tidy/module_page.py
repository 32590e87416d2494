"""The map of modules, from their docstrings: `make api-docs` writes it, and a test says when it is stale."""

import ast
from collections.abc import Iterator

from tests.tidy import sources
from tests.tidy.pages import DOCS, ROOT

PAGE = DOCS / "reference" / "modules.md"
COMMAND = "make api-docs"
PRODUCT = ("eventstore", "relay")


def text() -> str:
    """Return the page."""
    lines = [
        "# Modules",
        "",
        "Every package with its modules. How they work together: [Architecture](../../ARCHITECTURE.md).",
        "",
        f"Written by `{COMMAND}` from the docstrings; do not edit.",
    ]
    for folder, summary, modules in _packages():
        lines += ["", f"## {folder}", "", _cell(summary), ""]
        if modules:
            lines += ["| module | what for |", "| --- | --- |"]
            lines += [f"| `{name}` | {_cell(what)} |" for name, what in modules]
    return "\n".join(lines).rstrip("\n") + "\n"


def write() -> None:
    """Write the page."""
    PAGE.write_text(text(), "utf-8")


def _packages() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield each package's folder, its summary, and its modules with theirs."""
    summaries = {path: _summary(tree) for path, tree in sources.modules(*PRODUCT)}
    for path, summary in summaries.items():
        if path.name == "__init__.py":
            modules = [(each.name, summaries[each]) for each in summaries if each.parent == path.parent != each]
            yield (
                path.parent.relative_to(ROOT).as_posix(),
                summary,
                [(name, what) for name, what in modules if name != "__init__.py"],
            )


def _summary(tree: ast.Module) -> str:
    return (ast.get_docstring(tree) or "").split("\n\n", maxsplit=1)[0].replace("\n", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write()

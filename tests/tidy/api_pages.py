"""The API reference, made of the docstrings: `make api-docs` writes it, and a test says when it is stale.

Signatures are as the source has them. Code stands in blocks marked `py`: those marked `python` are run by tests.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.tidy import api_signatures, api_source, docstrings
from tests.tidy.api_source import Function, Thing
from tests.tidy.docstrings import Docstring
from tests.tidy.pages import DOCS

FOLDER = DOCS / "reference" / "api"
COMMAND = "make api-docs"

OTHERS = {"eventstore.search": [("eventstore.search.elasticsearch", "ElasticsearchSearch")]}
"""Names that users import from a module of their own, since it loads a client library, by the page they stand on."""

_CODE_SPAN = re.compile(r"(`[^`]*`)")
_LINKED = re.compile(r"\w+\.\w+|\w+Error")
"""What prose links to: methods with their class, and errors."""


@dataclass(frozen=True)
class Place:
    """Where a public name is explained.

    Attributes:
        package: The package with the page.
        origin: Where it is imported from.
        thing: What it is.
    """

    package: str
    origin: str
    thing: Thing

    @property
    def link(self) -> str:
        """Page and heading, from a page of the reference."""
        return f"{self.package}.md#{self.thing.name.lower()}"


def pages() -> dict[Path, str]:
    """Return every page of the reference with its text."""
    places = _places()
    texts = {FOLDER / f"{package}.md": _page(package, places) for package in _packages()}
    texts[FOLDER / "README.md"] = _index(places)
    return texts


def write() -> None:
    """Write the pages, and remove those of packages that are gone."""
    texts = pages()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path not in texts:
            path.unlink()
    for path, text in texts.items():
        path.write_text(text, "utf-8")


def documented() -> Iterator[Place]:
    """Yield every public name, where it is explained."""
    yield from _places().values()


def _packages() -> list[str]:
    return [package for package in api_source.PACKAGES if api_source.path_of(package).exists()]


def _places() -> dict[str, Place]:
    """Return the places by definition: a name that several packages have is explained by the one that says most."""
    found: dict[str, Place] = {}
    for package in _packages():
        named = [(package, name) for name in api_source.exported(package)]
        for origin, name in (*named, *OTHERS.get(package, [])):
            thing = api_source.find(origin, name)
            definition = f"{thing.module}.{name}"
            known = found.get(definition)
            if known is None or (thing.module.startswith(f"{package}.") and package.startswith(known.package)):
                found[definition] = Place(package, origin, thing)
    return found


def _index(places: dict[str, Place]) -> str:
    lines = [
        "# API reference",
        "",
        f"Every public name, from the docstrings. `{COMMAND}` writes these pages; do not edit them.",
        "",
        "| package | holds |",
        "| --- | --- |",
    ]
    for package in _packages():
        summary = docstrings.parse(_package_doc(package)).summary
        lines.append(f"| [`{package}`]({package}.md) | {_cell(summary)} |")
    lines += ["", "| name | import from |", "| --- | --- |"]
    for place in sorted(places.values(), key=lambda each: (each.thing.name.lower(), each.package)):
        lines.append(f"| [`{place.thing.name}`]({place.link}) | `{_shortest(place)}` |")
    return "\n".join(lines) + "\n"


def _shortest(place: Place) -> str:
    """Return the package that users best import a name from."""
    root = place.origin.split(".", maxsplit=1)[0]
    if root in _packages() and place.thing.name in api_source.exported(root):
        same = api_source.find(root, place.thing.name)
        return root if same.node is place.thing.node else place.origin
    return place.origin


def _page(package: str, places: dict[str, Place]) -> str:
    doc = docstrings.parse(_package_doc(package))
    lines = [f"# Package {package}", "", _text(doc.summary), ""]
    for part in doc.parts:
        lines += [*_part(part), ""]
    lines += [f"Written by `{COMMAND}` from the docstrings; do not edit. [All names](README.md).", ""]
    own = [place for place in places.values() if place.package == package]
    elsewhere = [
        place
        for name in api_source.exported(package)
        for place in places.values()
        if place.package != package and place.thing.node is api_source.find(package, name).node
    ]
    lines += ["| name | is |", "| --- | --- |"]
    for place in sorted((*own, *elsewhere), key=lambda each: each.thing.name.lower()):
        target = place.link.removeprefix(f"{package}.md")
        lines.append(f"| [`{place.thing.name}`]({target}) | {_cell(docstrings.parse(place.thing.doc).summary)} |")
    for place in sorted(own, key=_rank):
        lines += ["", *_entry(place)]
    return "\n".join(lines) + "\n"


def _rank(place: Place) -> tuple[int, str]:
    thing = place.thing
    kind = 3 if thing.is_error else 0 if isinstance(thing.node, ast.ClassDef) else 1
    return (2 if isinstance(thing.node, ast.Assign | ast.AnnAssign) else kind), thing.name.lower()


def _entry(place: Place) -> Iterator[str]:
    thing = place.thing
    yield f"## {thing.name}"
    yield ""
    match thing.node:
        case ast.ClassDef() as node:
            own = [
                each
                for each in api_source.functions(thing)
                if each[0] != "__init__" or (each[2] and not thing.is_error)
            ]
            explained = any(name == "__init__" for name, _, _ in own)
            made = [] if explained else ["", *api_signatures.of_class(thing, node)]
            yield from _fenced([f"from {_shortest(place)} import {thing.name}", *made])
            yield from _body(docstrings.parse(thing.doc))
            yield from _members(node)
            for name, function, doc in own:
                yield from _function(f"{thing.name}.{name}", function, doc)
        case ast.FunctionDef() | ast.AsyncFunctionDef() as node:
            signature = api_signatures.of_function(thing.name, node)
            yield from _fenced([f"from {_shortest(place)} import {thing.name}", "", *signature])
            yield from _body(docstrings.parse(thing.doc))
        case node:
            yield from _fenced([f"from {_shortest(place)} import {thing.name}", "", api_source.as_written(thing)])
            yield from _body(docstrings.parse(thing.doc))


def _function(title: str, node: Function, doc: str) -> Iterator[str]:
    yield ""
    yield f"### {title}"
    yield ""
    name = title.rpartition(".")[2]
    name = title.partition(".")[0] if name == "__init__" else name
    yield from _fenced(api_signatures.of_function(name, node))
    yield from _body(docstrings.parse(doc))


def _fenced(lines: list[str]) -> list[str]:
    return ["```py", *lines, "```"]


def _members(node: ast.ClassDef) -> Iterator[str]:
    """Yield the members of an enumeration."""
    if not any("Enum" in ast.unparse(base) for base in node.bases):
        return
    yield ""
    for statement, below in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            said = ""
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                said = f": {_text(' '.join(str(below.value.value).split()))}"
            yield f"- `{statement.targets[0].id}`{said}"


def _body(doc: Docstring) -> Iterator[str]:
    if doc.summary:
        yield ""
        yield _text(doc.summary)
    for part in doc.parts:
        yield ""
        yield from _part(part)
    for section in docstrings.SECTIONS:
        entries = doc.sections.get(section)
        if not entries:
            continue
        yield ""
        yield f"**{section}**"
        yield ""
        for entry in entries:
            said = f"`{entry.name}`: {entry.text}" if entry.name else entry.text
            yield f"- {_text(said)}"


def _part(part: str) -> list[str]:
    if docstrings.is_code(part):
        return _fenced([line.removeprefix("    ") for line in part.splitlines()])
    if docstrings.is_list(part):
        return [_text(line) for line in part.splitlines()]
    return [_text(" ".join(line.strip() for line in part.splitlines()))]


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _text(text: str) -> str:
    """Return prose as Markdown shows it: what would be a tag is escaped, and names of the reference are links."""
    return "".join(
        _span(part) if part.startswith("`") else part.replace("<", "&lt;") for part in _CODE_SPAN.split(text)
    )


def _span(span: str) -> str:
    name = span.strip("`")
    link = _links().get(name) if _LINKED.fullmatch(name) else None
    return span if link is None else f"[{span}]({link})"


@cache
def _links() -> dict[str, str]:
    """Return where each name has its heading."""
    links = {}
    for place in _places().values():
        links[place.thing.name] = place.link
        if isinstance(place.thing.node, ast.ClassDef):
            for name, _, _ in api_source.functions(place.thing):
                links[f"{place.thing.name}.{name}"] = f"{place.link}{name.lower()}"
    return links


def _package_doc(package: str) -> str:
    tree = ast.parse(api_source.path_of(package).read_text("utf-8"))
    return ast.get_docstring(tree) or ""


if __name__ == "__main__":
    write()

"""The public names of packages, found in their source without running it: what each one is, and what is said of it."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.tidy.pages import ROOT

PACKAGES = (
    "eventstore",
    "eventstore.repository",
    "eventstore.schema",
    "eventstore.search",
    "eventstore.aio",
    "eventstore.testing",
    "relay.testing",
    "relay.testing.checker",
)
"""Packages whose `__all__` is a promise to users."""

Function = ast.FunctionDef | ast.AsyncFunctionDef

CALLED = frozenset(
    {"__init__", "__call__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__iter__", "__aiter__"}
)
"""Magic methods that users call, by some syntax."""


@dataclass(frozen=True)
class Thing:
    """Something that has a public name.

    Attributes:
        name: The name it is imported by.
        module: Where it is defined, such as `eventstore.model`.
        node: Its definition: a class, a function, or an assignment.
        doc: Its docstring; of an assignment the string right below.
    """

    name: str
    module: str
    node: ast.stmt
    doc: str

    @property
    def is_error(self) -> bool:
        """Whether it can be raised."""
        return isinstance(self.node, ast.ClassDef) and self.name.endswith("Error")


def exported(package: str) -> list[str]:
    """Return a package's `__all__`."""
    for statement in _parsed(package).body:
        if isinstance(statement, ast.Assign) and _targets(statement) == ["__all__"]:
            return list(ast.literal_eval(statement.value))
    raise AssertionError(f"{package} has no __all__")


def find(module: str, name: str) -> Thing:
    """Return what a name of a module stands for, following its imports."""
    tree = _parsed(module)
    for index, statement in enumerate(tree.body):
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if statement.name == name and "overload" not in decorators(statement):
                    return Thing(name, module, statement, ast.get_docstring(statement) or "")
            case ast.Assign() | ast.AnnAssign() if name in _targets(statement):
                return Thing(name, module, statement, _string_below(tree, index))
            case ast.ImportFrom() | ast.If(test=ast.Name(id="TYPE_CHECKING")) if name in (names := imported(statement)):
                origin, original = names[name]
                found_there = find(origin, original)
                return Thing(name, found_there.module, found_there.node, found_there.doc)
            case _:
                pass
    raise AssertionError(f"{module} has no name {name}")


def imported(statement: ast.stmt) -> dict[str, tuple[str, str]]:
    """Return what a statement imports from modules, also within it: module and name there, by the name it gets here."""
    return {
        alias.asname or alias.name: (each.module, alias.name)
        for each in ast.walk(statement)
        if isinstance(each, ast.ImportFrom) and each.module is not None
        for alias in each.names
    }


def functions(thing: Thing) -> Iterator[tuple[str, Function, str]]:
    """Yield the public functions of a class as name, definition and docstring; of bases without a public name, too.

    Of magic methods the constructor counts, and what users call by some syntax when it explains itself.
    """
    assert isinstance(thing.node, ast.ClassDef)
    seen = set()
    for owner in lineage(thing):
        for node in _body(owner):
            if not isinstance(node, Function) or node.name in seen:
                continue
            seen.add(node.name)
            doc = ast.get_docstring(node) or ""
            is_wanted = not node.name.startswith("_") or node.name == "__init__" or (node.name in CALLED and doc)
            if is_wanted and "overload" not in decorators(node):
                yield node.name, node, doc


def fields(thing: Thing) -> list[ast.AnnAssign]:
    """Return the public fields of a class, with those of bases without a public name before them."""
    return [
        node
        for owner in reversed(lineage(thing))
        for node in _body(owner)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_")
    ]


def as_written(thing: Thing) -> str:
    """Return the text of a definition as it stands in its file."""
    return ast.get_source_segment(path_of(thing.module).read_text("utf-8"), thing.node) or ast.unparse(thing.node)


def annotation(node: ast.expr | None) -> str:
    """Return an annotation as text, without the quotes that put off its reading."""
    match node:
        case None:
            return ""
        case ast.Constant(value=str(text)):
            return text
        case _:
            return ast.unparse(node)


def decorators(node: ast.ClassDef | Function) -> set[str]:
    """Return the names of decorators, arguments left out."""
    return {ast.unparse(each.func if isinstance(each, ast.Call) else each) for each in node.decorator_list}


def lineage(thing: Thing) -> list[Thing]:
    """Return a class and its bases of this project that users cannot name, nearest first."""
    assert isinstance(thing.node, ast.ClassDef)
    line = [thing]
    for base in thing.node.bases:
        name = ast.unparse(base.value if isinstance(base, ast.Subscript) else base)
        if name in _public_names() or "." in name:
            continue
        try:
            parent = find(thing.module, name)
        except (AssertionError, FileNotFoundError):
            continue  # of another project
        if isinstance(parent.node, ast.ClassDef):
            line.extend(lineage(parent))
    return line


def _body(thing: Thing) -> list[ast.stmt]:
    assert isinstance(thing.node, ast.ClassDef)
    return thing.node.body


@cache
def _public_names() -> frozenset[str]:
    return frozenset(name for package in PACKAGES if path_of(package).exists() for name in exported(package))


@cache
def _parsed(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text("utf-8"))


def path_of(module: str) -> Path:
    """Return the file of a module or package."""
    base = ROOT / module.replace(".", "/")
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _targets(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def _string_below(tree: ast.Module, index: int) -> str:
    match tree.body[index + 1 : index + 2]:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return inspect.cleandoc(text)
        case _:
            return ""

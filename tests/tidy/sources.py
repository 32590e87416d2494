"""The product's source, read without running it: classes and their attributes, log calls, settings by name."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.tidy.pages import ROOT

LEVELS = ("debug", "info", "warning", "error", "critical", "exception")
_VARIABLE = re.compile(r"(EVENTSTORE|RELAY)_[A-Z_]+")


@dataclass
class LogEvent:
    """A log event as the code writes it.

    Attributes:
        levels: Levels it is written at.
        keys: Keys given with it; the ones a logger is bound to are left out.
    """

    levels: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


def modules(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the modules of packages, parsed."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, ast.parse(path.read_text("utf-8"))


def log_events() -> dict[str, LogEvent]:
    """Return what the relay logs, by name.

    A call counts when it is of a level of something named `_log` or `log`, or of a name that a level was given to.
    """
    found: dict[str, LogEvent] = {}
    for path, tree in modules("relay"):
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            aliases = _aliases(function)
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                levels = _levels_of(call.func, aliases)
                if not levels:
                    continue
                name = call.args[0]
                assert isinstance(name, ast.Constant), f"{path}:{call.lineno}: the event's name is no constant"
                event = found.setdefault(str(name.value), LogEvent())
                event.levels.update(levels)
                event.keys.update(each.arg or "**" for each in call.keywords if each.arg != "exc_info")  # adds a stack
    return found


def _aliases(function: ast.FunctionDef) -> dict[str, set[str]]:
    """Return names that stand for a level, such as `say = self._log.error if … else self._log.warning`."""
    aliases: dict[str, set[str]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            levels = set().union(*(_levels_of(part, {}) for part in ast.walk(node.value) if part is not node.value))
            levels |= _levels_of(node.value, {})
            if levels and not isinstance(node.value, ast.Call):
                aliases[node.targets[0].id] = levels
    return aliases


def _levels_of(node: ast.AST, aliases: dict[str, set[str]]) -> set[str]:
    match node:
        case ast.Attribute(value=ast.Attribute(attr="_log" | "log") | ast.Name(id="_log" | "log"), attr=level):
            return {level} & set(LEVELS)
        case ast.Name(id=name):
            return aliases.get(name, set())
        case _:
            return set()


def error_tree() -> dict[str, str | None]:
    """Return every error below `EventStoreError` in library and relay, with the one it derives from."""
    bases = {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
        for _, tree in modules("eventstore", "relay")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    tree: dict[str, str | None] = {"EventStoreError": None}
    grown = True
    while grown:
        below = {name: own[0] for name, own in bases.items() if own and own[0] in tree and name not in tree}
        tree.update(below)
        grown = bool(below)
    return tree


def error_attributes() -> dict[str, set[str]]:
    """Return the public attributes that each class sets in its constructor."""
    return {
        node.name: {
            target.attr
            for statement in ast.walk(node)
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Attribute) and not target.attr.startswith("_")
        }
        for _, tree in modules("eventstore", "relay")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


def named_variables() -> set[str]:
    """Return the environment variables that the code names outright."""
    return {
        node.value
        for _, tree in modules("eventstore", "relay")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _VARIABLE.fullmatch(node.value)
    }

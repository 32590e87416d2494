"""Updates: what UpdateExpression is made of, and carrying it out on an item.

All operands are read from the item as it was before. Values are never changed in place: along each path new maps and
lists are built, so that the old item stays whole for the feed and for readers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from eventstore.testing.dynamodb import decimals
from eventstore.testing.dynamodb.errors import ServiceError, validation
from eventstore.testing.dynamodb.expressions.lexer import invalid
from eventstore.testing.dynamodb.expressions.operands import Operand, Path, Placeholder, Values, step
from eventstore.testing.dynamodb.values import AttributeValue, Item, kind_of

SETS = frozenset({"SS", "NS", "BS"})


def _wrong_type() -> ServiceError:
    return validation("An operand in the update expression has an incorrect data type")


def _needed(operand: Operand, item: Item, values: Values) -> AttributeValue:
    found = operand.value(item, values)
    if found is None:
        raise validation("The provided expression refers to an attribute that does not exist in the item")
    return found


def _check_types(label: str, function: str, operand: Operand, values: Values, allowed: frozenset[str]) -> None:
    if isinstance(operand, Placeholder) and kind_of(values[operand.name]) not in allowed:
        detail = f"operator or function: {function}, operand type: {kind_of(values[operand.name])}"
        raise invalid(label, f"Incorrect operand type for operator or function; {detail}")


@dataclass(frozen=True, slots=True)
class IfNotExists:
    """`if_not_exists(path, fallback)`."""

    path: Path
    fallback: Operand

    def value(self, item: Item, values: Values) -> AttributeValue | None:
        """Return what lies at the path, or the fallback."""
        found = self.path.find(item)
        return _needed(self.fallback, item, values) if found is None else found


@dataclass(frozen=True, slots=True)
class ListAppend:
    """`list_append(first, second)`."""

    first: Operand
    second: Operand

    def value(self, item: Item, values: Values) -> AttributeValue | None:
        """Return the joined list."""
        first, second = _needed(self.first, item, values), _needed(self.second, item, values)
        if "L" not in first or "L" not in second:
            raise _wrong_type()
        return {"L": [*first["L"], *second["L"]]}

    def check(self, label: str, values: Values) -> None:
        """Lists only."""
        for operand in (self.first, self.second):
            _check_types(label, "list_append", operand, values, frozenset({"L"}))


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left + right` or `left - right`."""

    operator: str
    left: Operand
    right: Operand

    def value(self, item: Item, values: Values) -> AttributeValue | None:
        """Return the number."""
        left, right = _needed(self.left, item, values), _needed(self.right, item, values)
        if "N" not in left or "N" not in right:
            raise _wrong_type()
        calculate = decimals.add if self.operator == "+" else decimals.subtract
        return {"N": calculate(left["N"], right["N"])}

    def check(self, label: str, values: Values) -> None:
        """Numbers only."""
        for operand in (self.left, self.right):
            _check_types(label, self.operator, operand, values, frozenset({"N"}))


class UpdateAction(Protocol):
    """One clause of an update."""

    @property
    def path(self) -> Path:
        """Where it acts."""
        ...

    def check(self, label: str, values: Values) -> None:
        """Refuse values that it cannot take."""
        ...

    def outcome(self, item: Item, values: Values) -> AttributeValue | None:
        """Return what lies at the path afterwards; None to remove it."""
        ...


@dataclass(frozen=True, slots=True)
class SetAction:
    """`SET path = operand`."""

    path: Path
    operand: Operand

    def check(self, label: str, values: Values) -> None:
        """Check what the operand is made of."""
        if isinstance(self.operand, Arithmetic | ListAppend):
            self.operand.check(label, values)

    def outcome(self, item: Item, values: Values) -> AttributeValue | None:
        """Return the operand's value."""
        return _needed(self.operand, item, values)


@dataclass(frozen=True, slots=True)
class RemoveAction:
    """`REMOVE path`."""

    path: Path

    def check(self, label: str, values: Values) -> None:
        """No value is involved."""

    def outcome(self, _item: Item, _values: Values) -> AttributeValue | None:
        """Return nothing."""
        return None


@dataclass(frozen=True, slots=True)
class AddAction:
    """`ADD path :value`: adds a number, or members to a set; starts with it where nothing is."""

    path: Path
    operand: Placeholder

    def check(self, label: str, values: Values) -> None:
        """A number or a set."""
        _check_types(label, "ADD", self.operand, values, SETS | {"N"})

    def outcome(self, item: Item, values: Values) -> AttributeValue | None:
        """Return the sum or the union."""
        found, added = self.path.find(item), values[self.operand.name]
        if found is None:
            return added
        kind = kind_of(added)
        if kind_of(found) != kind:
            raise _wrong_type()
        if kind == "N":
            return {"N": decimals.add(found["N"], added["N"])}
        present = set(found[kind])
        return {kind: [*found[kind], *(element for element in added[kind] if element not in present)]}


@dataclass(frozen=True, slots=True)
class DeleteAction:
    """`DELETE path :set`: takes members out of a set; an emptied set is removed."""

    path: Path
    operand: Placeholder

    def check(self, label: str, values: Values) -> None:
        """A set."""
        _check_types(label, "DELETE", self.operand, values, SETS)

    def outcome(self, item: Item, values: Values) -> AttributeValue | None:
        """Return what is left."""
        found, taken = self.path.find(item), values[self.operand.name]
        if found is None:
            return None
        kind = kind_of(taken)
        if kind_of(found) != kind:
            raise _wrong_type()
        gone = set(taken[kind])
        left = [element for element in found[kind] if element not in gone]
        return {kind: left} if left else None


def check(label: str, actions: Sequence[UpdateAction], values: Values) -> None:
    """Refuse values that one of the actions cannot take."""
    for action in actions:
        action.check(label, values)


def carry_out(actions: Sequence[UpdateAction], item: Item, values: Values) -> Item:
    """Return the item after all actions; the given one is left as it is.

    Raises:
        ServiceError: ValidationException; the item has not what the update needs.
    """
    outcomes = [(action.path, action.outcome(item, values)) for action in actions]
    updated = dict(item)
    removed = [path for path, outcome in outcomes if outcome is None]
    for path, outcome in sorted(outcomes, key=lambda one: _place(one[0])):
        if outcome is not None:
            _put(updated, path, outcome)
    for path in sorted(removed, key=_place, reverse=True):
        _remove(updated, path)
    return updated


def only_removes(actions: Sequence[UpdateAction]) -> bool:
    """Tell whether there is nothing in an update but removals; such a one makes no item.

    Source: AWS, API reference of UpdateItem, AttributeUpdates: "If no item with the specified Key is found … DELETE -
    Nothing happens".
    """
    return all(isinstance(action, RemoveAction | DeleteAction) for action in actions)


def _place(path: Path) -> int:
    """Return the place in a list that a path ends with: what goes behind a list's end is appended in this order."""
    last = path.parts[-1]
    return last if isinstance(last, int) else -1


def _put(item: Item, path: Path, value: AttributeValue) -> None:
    if len(path.parts) == 1:
        item[path.top] = value
        return
    item[path.top] = _changed(item.get(path.top), path.parts[1:], lambda holder, part: _with(holder, part, value))


def _remove(item: Item, path: Path) -> None:
    if len(path.parts) == 1:
        item.pop(path.top, None)
        return
    item[path.top] = _changed(item.get(path.top), path.parts[1:], _without)


def _changed(
    holder: AttributeValue | None,
    parts: Sequence[str | int],
    change: Callable[[AttributeValue, str | int], AttributeValue],
) -> AttributeValue:
    """Return the holder with its innermost part changed, building new maps and lists on the way."""
    part, *rest = parts
    if holder is None or ("M" if isinstance(part, str) else "L") not in holder:
        raise validation("The document path provided in the update expression is invalid for update")
    if not rest:
        return change(holder, part)
    return _with(holder, part, _changed(step(holder, part), rest, change))


def _with(holder: AttributeValue, part: str | int, value: AttributeValue) -> AttributeValue:
    if isinstance(part, str):
        members: Mapping[str, AttributeValue] = holder["M"]
        return {"M": {**members, part: value}}
    elements: list[AttributeValue] = holder["L"]
    return {"L": [*elements[:part], value, *elements[part + 1 :]]}  # beyond the end: appended


def _without(holder: AttributeValue, part: str | int) -> AttributeValue:
    if isinstance(part, str):
        return {"M": {name: value for name, value in holder["M"].items() if name != part}}
    elements: list[AttributeValue] = holder["L"]
    return {"L": [*elements[:part], *elements[part + 1 :]]}

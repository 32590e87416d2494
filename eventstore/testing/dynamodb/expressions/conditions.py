"""Conditions: what ConditionExpression, FilterExpression and KeyConditionExpression are made of.

Every condition has `test(item, values)`, and `check(label, values)`, which refuses values of a type that the operator
cannot take; the service does that before it looks at any item. A comparison with what is absent, or of another type,
is false, but for `<>`, which is then true.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eventstore.testing.dynamodb.expressions.lexer import invalid
from eventstore.testing.dynamodb.expressions.operands import Operand, Path, Placeholder, SizeOf, Values
from eventstore.testing.dynamodb.values import TYPES, Item, equal, kind_of, precedes

_ORDERED = frozenset({"S", "N", "B"})
_SIZED = TYPES - {"N", "BOOL", "NULL"}


class Condition(Protocol):
    """A yes-or-no question about an item."""

    def test(self, item: Item, values: Values) -> bool:
        """Answer it."""
        ...

    def check(self, label: str, values: Values) -> None:
        """Refuse values that the operator cannot take."""
        ...


def _kind(operand: Operand, values: Values) -> str | None:
    """Return the type of an operand, where the request alone says it."""
    if isinstance(operand, SizeOf):
        return "N"
    return kind_of(values[operand.name]) if isinstance(operand, Placeholder) else None


def _check_types(label: str, operator: str, operand: Operand, values: Values, allowed: frozenset[str]) -> None:
    kind = _kind(operand, values)
    if kind is not None and kind not in allowed:
        detail = f"operator or function: {operator}, operand type: {kind}"
        raise invalid(label, f"Incorrect operand type for operator or function; {detail}")


def _check_sizes(label: str, values: Values, *operands: Operand) -> None:
    """Refuse the size of what has none."""
    for operand in operands:
        if isinstance(operand, SizeOf):
            _check_types(label, "size", operand.operand, values, _SIZED)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right` with one of `= <> < <= > >=`."""

    operator: str
    left: Operand
    right: Operand

    def test(self, item: Item, values: Values) -> bool:
        """Compare."""
        left, right = self.left.value(item, values), self.right.value(item, values)
        if left is None or right is None:
            return self.operator == "<>"
        if self.operator in {"=", "<>"}:
            return equal(left, right) == (self.operator == "=")
        is_less, is_greater = precedes(left, right), precedes(right, left)
        if is_less is None or is_greater is None:
            return False
        if self.operator[0] == "<":
            return is_less or (self.operator == "<=" and not is_greater)
        return is_greater or (self.operator == ">=" and not is_less)

    def check(self, label: str, values: Values) -> None:
        """Order needs texts, numbers or binaries."""
        _check_sizes(label, values, self.left, self.right)
        if self.operator not in {"=", "<>"}:
            _check_types(label, self.operator, self.left, values, _ORDERED)
            _check_types(label, self.operator, self.right, values, _ORDERED)


@dataclass(frozen=True, slots=True)
class IsBetween:
    """`operand BETWEEN low AND high`, both included."""

    operand: Operand
    low: Operand
    high: Operand

    def test(self, item: Item, values: Values) -> bool:
        """Compare with both."""
        return (
            Comparison(">=", self.operand, self.low).test(item, values)
            and Comparison("<=", self.operand, self.high).test(item, values)
        )  # fmt: skip

    def check(self, label: str, values: Values) -> None:
        """Bounds have one type that has an order, and are in order."""
        _check_sizes(label, values, self.operand, self.low, self.high)
        for operand in (self.operand, self.low, self.high):
            _check_types(label, "BETWEEN", operand, values, _ORDERED)
        if not (isinstance(self.low, Placeholder) and isinstance(self.high, Placeholder)):
            return
        low, high = values[self.low.name], values[self.high.name]
        if kind_of(low) != kind_of(high):
            raise invalid(
                label, f"The BETWEEN operator requires same data type for lower and upper bounds; {low} {high}"
            )
        if precedes(high, low):
            detail = f"lower bound operand: AttributeValue: {low}, upper bound operand: AttributeValue: {high}"
            raise invalid(
                label, f"The BETWEEN operator requires upper bound to be greater than or equal to lower bound; {detail}"
            )


@dataclass(frozen=True, slots=True)
class Among:
    """`operand IN (choice, …)`."""

    operand: Operand
    choices: tuple[Operand, ...]

    def test(self, item: Item, values: Values) -> bool:
        """Tell whether one choice is equal."""
        return any(Comparison("=", self.operand, choice).test(item, values) for choice in self.choices)

    def check(self, label: str, values: Values) -> None:
        """Any type will do."""
        _check_sizes(label, values, self.operand, *self.choices)


@dataclass(frozen=True, slots=True)
class Exists:
    """`attribute_exists(path)`, or `attribute_not_exists(path)`."""

    path: Path
    is_wanted: bool

    def test(self, item: Item, _values: Values) -> bool:
        """Look."""
        return (self.path.find(item) is not None) == self.is_wanted

    def check(self, label: str, values: Values) -> None:
        """No value is involved."""


@dataclass(frozen=True, slots=True)
class HasType:
    """`attribute_type(operand, :type)`."""

    operand: Operand
    kind: Placeholder

    def test(self, item: Item, values: Values) -> bool:
        """Look."""
        found = self.operand.value(item, values)
        return found is not None and kind_of(found) == values[self.kind.name]["S"]

    def check(self, label: str, values: Values) -> None:
        """The type is one of the tags."""
        _check_sizes(label, values, self.operand)
        _check_types(label, "attribute_type", self.kind, values, frozenset({"S"}))
        name = values[self.kind.name]["S"]
        if name not in TYPES:
            raise invalid(label, f"Invalid attribute type name found; type: {name}, valid types: {sorted(TYPES)}")


@dataclass(frozen=True, slots=True)
class BeginsWith:
    """`begins_with(operand, prefix)` for texts and binaries."""

    operand: Operand
    prefix: Operand

    def test(self, item: Item, values: Values) -> bool:
        """Look."""
        found, prefix = self.operand.value(item, values), self.prefix.value(item, values)
        if found is None or prefix is None:
            return False
        kind = kind_of(found)
        return kind in {"S", "B"} and kind == kind_of(prefix) and bool(found[kind].startswith(prefix[kind]))

    def check(self, label: str, values: Values) -> None:
        """Both are texts or binaries."""
        for operand in (self.operand, self.prefix):
            _check_types(label, "begins_with", operand, values, frozenset({"S", "B"}))


@dataclass(frozen=True, slots=True)
class Contains:
    """`contains(holder, operand)`: a part of a text or binary, a member of a set, an element of a list."""

    holder: Operand
    operand: Operand

    def test(self, item: Item, values: Values) -> bool:
        """Look."""
        found, sought = self.holder.value(item, values), self.operand.value(item, values)
        if found is None or sought is None:
            return False
        kind, sought_kind = kind_of(found), kind_of(sought)
        if kind == "L":
            return any(equal(element, sought) for element in found[kind])
        if kind in {"S", "B"}:
            return kind == sought_kind and sought[kind] in found[kind]
        return kind == f"{sought_kind}S" and sought[sought_kind] in found[kind]

    def check(self, label: str, values: Values) -> None:
        """Any type will do; another one is just not contained."""
        _check_sizes(label, values, self.holder, self.operand)


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT condition`, `NOT NOT condition` and so on."""

    condition: Condition
    count: int = 1

    def test(self, item: Item, values: Values) -> bool:
        """Turn it round, as often as it says."""
        return self.condition.test(item, values) != (self.count % 2 == 1)

    def check(self, label: str, values: Values) -> None:
        """Check what is turned round."""
        self.condition.check(label, values)


@dataclass(frozen=True, slots=True)
class Every:
    """`a AND b`."""

    conditions: tuple[Condition, ...]

    def test(self, item: Item, values: Values) -> bool:
        """All of them."""
        return all(condition.test(item, values) for condition in self.conditions)

    def check(self, label: str, values: Values) -> None:
        """Check each."""
        for condition in self.conditions:
            condition.check(label, values)


@dataclass(frozen=True, slots=True)
class Either:
    """`a OR b`."""

    conditions: tuple[Condition, ...]

    def test(self, item: Item, values: Values) -> bool:
        """One of them."""
        return any(condition.test(item, values) for condition in self.conditions)

    def check(self, label: str, values: Values) -> None:
        """Check each."""
        for condition in self.conditions:
            condition.check(label, values)


def negated(condition: Condition, count: int) -> Condition:
    """Return a condition behind so many NOT."""
    if count == 0:
        return condition
    if isinstance(condition, Not):
        return Not(condition.condition, condition.count + count)
    return Not(condition, count)


def all_of(conditions: Sequence[Condition]) -> Condition:
    """Return conditions joined by AND; what is such a chain already becomes a part of this one."""
    parts: list[Condition] = []
    for condition in conditions:
        parts.extend(condition.conditions if isinstance(condition, Every) else (condition,))
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


def any_of(conditions: Sequence[Condition]) -> Condition:
    """Return conditions joined by OR; what is such a chain already becomes a part of this one."""
    parts: list[Condition] = []
    for condition in conditions:
        parts.extend(condition.conditions if isinstance(condition, Either) else (condition,))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))

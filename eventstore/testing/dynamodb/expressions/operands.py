"""What expressions speak about: document paths, values of the request, sizes.

An operand's `value(item, values)` is an attribute value, or None where the item has nothing there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from eventstore.testing.dynamodb.values import AttributeValue, Item, kind_of

Values: TypeAlias = Mapping[str, AttributeValue]


class Operand(Protocol):
    """Something that has a value, given an item and the values of the request."""

    def value(self, item: Item, values: Values) -> AttributeValue | None:
        """Return the value, or None where the item has nothing there."""
        ...


@dataclass(frozen=True, slots=True)
class Path:
    """A place in an item: the attribute's name, then names of map members and indexes of list elements."""

    parts: tuple[str | int, ...]

    @property
    def top(self) -> str:
        """The name of the attribute."""
        return str(self.parts[0])

    def value(self, item: Item, _values: Values) -> AttributeValue | None:
        """Return what lies there."""
        return self.find(item)

    def find(self, item: Item) -> AttributeValue | None:
        """Return what lies there."""
        found = item.get(self.top)
        for part in self.parts[1:]:
            if found is None:
                return None
            found = step(found, part)
        return found

    def overlaps(self, other: "Path") -> bool:
        """Tell whether one path leads to or through the other."""
        return all(mine == theirs for mine, theirs in zip(self.parts, other.parts, strict=False))

    def conflicts(self, other: "Path") -> bool:
        """Tell whether one path takes for a map what the other takes for a list."""
        for mine, theirs in zip(self.parts, other.parts, strict=False):
            if mine != theirs:
                return isinstance(mine, str) != isinstance(theirs, str)
        return False

    def __str__(self) -> str:
        return f"[{', '.join(f'[{part}]' if isinstance(part, int) else part for part in self.parts)}]"


def step(value: AttributeValue, part: str | int) -> AttributeValue | None:
    """Return a member of a map or an element of a list; None where there is none."""
    if isinstance(part, str):
        members: Mapping[str, AttributeValue] = value.get("M", {})
        return members.get(part)
    elements: list[AttributeValue] = value.get("L", [])
    return elements[part] if part < len(elements) else None


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value of the request, `:name`."""

    name: str

    def value(self, _item: Item, values: Values) -> AttributeValue | None:
        """Return it; that it is there was checked before."""
        return values[self.name]


@dataclass(frozen=True, slots=True)
class SizeOf:
    """`size(operand)`: length of a text or binary, count of a set, list or map; numbers and flags have none.

    AWS says "the length of the string"; UTF-16 units are what DynamoDB Local counts.
    """

    operand: Path | Placeholder

    def value(self, item: Item, values: Values) -> AttributeValue | None:
        """Return it as a number."""
        found = self.operand.value(item, values)
        if found is None:
            return None
        kind = kind_of(found)
        if kind == "S":
            return {"N": str(len(found[kind].encode("utf-16-le")) // 2)}
        return None if kind in {"N", "BOOL", "NULL"} else {"N": str(len(found[kind]))}

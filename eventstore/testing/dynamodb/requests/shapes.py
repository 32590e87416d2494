"""Shapes that requests are made of: each checks what a caller in this process gives, and decodes what the wire brings.

The two differ as botocore and the service differ. botocore refuses a member that it does not know, at any depth, before
anything is sent; so a misspelt `ConditionExpresion` cannot become an unconditional write. The service ignores what it
does not know, since a newer client may send it.
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from eventstore.testing.dynamodb.errors import ServiceError, validation
from eventstore.testing.dynamodb.values import TYPES

DEPTH_MAX = 200
"""Deeper values are refused before they are read; items nest at most 32 levels."""


class Shape(Protocol):
    """What a member of a request may be."""

    def check(self, value: Any, where: str, report: list[str]) -> None:
        """Report what is wrong with a value, in botocore's words; `where` names it."""
        ...

    def decode(self, value: Any, where: str) -> Any:
        """Return a value from the wire as the operations take it: binaries as bytes, without what nobody knows.

        Raises:
            ServiceError: SerializationException, when it is of another type; ValidationException, when a member is
                missing, or is one that the service knows and that is not carried out here.
        """
        ...


def _wrong_type(where: str, value: object, wanted: type) -> str:
    types = f"type: {type(value)}, valid types: {wanted}"
    return f"Invalid type for parameter {where}, value: {value!r:.100}, {types}"


def _unreadable(where: str, wanted: str) -> ServiceError:
    return ServiceError("SerializationException", f"{where} has to be {wanted}")


class Plain:
    """A text, a whole number, or a yes or no.

    Args:
        kind: Its type.
        word: What to call it.
    """

    def __init__(self, kind: type, word: str) -> None:
        self._kind = kind
        self._word = word

    def check(self, value: Any, where: str, report: list[str]) -> None:
        """See `Shape`."""
        if not self._fits(value):
            report.append(_wrong_type(where, value, self._kind))

    def decode(self, value: Any, where: str) -> Any:
        """See `Shape`."""
        if not self._fits(value):
            raise _unreadable(where, self._word)
        return value

    def _fits(self, value: object) -> bool:
        return isinstance(value, self._kind) and (self._kind is bool or not isinstance(value, bool))


class Free:
    """Anything; nobody looks at it."""

    def check(self, value: Any, where: str, report: list[str]) -> None:
        """See `Shape`."""

    def decode(self, value: Any, _where: str) -> Any:
        """See `Shape`."""
        return value


class Value:
    """An attribute value. What is wrong with one is said when it is read."""

    def check(self, value: Any, where: str, report: list[str]) -> None:
        """See `Shape`."""

    def decode(self, value: Any, where: str) -> Any:
        """See `Shape`."""
        return _decode_value(value, where, 0)


class ListOf:
    """A list of things of one shape.

    Args:
        member: Their shape.
    """

    def __init__(self, member: Shape) -> None:
        self.member = member

    def check(self, value: Any, where: str, report: list[str]) -> None:
        """See `Shape`."""
        if not isinstance(value, list | tuple):
            report.append(_wrong_type(where, value, list))
            return
        for place, member in enumerate(value):
            self.member.check(member, f"{where}[{place}]", report)

    def decode(self, value: Any, where: str) -> Any:
        """See `Shape`."""
        if not isinstance(value, list):
            raise _unreadable(where, "a list")
        return [self.member.decode(member, f"{where}[{place}]") for place, member in enumerate(value)]


class MapOf:
    """A map from names to things of one shape.

    Args:
        member: Their shape.
    """

    def __init__(self, member: Shape) -> None:
        self.member = member

    def check(self, value: Any, where: str, report: list[str]) -> None:
        """See `Shape`."""
        if not isinstance(value, Mapping):
            report.append(_wrong_type(where, value, dict))
        elif self.member is not VALUE:  # values are looked at one by one when they are read
            for name, member in value.items():
                self.member.check(member, f"{where}.{name}", report)

    def decode(self, value: Any, where: str) -> Any:
        """See `Shape`."""
        if not isinstance(value, dict):
            raise _unreadable(where, "a map")
        return {name: self.member.decode(member, f"{where}.{name}") for name, member in value.items()}


class Struct:
    """A map whose members are named.

    Args:
        required: Names of the members that have to be there, with their shapes.
        optional: The same of those that may be left away.
        refused: Names of members that the service knows, and that are not carried out here.
    """

    def __init__(
        self,
        required: Mapping[str, Shape] | None = None,
        optional: Mapping[str, Shape] | None = None,
        refused: Iterable[str] = (),
    ) -> None:
        self.required = frozenset(required or ())
        self.members = {**(required or {}), **(optional or {})}
        self.refused = frozenset(refused)
        self._names = self.members.keys()

    def check(self, value: Any, where: str, report: list[str]) -> None:
        """See `Shape`."""
        if not isinstance(value, Mapping):
            report.append(_wrong_type(where, value, dict))
            return
        if not self.required <= value.keys() <= self._names:
            owner = where or "input"
            missing, unknown = sorted(self.required - value.keys()), sorted(value.keys() - self._names)
            report += [f'Missing required parameter in {owner}: "{name}"' for name in missing]
            names = ", ".join(self.members)
            report += [f'Unknown parameter in {owner}: "{name}", must be one of: {names}' for name in unknown]
        for name, member in value.items():
            shape = self.members.get(name)
            if shape is not None:
                shape.check(member, f"{where}.{name}" if where else name, report)

    def decode(self, value: Any, where: str) -> Any:
        """See `Shape`; a null stands for a member that was left away."""
        if not isinstance(value, dict):
            raise _unreadable(where or "The body", "a structure or map")
        given = {name: member for name, member in value.items() if member is not None}
        owner = f"{where}." if where else ""
        for name in sorted(self.required - given.keys()):
            raise validation(f"Value null at '{owner}{name}' failed to satisfy constraint: Member must not be null")
        for name in sorted(self.refused & given.keys()):
            raise validation(f"The in-memory DynamoDB does not take {owner}{name}")
        members = self.members
        return {name: members[name].decode(member, owner + name) for name, member in given.items() if name in members}


TEXT = Plain(str, "a text")
WHOLE = Plain(int, "a whole number")
FLAG = Plain(bool, "true or false")
ANYTHING = Free()
VALUE = Value()
ITEM = MapOf(VALUE)


def _decode_value(value: Any, where: str, depth: int) -> Any:
    if value is None:
        return None  # is refused when it is read
    if not isinstance(value, dict):
        raise _unreadable(where, "an attribute value")
    if depth > DEPTH_MAX:
        raise ServiceError("SerializationException", f"{where} nests deeper than {DEPTH_MAX} levels")
    return {
        kind: _decode_content(kind, content, where, depth)
        for kind, content in value.items()
        if content is not None and kind in TYPES
    }


def _decode_content(kind: str, content: Any, where: str, depth: int) -> Any:
    if kind == "M" and isinstance(content, dict):
        return {name: _decode_value(member, where, depth + 1) for name, member in content.items()}
    if kind == "L" and isinstance(content, list):
        return [_decode_value(member, where, depth + 1) for member in content]
    if kind == "B" and isinstance(content, str):
        return _decode_binary(content)
    if kind == "BS" and isinstance(content, list):
        return [_decode_binary(one) if isinstance(one, str) else one for one in content]
    return content


def _decode_binary(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise ServiceError("SerializationException", "A binary value is not base64") from error

"""Plain Python values as DynamoDB's attribute values, and back: for rows of tables that are not the store's. Pure."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from eventstore.errors import InvalidInputError
from eventstore.payload.plain import scalar

DIGITS_MAX = 38
EXPONENT_MIN, EXPONENT_MAX = -130, 125
"""Of a number. Source: AWS, "Supported data types and naming rules in Amazon DynamoDB", Number."""

LEVELS_MAX = 31
"""Lists and dicts inside of each other in a row, which is the 32nd level. Source: AWS, "Quotas in Amazon DynamoDB",
attribute depth."""

_TAKES = "use text, numbers, bools, None, bytes, lists, dicts, and sets of text, numbers or bytes"


def item_of(row: object, field: str) -> dict[str, dict[str, Any]]:
    """Return a row, or its key, as DynamoDB wants it.

    Args:
        row: Names of attributes and their plain values.
        field: Where it stands among the caller's arguments.

    Raises:
        InvalidInputError: Something inside cannot be stored; its path is named.
    """
    if not isinstance(row, Mapping):
        raise InvalidInputError(field, f"is a {type(row).__name__}; give a dict")
    if not row:
        raise InvalidInputError(field, "is empty; it has the key at least")
    return _members(row, field, 1)


def attribute_value(value: object, field: str) -> dict[str, Any]:
    """Return one value as DynamoDB wants it.

    Raises:
        InvalidInputError: It cannot be stored; the path to what is wrong is named.
    """
    return _typed(value, field, 1)


def plain_row(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a row that DynamoDB has shown as plain Python; numbers are int where they are whole, else `Decimal`."""
    return {name: _plain(value) for name, value in item.items()}


def _typed(value: object, field: str, level: int) -> dict[str, Any]:
    value = scalar(value)
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": _text(value, field)}
        case int() | float() | Decimal():
            return {"N": _number(value, field)}
        case bytes() | bytearray() | memoryview():
            return {"B": bytes(value)}
        case AbstractSet():
            return _set(value, field)
    if isinstance(value, list | tuple | Mapping) and level > LEVELS_MAX:
        raise InvalidInputError(field, f"is nested deeper than {LEVELS_MAX} levels; DynamoDB takes no more")
    if isinstance(value, list | tuple):
        return {"L": [_typed(each, f"{field}[{index}]", level + 1) for index, each in enumerate(value)]}
    if isinstance(value, Mapping):
        return {"M": _members(value, field, level + 1)}
    raise InvalidInputError(field, f"is a {type(value).__name__}; {_TAKES}")


def _members(row: Mapping[Any, Any], field: str, level: int) -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for key, value in row.items():
        name = scalar(key)
        if not isinstance(name, str) or not name:
            raise InvalidInputError(field, f"has a name {name!r}; names of attributes are text, and not empty")
        made[_text(name, field)] = _typed(value, f"{field}.{name}", level)
    if len(made) < len(row):
        raise InvalidInputError(field, "has names of the same text; give each once")
    return made


def _text(text: str, field: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidInputError(field, "holds half of a surrogate pair, which UTF-8 cannot express") from error
    return text


def _number(value: float | Decimal, field: str) -> str:
    """Return a number's text: of a float that of its `repr`, so that 12.5 is 12.5."""
    if isinstance(value, int):
        if abs(value) >= 10 ** (EXPONENT_MAX + 1):
            raise InvalidInputError(field, f"has a magnitude of 1E{EXPONENT_MAX + 1} or more; use text")
        number = Decimal(value)
    else:
        number = Decimal(repr(value)) if isinstance(value, float) else value
    if not number.is_finite():
        raise InvalidInputError(field, f"is {value}, which is no number to DynamoDB; use None or text")
    if number.is_zero():
        return "0"
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > DIGITS_MAX:
        raise InvalidInputError(field, f"has {len(digits)} digits, and DynamoDB keeps {DIGITS_MAX}; use text")
    if not EXPONENT_MIN <= number.adjusted() <= EXPONENT_MAX:
        raise InvalidInputError(field, f"is beyond 1E{EXPONENT_MIN} to 9.9E{EXPONENT_MAX}; use text")
    return str(number)


def _set(value: AbstractSet[Any], field: str) -> dict[str, Any]:
    """Return a set in an order that is the same in each process."""
    if not value:
        raise InvalidInputError(field, "is an empty set, which DynamoDB cannot store; leave it out")
    typed = [_typed(each, f"{field}{{}}", 1) for each in value]
    kinds = {kind for each in typed for kind in each}
    if len(kinds) > 1 or not kinds <= {"S", "N", "B"}:
        raise InvalidInputError(field, "is a mixed set; its members are all text, all numbers or all bytes")
    (kind,) = kinds
    return {f"{kind}S": sorted(each[kind] for each in typed)}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, held),) = value.items()
    return _PLAIN[kind](held)


def _plain_number(text: str) -> int | Decimal:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "S": str,
    "N": _plain_number,
    "B": bytes,
    "BOOL": bool,
    "NULL": lambda _: None,
    "L": lambda held: [_plain(each) for each in held],
    "M": plain_row,
    "SS": set,
    "NS": lambda held: set(map(_plain_number, held)),
    "BS": lambda held: set(map(bytes, held)),
}

"""DynamoDB's number type: canonical text, order, arithmetic and size.

A number is stored as canonical text - no sign on zero, no leading or trailing zeros, no exponent - so that two equal
numbers have equal text. Source: AWS, "Supported data types and naming rules in Amazon DynamoDB", Number.
"""

import re
from decimal import Context, Decimal
from functools import lru_cache

from eventstore.testing.dynamodb.errors import validation

DIGITS_MAX = 38
EXPONENT_MAX = 125
EXPONENT_MIN = -130

_TEXT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?\Z")
_EXACT = Context(prec=400)  # the widest sum, 1E125 + 1E-130, has 256 digits


def canonical(text: str) -> str:
    """Return the canonical text of a number, or refuse it.

    Raises:
        ServiceError: ValidationException; not a number, more than 38 digits, or out of range.
    """
    if text.isdigit() and text.isascii() and len(text) <= DIGITS_MAX and (text[0] != "0" or len(text) == 1):
        return text
    return _canonical_of_any(text)


@lru_cache(maxsize=4096)
def _canonical_of_any(text: str) -> str:
    if _TEXT.match(text) is None:
        raise validation(f"The parameter cannot be converted to a numeric value: {text}")
    return text_of(Decimal(text))


def text_of(number: Decimal) -> str:
    """Return the canonical text of a decimal that came out of text or arithmetic."""
    if number.is_zero():
        return "0"
    if number.adjusted() > EXPONENT_MAX:
        raise validation("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if number.adjusted() < EXPONENT_MIN:
        raise validation("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    plain = format(number, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    if significant_digits(plain) > DIGITS_MAX:
        raise validation("Attempting to store more than 38 significant digits in a Number")
    sign, digits = ("-", plain[1:]) if plain[0] == "-" else ("", plain)
    whole = digits.lstrip("0")
    return sign + (whole if whole and whole[0] != "." else f"0{whole}")


def significant_digits(text: str) -> int:
    """Count the digits of a canonical number without leading and trailing zeros."""
    return len(text.lstrip("-").replace(".", "").strip("0"))


def ordered(text: str) -> int | Decimal:
    """Return a value that compares and hashes as the number does; integers are the fast case."""
    return int(text) if text.isdigit() else Decimal(text)


def add(left: str, right: str) -> str:
    """Return the canonical sum."""
    return text_of(_EXACT.add(Decimal(left), Decimal(right)))


def subtract(left: str, right: str) -> str:
    """Return the canonical difference."""
    return text_of(_EXACT.subtract(Decimal(left), Decimal(right)))


def size_bytes(text: str) -> int:
    """Return what a canonical number counts towards an item's size.

    Approximately one byte for two significant digits, one more, and one for a minus sign; AWS promises no more than
    "approximately". Source: AWS, "DynamoDB item sizes and formats".
    """
    if text.isdigit():
        return 1 + (len(text.rstrip("0")) + 1) // 2
    return 1 + (significant_digits(text) + 1) // 2 + (text[0] == "-")

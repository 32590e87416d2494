"""Payloads as JSON text: what goes in comes out, digit by digit."""

from typing import Any

import msgspec

from eventstore.payload.json_text import FAULTS
from eventstore.payload.plain import plain

__all__ = ["FAULTS", "decode", "decode_by", "decode_digits", "encode"]


def encode(value: object, field: str) -> str:
    """Return compact JSON text of a plain JSON value; integers stay exact.

    Args:
        value: As for `plain`.
        field: Same as above.

    Raises:
        NotJsonError: Something inside is not plain JSON; its path is named.
    """
    return msgspec.json.encode(plain(value, field)).decode()


def decode(text: str | bytes) -> Any:
    """Return the value a JSON text stands for; integers stay exact.

    Raises:
        ValueError: The text is not JSON, or nested more deeply than can be decoded.
    """
    return decode_by(_PLAIN, text)


def decode_digits(text: str | bytes) -> Any:
    """Return the value of a JSON text for comparisons: encoded again, its numbers have the digits of the text.

    Raises:
        ValueError: The text is not JSON, or nested more deeply than can be decoded.
    """
    return decode_by(_DIGITS, text)


def decode_by(decoder: msgspec.json.Decoder[Any], text: str | bytes) -> Any:
    """Return what a decoder makes of a JSON text.

    Raises:
        ValueError: The text is not JSON, or nested more deeply than can be decoded.
    """
    try:
        return decoder.decode(text)
    except (RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from error


_PLAIN = msgspec.json.Decoder()
_DIGITS = msgspec.json.Decoder(float_hook=lambda digits: msgspec.Raw(digits.encode()))

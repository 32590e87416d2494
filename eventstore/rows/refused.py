"""Encodes and decodes the marks of an outbox row that say for how long a destination is left alone with it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventstore.rows.item import INTEGER_MAX, Item, content, is_text

REFUSED = "refused"
"""Attribute of an outbox row: destination → mark."""

NO_MARKS: Mapping[str, "RefusedMark"] = {}


@dataclass(frozen=True, slots=True)
class RefusedMark:
    """One destination does not take a commit for now; it is still owed, and tried again by whoever has it in hand.

    Attributes:
        attempts: Attempts in a row that failed, 1 or more.
        since_ms: When the first of them did, ms since 1970 UTC, by the clock of the worker that made it.
        until_ms: Before this time it is not tried again, as above.
        reason: Short and stable: `nack`, `silent`.
    """

    attempts: int
    since_ms: int
    until_ms: int
    reason: str


def encode(marks: Mapping[str, RefusedMark]) -> dict[str, Any]:
    """Return the attribute's value."""
    return {
        "M": {
            name: {
                "M": {
                    "attempts": {"N": str(mark.attempts)},
                    "since": {"N": str(mark.since_ms)},
                    "until": {"N": str(mark.until_ms)},
                    "reason": {"S": mark.reason},
                }
            }
            for name, mark in marks.items()
        }
    }


def decode(item: Item) -> Mapping[str, RefusedMark]:
    """Return the marks of a row, by destination. What is no mark is left out: it costs a pause, never a commit."""
    if REFUSED not in item:  # as nearly always: rows are very many
        return NO_MARKS
    found = content(item, REFUSED, "M")
    if not isinstance(found, Mapping):
        return NO_MARKS
    marks = {name: _mark(content(found, name, "M")) for name in found if is_text(name)}
    return {name: mark for name, mark in marks.items() if mark is not None}


def _mark(fields: Any) -> RefusedMark | None:
    if not isinstance(fields, Mapping):
        return None
    attempts, since_ms, until_ms = (_number(content(fields, field, "N")) for field in ("attempts", "since", "until"))
    reason = content(fields, "reason", "S")
    if attempts is None or since_ms is None or until_ms is None or not is_text(reason) or attempts < 1:
        return None
    return RefusedMark(attempts, since_ms, until_ms, reason)


def _number(text: object) -> int | None:
    """Return a whole number from 0 to 64 bits; None when it is none."""
    try:
        number = int(text) if isinstance(text, str) else -1
    except ValueError:
        return None
    return number if 0 <= number <= INTEGER_MAX else None

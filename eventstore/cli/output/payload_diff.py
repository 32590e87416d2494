"""What changed in an event's payload since the previous one. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from eventstore import jsontext
from eventstore.model import RecordedEvent

_PLAIN_NAME = re.compile(r"[^.\"\s]+")


@dataclass(frozen=True, slots=True)
class PayloadDiff:
    """One event's payload against that of the event before it of the same type.

    Attributes:
        against: Sequence number of that event; None for the first of its type.
        added: Path → value that was not there.
        changed: Path → what it was and what it is.
        removed: Path → value that is no longer there.
    """

    against: int | None
    added: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    removed: Mapping[str, Any] = field(default_factory=dict)


class PayloadDiffs:
    """Follows one aggregate's history; remembers one payload per event type."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[int, dict[str, Any]]] = {}

    def take(self, event: RecordedEvent) -> PayloadDiff:
        """Take the next event and return what changed.

        Raises:
            ValueError: Its payload is not JSON.
        """
        values = dict(_leaves(jsontext.decode_digits(event.data_json), ""))
        against, earlier = self._before.get(event.type, (None, {}))
        self._before[event.type] = (event.sequence_number, values)
        return PayloadDiff(
            against,
            added={path: value for path, value in values.items() if path not in earlier},
            changed={
                path: (earlier[path], value)
                for path, value in values.items()
                if path in earlier and not _same(earlier[path], value)
            },
            removed={path: value for path, value in earlier.items() if path not in values},
        )


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    """Return the values of a payload by path; lists, and dicts without a key, are values."""
    if not isinstance(value, dict) or (not value and path):
        return [(path, value)]
    found: list[tuple[str, Any]] = []
    for name, inner in value.items():
        part = name if _PLAIN_NAME.fullmatch(name) else msgspec.json.encode(name).decode()
        found.extend(_leaves(inner, f"{path}.{part}" if path else part))
    return found


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON: 1 is neither 1.0 nor true, the order of names does not matter."""
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")

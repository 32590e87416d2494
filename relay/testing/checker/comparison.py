"""Compares what was found with what is wanted, field by field; 1, 1.0 and true are three different values."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A field that is not as it should be.

    Attributes:
        field: Its name.
        wanted: Its value as it should be, as text; `absent` when there should be none.
        found: Its value as it is, as above; None when it is no longer known, but for being another.
    """

    field: str
    wanted: str
    found: str | None

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.field} is another than {self.wanted}"
        return f"{self.field} is {self.found}, not {self.wanted}"


ABSENT = "absent"


def discrepancies(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[Discrepancy]:
    """Return the fields that differ, are missing, or are too many, in the order of what is wanted."""
    return [Discrepancy(name, _shown(wanted, name), _shown(found, name)) for name in _differing(wanted, found)]


def canonical(value: Any) -> str:
    """Return a text that two values share exactly when they are the same: plain JSON values, and bytes."""
    if isinstance(value, bytes):
        return f"bytes {value!r}"
    return json.dumps(value, sort_keys=True, default=_foreign)


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in (*wanted, *(name for name in found if name not in wanted)):
        if (name in wanted) != (name in found) or canonical(wanted[name]) != canonical(found[name]):
            yield name


def _shown(fields: Mapping[str, Any], name: str) -> str:
    return repr(fields[name]) if name in fields else ABSENT


def _foreign(value: Any) -> str:
    """Return how a value that no JSON text stands for is told from all others."""
    return f"{type(value).__name__} {value!r}"

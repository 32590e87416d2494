"""Compares what was expected with what came, line by line. Pure."""

import dataclasses
import difflib
import json
import pprint
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from eventstore.model import NewEvent

_WIDTH = 100


def of_lines(expected: Sequence[str], actual: Sequence[str]) -> str:
    """Return both texts as one, with `-` before lines that were expected and did not come, `+` before the others."""
    length = max(len(expected), len(actual))
    changed = difflib.unified_diff(expected, actual, lineterm="", n=length)
    body = [line for line in changed if not line.startswith(("---", "+++", "@@"))]
    return "\n".join(f"{line[:1]} {line[1:]}".rstrip() for line in body) if body else ""


def event_lines(events: Iterable[NewEvent], *, metadata: Sequence[bool], times: Sequence[bool]) -> list[str]:
    """Return events as lines that are equal exactly when the events count as equal.

    Args:
        events: The events.
        metadata: Of which events, by place, metadata counts.
        times: Of which events, by place, the timestamp counts.
    """
    lines = []
    for place, event in enumerate(events):
        shown: dict[str, Any] = {"data": dict(event.data)}
        if place < len(metadata) and metadata[place]:
            shown["metadata"] = dict(event.metadata)
        if place < len(times) and times[place]:
            shown["timestamp_ms"] = event.timestamp_ms
        text = json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False)
        lines.append(f"{event.type} (schema version {event.schema_version})")
        lines.extend(text.splitlines()[1:-1])
    return lines


def state_lines(state: object) -> list[str]:
    """Return a state as lines: fields of a class one below the other."""
    fields = _fields(state)
    if fields is None:
        return pprint.pformat(state, width=_WIDTH).splitlines()
    lines = [f"{type(state).__name__}("]
    for name, value in fields.items():
        first, *rest = state_lines(value)
        lines.append(f"  {name}={first}")
        lines.extend(f"  {line}" for line in rest)
    return [*lines, ")"]


def _fields(state: object) -> dict[str, Any] | None:
    """Return the fields of a dataclass, Struct or pydantic model; None for anything else."""
    if isinstance(state, type):
        return None
    if dataclasses.is_dataclass(state):
        return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    if isinstance(state, msgspec.Struct):
        return {name: getattr(state, name) for name in state.__struct_fields__}
    names = getattr(type(state), "model_fields", None)  # a pydantic model's
    return {name: getattr(state, name) for name in names} if isinstance(names, dict) else None

"""What callers append becomes events with plain payloads, checked against what is registered."""

from collections.abc import Mapping
from typing import Any

from eventstore.errors import InvalidInputError
from eventstore.event_codec import AppendableEvent
from eventstore.model import NewEvent, TypedEvent
from eventstore.schema.event_types import EventTypes
from eventstore.schema.upcasting import Kind, MissingUpcaster, UnknownVersion


class SchemaEncoder:
    """An `EventEncoder` that knows event types."""

    def __init__(self, events: EventTypes) -> None:
        self._events = events

    def encode(self, event: AppendableEvent, field: str) -> NewEvent:
        """Return the event with a plain payload; see `EventEncoder`."""
        plain = event if isinstance(event, NewEvent) else self._plain(event, field)
        kind: Any = (plain.type, plain.schema_version)
        if not isinstance(kind[0], str) or not isinstance(kind[1], int):
            return plain  # refused by the checks of every append, in their words
        if self._events.strict and not self._events.knows(kind):
            raise InvalidInputError(
                f"{field}.type", f"{kind[0]!r} version {kind[1]} is not registered, and strict is on"
            )
        self._check_readable(kind, field)
        schema = self._events.schema_of(kind)
        if schema is not None:
            schema.check(dict(plain.data) if isinstance(plain.data, Mapping) else plain.data, f"{field}.data")
        return plain

    def _check_readable(self, kind: Kind, field: str) -> None:
        """Refuse a version of a registered type that this very program could not read back.

        Raises:
            InvalidInputError: It names the version.
        """
        match self._events.way_from(kind):
            case UnknownVersion(at, latest):
                reason = f"is {at[1]}, above {latest}, the latest of {at[0]!r} that is registered: register it"
            case MissingUpcaster(at, latest):
                reason = f"is {kind[1]}, and no upcaster leads from {at[0]!r} version {at[1]} to {latest}: register one"
            case _:
                return
        raise InvalidInputError(f"{field}.schema_version", reason)

    def _plain(self, event: Any, field: str) -> NewEvent:
        typed = event if isinstance(event, TypedEvent) else TypedEvent(event)
        entry = self._events.entry_of(typed.payload)
        if entry is None:
            name = type(typed.payload).__name__
            raise InvalidInputError(
                field, f"is a {name}, whose class is not registered; register it or give a NewEvent"
            )
        try:
            data = entry.codec.to_plain(typed.payload)
        except Exception as error:
            raise InvalidInputError(
                f"{field}.data", f"cannot be expressed in JSON: {type(error).__name__}: {error}"
            ) from error
        return NewEvent(entry.kind[0], data, typed.metadata, entry.kind[1], typed.timestamp_ms)

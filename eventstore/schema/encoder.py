"""What callers append becomes events with plain payloads, checked against what is registered."""

from typing import Any

from eventstore.errors import InvalidInputError, NotJsonError
from eventstore.event_codec import AppendableEvent
from eventstore.model import NewEvent, TypedEvent
from eventstore.schema import comparison
from eventstore.schema.event_types import EventTypes
from eventstore.schema.read_back import ReadBack
from eventstore.schema.upcasting import Kind, MissingUpcaster, UnknownVersion


class SchemaEncoder:
    """An `EventEncoder` that knows event types."""

    def __init__(self, events: EventTypes) -> None:
        self._events = events
        self._read_back = ReadBack(events)

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
        if self._events.latest_of(kind[0]) != kind[1]:
            self._check_readable(kind, field)
        return plain

    def prove(self, event: NewEvent, text: str, given: AppendableEvent, field: str) -> None:
        """Check that the event can be read again; see `EventEncoder`."""
        schema = self._events.schema_of((event.type, event.schema_version))
        if schema is not None:
            schema.check(dict(event.data), f"{field}.data")
        payload = None if isinstance(given, NewEvent) else _typed(given).payload
        self._read_back.check(event, text, payload, field)

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
        typed = _typed(event)
        entry = self._events.entry_of(typed.payload)
        if entry is None:
            name = type(typed.payload).__name__
            raise InvalidInputError(
                field, f"is a {name}, whose class is not registered; register it or give a NewEvent"
            )
        try:
            data = entry.codec.to_plain(typed.payload)
        except Exception as error:
            place = comparison.place_of_fault(typed.payload, entry.codec.to_plain)
            raise NotJsonError(
                f"{field}.data{place}", f"cannot be expressed in JSON: {type(error).__name__}: {error}"
            ) from error
        return NewEvent(entry.kind[0], data, typed.metadata, entry.kind[1], typed.timestamp_ms)


def _typed(event: Any) -> TypedEvent:
    return event if isinstance(event, TypedEvent) else TypedEvent(event)

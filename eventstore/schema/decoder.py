"""Rows become events of the latest schema version, with their typed payloads."""

from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from eventstore import jsontext
from eventstore.errors import EventSchemaError
from eventstore.model import RecordedEvent, StoredForm
from eventstore.rows import event as event_row
from eventstore.rows.item import Item
from eventstore.schema.event_types import EventClass, EventTypes
from eventstore.schema.upcasting import Kind, MissingUpcaster, Route, UnknownType, UnknownVersion


class SchemaDecoder:
    """An `EventDecoder` that knows event types."""

    def __init__(self, events: EventTypes) -> None:
        self.events = events

    def decode(self, item: Item, table: str) -> RecordedEvent:
        """Return the event of a row; see `EventDecoder`."""
        return self.interpret(event_row.decode(item, table), table)

    def interpret(self, event: RecordedEvent, source: str) -> RecordedEvent:
        """Return an event at its latest version; see `EventDecoder`."""
        kind = (event.type, event.schema_version)
        match self.events.way_from(kind):
            case Route(steps, target):
                changes: dict[str, Any] = self._lift(event, steps, target, source) if steps else {}
                entry = self.events.class_of(target)
                if entry is not None:
                    changes["payload_reader"] = partial(_read_payload, entry, source)
                return replace(event, **changes) if changes else event
            case MissingUpcaster(at, latest):
                reason = f"is {kind[1]} for {kind[0]!r}, and the upcasters end at version {at[1]} of"
                _refuse(
                    event,
                    source,
                    ("version", f"{reason} {at[0]!r}, below {latest}: register `upcaster({at[0]!r}, {at[1]})`"),
                    at,
                )
            case UnknownVersion(at, latest):
                reason = f"is {at[1]}, above {latest}, the latest of {at[0]!r} that is registered"
                _refuse(event, source, ("version", f"{reason}: this program is older than the event; update it"), at)
            case UnknownType() if self.events.strict:
                reason = f"is {kind[0]!r}, which is not registered: register it, or open the store with `strict=False`"
                _refuse(event, source, ("eventType", reason), kind)
        return event

    def _lift(self, event: RecordedEvent, steps: Any, target: Kind, source: str) -> dict[str, Any]:
        """Return what upcasters change in an event."""
        at = (event.type, event.schema_version)
        try:
            data: Any = jsontext.decode(event.data_json)  # a value of its own, which an upcaster may change
        except ValueError as error:
            _refuse(event, source, ("eventData", f"is not JSON: {error}"), at, error)
        for step in steps:
            try:
                data = step.upcast(data)
                if not isinstance(data, dict):
                    _refuse(
                        event, source, _fault(step.source, f"returned a {type(data).__name__}, not a dict"), step.source
                    )
            except EventSchemaError:
                raise
            except Exception as error:  # noqa: BLE001 - users' code may raise anything
                _refuse(event, source, _fault(step.source, f"raised {_describe(error)}"), step.source, error)
        try:
            text = jsontext.encode(data, "data")
        except ValueError as error:
            last = steps[-1].source
            _refuse(event, source, _fault(last, f"made a payload that is not plain JSON: {error}"), last, error)
        return {
            "type": target[0],
            "schema_version": target[1],
            "data_json": text,
            "upcast_from": StoredForm(event.type, event.schema_version, event.data_json),
        }


def _read_payload(entry: EventClass, source: str, event: RecordedEvent) -> Any:
    try:
        return entry.codec.from_text(event.data_json)
    except Exception as error:  # noqa: BLE001 - constructors of users' classes may raise anything
        reason = f"does not fit {entry.cls.__name__}, the class of {event.type!r} version {event.schema_version}"
        _refuse(event, source, ("eventData", f"{reason}: {_describe(error)}; fix class or upcaster"), entry.kind, error)


def _fault(kind: Kind, what: str) -> tuple[str, str]:
    return "eventData", f"cannot be lifted: the upcaster of {kind[0]!r} version {kind[1]} {what}; fix the upcaster"


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _refuse(
    event: RecordedEvent,
    source: str,
    fault: tuple[str, str],
    kind: Kind,
    cause: Exception | None = None,
) -> NoReturn:
    field, reason = fault
    raise EventSchemaError(
        source,
        key=f"{event.aggregate_id}/{event.sequence_number}",
        field=field,
        reason=reason,
        event_type=kind[0],
        schema_version=kind[1],
    ) from cause

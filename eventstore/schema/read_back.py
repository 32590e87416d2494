"""No event is stored that the program could not read back: what was encoded is decoded before it is sent."""

import re
from typing import Any, NoReturn

from eventstore.errors import EventSchemaError, InvalidInputError
from eventstore.model import NewEvent, RecordedEvent
from eventstore.schema.comparison import place_of_change
from eventstore.schema.decoder import SchemaDecoder
from eventstore.schema.event_types import EventClass, EventTypes

_CURE = "give values of the annotated types, or change the class"
_MSGSPEC_PLACE = re.compile(r" - at `\$([^`]*)`$")


class ReadBack:
    """Reads events before they are stored, as every reader of them will."""

    def __init__(self, events: EventTypes) -> None:
        self._events = events
        self._decoder = SchemaDecoder(events)

    def check(self, event: NewEvent, text: str, payload: object, field: str) -> None:
        """Check that an event can be read, and comes back as the object that was given.

        Args:
            event: The event, checked in all else.
            text: Its payload as it will be stored.
            payload: The object that was given for it; None where it was a plain dict.
            field: Where the event stands among the arguments.

        Raises:
            InvalidInputError: It cannot, or does not; `field` leads to the place.
        """
        kind = (event.type, event.schema_version)
        latest = self._events.latest_of(event.type)
        if latest is None and not self._events.has_way_on(kind):
            return
        if latest != event.schema_version or self._events.has_way_on(kind):
            self._check_lifted(event, text, field)
            return
        entry = self._events.class_of(kind)
        if entry is None:
            return
        try:
            read = entry.codec.from_text(text)
        except Exception as error:  # noqa: BLE001 - constructors of users' classes may raise anything
            _refuse(entry, error, field)
        place = None if payload is None else place_of_change(payload, read)
        if place is not None:
            raise InvalidInputError(
                f"{field}.data{place}", f"would be read back as another value by {entry.say()}; {_CURE}"
            )

    def _check_lifted(self, event: NewEvent, text: str, field: str) -> None:
        """Check an event that upcasters lift when it is read."""
        stored = RecordedEvent("", "", 0, event.type, text, "{}", event.schema_version, 0, "", "", 0, 0, 0)
        try:
            _ = self._decoder.interpret(stored, "events").payload
        except EventSchemaError as error:
            part = "schema_version" if error.field == "version" else "data"
            raise InvalidInputError(f"{field}.{part}", f"could not be read back: {error.reason}") from error


def _refuse(entry: EventClass, error: Exception, field: str) -> NoReturn:
    """Refuse a payload that its class does not take; what it holds may be secret, and is not said."""
    described: Any = getattr(error, "errors", None)
    if callable(described) and hasattr(error, "error_count"):  # pydantic's
        first = described(include_url=False, include_input=False, include_context=False)[0]
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
        words = first["msg"]
    else:
        found = _MSGSPEC_PLACE.search(str(error))
        place, words = (found[1], str(error)[: found.start()]) if found else ("", f"{type(error).__name__}: {error}")
    raise InvalidInputError(
        f"{field}.data{place}", f"could not be read back by {entry.say()}: {words}; {_CURE}"
    ) from error

"""The library's values: aggregates, events before and after they are stored, and an append's result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any

from eventstore import jsontext
from eventstore.errors import EventSchemaError, InvalidInputError
from eventstore.expectation import Expectation
from eventstore.payload import moments
from eventstore.payload.plain import EXACT, scalar
from eventstore.payload.row_write import RowWrite


@dataclass(frozen=True, slots=True)
class AggregateRef:
    """Names one aggregate.

    Attributes:
        type: Kind of aggregate, `[A-Za-z0-9_-]+`; it becomes the first half of a routing key.
        id: The aggregate's id, 1 to 2,048 bytes of UTF-8. An id belongs to one type for ever.

    Members of an Enum and other subclasses of `str` become the plain text that they stand for.
    """

    type: str
    id: str

    def __post_init__(self) -> None:
        """Keep plain text."""
        _make_plain(self, "type", "id")


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is to be stored.

    Attributes:
        type: What happened, `[A-Za-z0-9_-]+`; it becomes the second half of a routing key.
        data: The payload, plain JSON: a dict, or a `JsonText` where the digits of a text are to be kept.
        metadata: About the event, plain JSON, best made by `eventstore.metadata`; `correlation_id` and `traceparent`
            are passed on to the bus. Inside of an OpenTelemetry span an append adds a missing `traceparent`.
        schema_version: Version of the payload's schema, 1 or more.
        timestamp_ms: When it happened: milliseconds since 1970 UTC, or a `datetime` with a zone, which is kept as
            milliseconds; now when left out.

    Members of an Enum and other subclasses of `str` and `int` become the plain values that they stand for.
    """

    type: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = 1
    timestamp_ms: int | datetime | None = None

    def __post_init__(self) -> None:
        """Keep plain values."""
        _make_plain(self, "type", "schema_version", "timestamp_ms")
        _make_ms(self)

    @staticmethod
    def of(
        payload: object, *, metadata: Mapping[str, Any] | None = None, timestamp_ms: int | datetime | None = None
    ) -> "TypedEvent":
        """Return an event whose payload is an object of a registered class; the append finds type and version by it.

        Args:
            payload: An object of a class that the store's `EventTypes` has.
            metadata: As above.
            timestamp_ms: As above.
        """
        return TypedEvent(payload, metadata or {}, timestamp_ms)


@dataclass(frozen=True, slots=True)
class TypedEvent:
    """An event that is to be stored, its payload an object of a registered class. Made by `NewEvent.of`.

    Attributes:
        payload: The object.
        metadata: As in `NewEvent`.
        timestamp_ms: As in `NewEvent`.
    """

    payload: object
    metadata: Mapping[str, Any] = field(default_factory=dict)
    timestamp_ms: int | datetime | None = None

    def __post_init__(self) -> None:
        """Keep milliseconds."""
        _make_ms(self)


@dataclass(frozen=True, slots=True)
class StoredForm:
    """An event's stored form, where upcasters have changed what is read.

    Attributes:
        type: The stored type.
        schema_version: The stored version of the payload's schema.
        data_json: The stored payload, as JSON text.
    """

    type: str
    schema_version: int
    data_json: str


@dataclass(frozen=True)
class RecordedEvent:
    """A stored event. It goes to other processes with its typed payload, which is made before it leaves.

    Attributes:
        aggregate_id: Its aggregate.
        aggregate_type: The aggregate's type.
        sequence_number: Its place in the aggregate: 1, 2, 3 … without holes.
        type: What happened.
        data_json: The payload, the JSON text that was stored.
        metadata_json: The metadata, as above.
        schema_version: Version of the payload's schema.
        timestamp_ms: When it happened, by the caller's word.
        event_id: UUIDv7.
        commit_id: The append that stored it.
        commit_first: First sequence number of that append.
        commit_last: Last sequence number of that append.
        epoch: The store's epoch when it was stored; raised when the store is restored from a backup.
        upcast_from: What is stored, when upcasters changed type, version or payload; None otherwise.
        payload_reader: Makes the typed payload; None when no class is registered. It is no field: neither compared,
            shown, nor part of `dataclasses.asdict`.
    """

    aggregate_id: str
    aggregate_type: str
    sequence_number: int
    type: str
    data_json: str
    metadata_json: str
    schema_version: int
    timestamp_ms: int
    event_id: str
    commit_id: str
    commit_first: int
    commit_last: int
    epoch: int
    upcast_from: StoredForm | None = None
    payload_reader: "InitVar[Callable[[RecordedEvent], Any] | None]" = None

    def __post_init__(self, payload_reader: "Callable[[RecordedEvent], Any] | None") -> None:
        """Keep the reader under its name, where `dataclasses.replace` finds it."""
        if payload_reader is not None:
            self.__dict__["payload_reader"] = payload_reader

    @classmethod
    def of_row(cls, **fields: Any) -> "RecordedEvent":
        """Return an event by the fields of a row, all of them; `__init__` of a frozen class sets each on its own."""
        event = object.__new__(cls)
        event.__dict__.update(fields)
        return event

    def __getstate__(self) -> dict[str, Any]:
        """Leave the reader behind, which leads to everything that is registered, and take what it makes along."""
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        if self._reader is not None:
            try:
                state["payload_reader"] = _PayloadMade(self.payload, None)
            except EventSchemaError as error:
                state["payload_reader"] = _PayloadMade(None, error)
        return state

    @property
    def stored(self) -> StoredForm:
        """Type, schema version and payload as stored in the table, before upcasters."""
        return self.upcast_from or StoredForm(self.type, self.schema_version, self.data_json)

    @cached_property
    def payload(self) -> Any:
        """The payload as an object of its registered class, made at the first look; `data` where none is registered.

        Raises:
            EventSchemaError: The class does not take the stored payload.
        """
        return self.data if self._reader is None else self._reader(self)

    @property
    def _reader(self) -> "Callable[[RecordedEvent], Any] | None":
        return self.__dict__.get("payload_reader")

    @cached_property
    def data(self) -> Any:
        """The payload, decoded at the first look."""
        return jsontext.decode(self.data_json)

    @cached_property
    def metadata(self) -> Any:
        """The metadata, decoded at the first look."""
        return jsontext.decode(self.metadata_json)


@dataclass(frozen=True, slots=True)
class _PayloadMade:
    """What a reader made of an event, for where the reader is not."""

    payload: Any
    error: EventSchemaError | None

    def __call__(self, _: RecordedEvent) -> Any:
        if self.error is not None:
            raise self.error
        return self.payload


@dataclass(frozen=True, slots=True)
class Append:
    """One of several appends.

    Attributes:
        aggregate: The aggregate.
        events: 1 to 98, oldest first, 97 with a key: `NewEvent`s, or what the store's `EventTypes` take.
        expected_version: How many events the aggregate has, or `EXISTS`, or `ANY`.
        idempotency_key: Makes it safe to repeat the command at any time; the key's scope is the aggregate.
        command_fingerprint: What the key stands for besides the events, as in `EventStore.append`.
        also: Conditional writes of the caller's own in the same transaction, as in `EventStore.append`.
    """

    aggregate: AggregateRef
    events: Sequence[Any]
    expected_version: int | Expectation
    idempotency_key: str | None = None
    command_fingerprint: str | None = None
    also: Sequence[RowWrite] = ()

    def __post_init__(self) -> None:
        """Keep plain values."""
        _make_plain(self, "expected_version", "idempotency_key", "command_fingerprint")


@dataclass(frozen=True)
class AppendResult:
    """What an append did.

    Attributes:
        aggregate: The aggregate.
        commit_id: The commit's id.
        first_sequence: Sequence number of the first event stored.
        version: The aggregate's version now: the sequence number of the last event stored. For a repeat under an
            idempotency key, as of the first time.
        already_stored: An earlier attempt, or an earlier call with the same idempotency key, had stored it; nothing
            was stored twice.
        attempts: Requests sent for it, 1 when all went well.
        waiter: The way back to the store, for `wait_settled`. It is no field: neither compared, shown, nor part of
            `dataclasses.asdict`.
    """

    aggregate: AggregateRef
    commit_id: str
    first_sequence: int
    version: int
    already_stored: bool
    attempts: int
    waiter: "InitVar[Callable[[AppendResult, float, str | None], None] | None]" = None

    def __post_init__(self, waiter: "Waiter | None") -> None:
        """Keep the way back under its name, where `dataclasses.replace` finds it."""
        if waiter is not None:
            self.__dict__["waiter"] = waiter

    def wait_settled(self, timeout_seconds: float, destination: str | None = None) -> None:
        """Return when bus and index have the commit, or the named one of them; see `EventStore.wait_settled`.

        A result that went to another process has lost its store: use `EventStore.wait_settled` there.

        Raises:
            InvalidInputError: The result comes from another process.
            As `EventStore.wait_settled`.
        """
        waiter: Waiter | None = self.__dict__.get("waiter")
        if waiter is None:
            raise InvalidInputError(
                "result", "comes from another process and has lost its store: use EventStore.wait_settled"
            )
        waiter(self, timeout_seconds, destination)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the way back behind: it leads to connections."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __copy__(self) -> "AppendResult":
        return self  # nothing in it changes, and a copy would have lost its store

    def __deepcopy__(self, memo: object) -> "AppendResult":
        return self


def _make_plain(record: object, *names: str) -> None:
    """Replace the values of some fields by plain ones; what is no text or number at all is left for the checks."""
    for name in names:
        value = getattr(record, name)
        if type(value) not in EXACT:
            object.__setattr__(record, name, scalar(value))


def _make_ms(event: NewEvent | TypedEvent) -> None:
    """Replace a time by its milliseconds; one without a zone is left for the checks of the append, which name it."""
    given = event.timestamp_ms
    if isinstance(given, datetime) and given.utcoffset() is not None:
        object.__setattr__(event, "timestamp_ms", moments.to_ms(given, "timestamp_ms"))


Waiter = Callable[[AppendResult, float, str | None], None]
"""Waits until a result's commit is settled."""

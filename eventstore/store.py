"""The event store: append events to an aggregate, and read them back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from eventstore import commit, dynamo, history, latest, limits, store_record, validation, verdict
from eventstore.backoff import Backoff
from eventstore.errors import (
    AggregateTypeError,
    OutcomeUnknownError,
    RequestRefusedError,
    ThrottledError,
    UnreachableError,
    WrongExpectedVersionError,
)
from eventstore.ids import uuid7
from eventstore.model import AggregateRef, AppendResult, NewEvent, RecordedEvent
from eventstore.outcomes import DynamoError, NotAppliedError, OutcomeLostError, TransactionCancelledError
from eventstore.ports import DynamoClient, Runtime
from eventstore.system import SystemRuntime
from eventstore.table_names import TableNames


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a store behaves.

    Attributes:
        embed_max_bytes: An outbox row up to this size carries its events, which spares the relay a read. Above 1,024
            it costs more write units and makes delivery of large events a little faster.
        append_backoff: Attempts of one append, and the delays between them.
        read_backoff: Attempts of one read call, and the delays between them.
    """

    embed_max_bytes: int = limits.EMBED_MAX_BYTES_DEFAULT
    append_backoff: Backoff = field(default_factory=Backoff)
    read_backoff: Backoff = field(default_factory=Backoff)


class EventStore:
    """Stores events once and in order, each commit together with its outbox row. Threads may share one store."""

    def __init__(
        self,
        client: DynamoClient,
        tables: TableNames,
        record: store_record.StoreRecord,
        *,
        options: StoreOptions,
        runtime: Runtime,
    ) -> None:
        """Prefer `EventStore.open`, which reads the record from the tables."""
        self._client = client
        self._tables = tables
        self._record = record
        self._options = options
        self._runtime = runtime

    @classmethod
    def open(
        cls,
        client: DynamoClient,
        tables: TableNames | None = None,
        *,
        options: StoreOptions | None = None,
        runtime: Runtime | None = None,
    ) -> "EventStore":
        """Open a store whose tables exist; one consistent read learns its epoch and its index shards.

        Args:
            client: boto3's low-level DynamoDB client, best made by `eventstore.connect`, or the in-memory one.
            tables: Names of the tables; `inventory_…` when left out.
            options: How the store behaves.
            runtime: Clock, waiting and randomness; the machine's own when left out.

        Raises:
            TableMissingError: Run `eventstore init` first.
            UnreachableError: DynamoDB did not answer.
            AccessDeniedError: Check the credentials.
        """
        tables = tables or TableNames()
        options = options or StoreOptions()
        runtime = runtime or SystemRuntime()
        record = store_record.load(client, tables, runtime, options.read_backoff)
        return cls(client, tables, record, options=options, runtime=runtime)

    def append(
        self,
        aggregate: AggregateRef,
        events: Sequence[NewEvent],
        *,
        expected_version: int,
    ) -> AppendResult:
        """Append events to one aggregate, all or none; they are owed to bus and index from that moment on.

        One TransactWriteItems: a row per event, the outbox row, and a check that event number `expected_version`
        exists with this aggregate's type. Numbering has no holes, and nothing is read first.

        Args:
            aggregate: The aggregate; created by its first append.
            events: 1 to 98, oldest first; each at most 400 KB encoded, together with the outbox row at most 4 MB.
            expected_version: How many events the caller believes the aggregate has; 0 for a new one.

        Returns:
            The new version, and whether an earlier attempt of this call had already stored it.

        Raises:
            InvalidInputError: An argument cannot be stored; it names the field. Nothing was sent.
            WrongExpectedVersionError: Another writer came first. Load the aggregate and decide again.
            AggregateTypeError: The id belongs to another type. Use another id.
            ThrottledError: DynamoDB refused every attempt. Nothing is stored; try later.
            UnreachableError: DynamoDB was never reached. Nothing is stored; try later.
            OutcomeUnknownError: The reply was lost at the last attempt; it says how to find out.

        Source: limits of TransactWriteItems, AWS API reference; see `eventstore.limits`.
        """
        validation.check_append(aggregate, events, expected_version)
        prepared = commit.prepare(
            aggregate,
            events,
            expected_version,
            self._stamp(len(events)),
            self._tables,
            index_shards=self._record.index_shards,
            embed_max_bytes=self._options.embed_max_bytes,
        )
        return self._send(prepared)

    def read(
        self,
        aggregate_id: str,
        *,
        after: int = 0,
        until: int | None = None,
        backwards: bool = False,
        limit: int | None = None,
        consistent: bool = True,
    ) -> Iterator[RecordedEvent]:
        """Read one aggregate's events lazily, a page of at most 1 MB in memory at a time.

        Args:
            aggregate_id: The aggregate; one that has no events yields nothing.
            after: Only events with greater sequence numbers.
            until: Only events up to this sequence number.
            backwards: Newest first.
            limit: At most so many events.
            consistent: False halves the price and may miss the newest events.

        Raises:
            InvalidInputError: The range is reversed, or the id cannot be one.
            CorruptRowError: A stored row cannot be read.
            TryLaterError: DynamoDB did not answer in time; reading again is safe.
        """
        validation.check_aggregate_id(aggregate_id)
        span = history.Span(after=after, until=until, backwards=backwards, limit=limit, consistent=consistent)
        return history.read(self._client, self._tables, aggregate_id, span, self._runtime, self._options.read_backoff)

    def load(self, aggregate_id: str) -> list[RecordedEvent]:
        """Return all events of one aggregate, oldest first, by consistent reads; empty for one that does not exist.

        Raises:
            As `read`.
        """
        return list(self.read(aggregate_id))

    def current_version(self, aggregate_id: str) -> int:
        """Return how many events an aggregate has, by one consistent read of its last one.

        Raises:
            As `read`.
        """
        return next((event.sequence_number for event in self.read(aggregate_id, backwards=True, limit=1)), 0)

    def latest_of_day(self, day: str, *, limit: int, since_ms: int = 0) -> list[RecordedEvent]:
        """Return the newest events of one day, oldest first, from the eventually consistent time index.

        Args:
            day: UTC day, `YYYY-MM-DD`.
            limit: At most so many events, the newest.
            since_ms: Only events with this timestamp or a later one.

        Raises:
            As `read`.
        """
        return latest.of_day(
            self._client,
            self._tables,
            latest.Window(day, since_ms, limit),
            self._record.index_shards,
            self._runtime,
            self._options.read_backoff,
        )

    def _stamp(self, count: int) -> commit.Stamp:
        return commit.Stamp(
            commit_id=uuid7(self._runtime),
            event_ids=tuple(uuid7(self._runtime, counter=index) for index in range(count)),
            now_ms=self._runtime.now_ms(),
            epoch=self._record.epoch,
        )

    def _send(self, prepared: commit.PreparedCommit) -> AppendResult:
        """Send the frozen request until it is decided or the attempts are used up."""
        backoff = self._options.append_backoff
        maybe_stored = False
        last: DynamoError | None = None
        for attempt in range(1, backoff.attempts_max + 1):
            if attempt > 1:
                self._runtime.sleep(backoff.delay_seconds(attempt - 1, self._runtime.uniform()))
            try:
                dynamo.call(self._client.transact_write_items, **prepared.request)
                return self._result(prepared, attempt, already_stored=False)
            except OutcomeLostError as error:
                maybe_stored, last = True, error
            except NotAppliedError as error:
                last = error
            except TransactionCancelledError as error:
                last = error
                if self._settles(error, prepared):
                    return self._result(prepared, attempt, already_stored=True)
            except DynamoError as error:
                raise dynamo.public_error(error, table=self._tables.events) from error
        if maybe_stored:
            raise OutcomeUnknownError(prepared.aggregate.id, commit_id=prepared.commit_id) from last
        if isinstance(last, NotAppliedError) and not last.reached:
            raise UnreachableError(f"DynamoDB was not reached: {last}. Check the endpoint, or run `make up`") from last
        raise ThrottledError(
            f"the append to aggregate {prepared.aggregate.id!r} was refused {backoff.attempts_max} times ({last})",
            retry_after_seconds=backoff.cap_seconds,
        ) from last

    def _settles(self, error: TransactionCancelledError, prepared: commit.PreparedCommit) -> bool:
        """Tell whether the refusal says that our commit is stored; raise when it says that it never will be."""
        match verdict.judge(error.reasons, prepared):
            case verdict.AlreadyStored():
                return True
            case verdict.Retry():
                return False
            case verdict.OtherType(actual):
                raise AggregateTypeError(
                    prepared.aggregate.id,
                    expected=prepared.aggregate.type,
                    actual=actual,
                ) from error
            case verdict.OtherVersion():
                raise WrongExpectedVersionError(
                    prepared.aggregate.id,
                    expected=prepared.expected_version,
                    actual=self.current_version(prepared.aggregate.id),
                ) from error
            case verdict.Defect(code, message):
                raise RequestRefusedError(code, message) from error

    @staticmethod
    def _result(prepared: commit.PreparedCommit, attempts: int, *, already_stored: bool) -> AppendResult:
        return AppendResult(
            aggregate=prepared.aggregate,
            commit_id=prepared.commit_id,
            first_sequence=prepared.events[0].sequence_number,
            version=prepared.events[-1].sequence_number,
            already_stored=already_stored,
            attempts=attempts,
        )

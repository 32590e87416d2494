"""The event store: append events to an aggregate, and read them back."""

from collections.abc import Iterator, Sequence

from eventstore import appender, commit, history, latest, store_record, validation
from eventstore.context import StoreContext, StoreOptions
from eventstore.decoding import OnCorrupt
from eventstore.ids import uuid7
from eventstore.model import AggregateRef, AppendResult, NewEvent, RecordedEvent
from eventstore.ports import DynamoClient, Runtime
from eventstore.system import SystemRuntime
from eventstore.table_names import TableNames


class EventStore:
    """Stores events once and in order, each commit together with its outbox row. Threads may share one store."""

    def __init__(self, context: StoreContext) -> None:
        """Prefer `EventStore.open`, which reads what is in force from the tables."""
        self._context = context

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
        return cls(StoreContext(client, tables, record, options, runtime))

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
            self._context.tables,
            index_shards=self._context.record.index_shards,
            embed_max_bytes=self._context.options.embed_max_bytes,
        )
        return appender.send(self._context, prepared)

    def read(
        self,
        aggregate_id: str,
        *,
        after: int = 0,
        until: int | None = None,
        backwards: bool = False,
        limit: int | None = None,
        consistent: bool = True,
        on_corrupt: OnCorrupt = None,
    ) -> Iterator[RecordedEvent]:
        """Read one aggregate's events lazily, a page of at most 1 MB in memory at a time.

        Args:
            aggregate_id: The aggregate; one that has no events yields nothing.
            after: Only events with greater sequence numbers.
            until: Only events up to this sequence number.
            backwards: Newest first.
            limit: At most so many events.
            consistent: False halves the price and may miss the newest events.
            on_corrupt: Told of each row that cannot be read, which is passed over; None raises instead.

        Raises:
            InvalidInputError: The range is reversed, or the id cannot be one.
            CorruptRowError: A stored row cannot be read.
            TryLaterError: DynamoDB did not answer in time; reading again is safe.
        """
        validation.check_aggregate_id(aggregate_id)
        span = history.Span(after=after, until=until, backwards=backwards, limit=limit, consistent=consistent)
        return history.read(self._context, aggregate_id, span, on_corrupt)

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
        validation.check_aggregate_id(aggregate_id)
        return history.current_version(self._context, aggregate_id)

    def latest_of_day(self, day: str, *, limit: int, since_ms: int = 0) -> list[RecordedEvent]:
        """Return the newest events of one day, oldest first, from the eventually consistent time index.

        Args:
            day: UTC day, `YYYY-MM-DD`.
            limit: At most so many events, the newest.
            since_ms: Only events with this timestamp or a later one.

        Raises:
            As `read`.
        """
        return latest.of_day(self._context, latest.Window(day, since_ms, limit))

    def _stamp(self, count: int) -> commit.Stamp:
        return commit.Stamp(
            commit_id=uuid7(self._context.runtime),
            event_ids=tuple(uuid7(self._context.runtime, counter=index) for index in range(count)),
            now_ms=self._context.runtime.now_ms(),
            epoch=self._context.record.epoch,
        )

"""The event store: append events to an aggregate, and read them back.

What append, read and load do not need is imported by the methods that do: a function that is called a thousand times a
day has to start soon, and most programs only append and load.
"""

from __future__ import annotations  # names below TYPE_CHECKING stand in signatures alone

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from eventstore import limits, validation
from eventstore.append.appender import Appender, Call
from eventstore.append.metrics import StoreMetrics
from eventstore.context import StoreClient, StoreContext, StoreOptions
from eventstore.dynamodb import replies, store_record
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import InvalidInputError
from eventstore.event_codec import AppendableEvent, OnCorrupt
from eventstore.event_metadata import current_traceparent
from eventstore.expectation import Expectation
from eventstore.model import AggregateRef, Append, AppendResult, RecordedEvent
from eventstore.payload.row_write import RowWrite
from eventstore.ports import ClosableClient, DynamoClient, Flag, Runtime
from eventstore.read import history
from eventstore.read.pages import Span
from eventstore.system import SystemRuntime
from eventstore.timeline.run_memory import RunMemory
from eventstore.transport import forks

if TYPE_CHECKING:
    from eventstore.append.bulk import AppendOutcome, OnBulkProgress, Send
    from eventstore.schema import EventTypes, SchemaReport
    from eventstore.schema.check import OnScanned
    from eventstore.search.client import SearchClient
    from eventstore.search.event_search import EventSearch
    from eventstore.search.options import SearchOptions
    from eventstore.timeline.follower import EventStream, OnTrouble
    from eventstore.timeline.query import EventQuery
    from eventstore.timeline.reader import Page
    from eventstore.verify import Finding
    from eventstore.verify.counts import StoreStats
    from eventstore.verify.verifier import OnWalked
    from eventstore.walk import EventWalk


class EventStore:
    """Stores events once and in order, each commit together with its outbox row.

    Threads may share one store. It may be opened before a fork: each process then has connections and a limiter of its
    own. `with` closes it at the end, and so does `close`; a process that ends may leave that out.
    """

    def __init__(self, context: StoreContext) -> None:
        """Prefer `EventStore.open`, which reads the settings in force from the tables."""
        self._client = StoreClient(context.client)
        self._own_client: ClosableClient | None = None
        self._context = replace(context, client=self._client)
        self._appender = Appender(context, self._client.check)  # what it has sent it brings to an end, closed or not
        self._runs = RunMemory(context.runtime, context.runtime.lock())

    @classmethod
    def from_environment(
        cls,
        *,
        options: StoreOptions | None = None,
        runtime: Runtime | None = None,
        events: EventTypes | None = None,
    ) -> Self:
        """Open the store that the environment names, as the commands do; `close` then closes its connections, too.

        The variables are those of `docs/reference/settings.md`: `EVENTSTORE_DYNAMODB_ENDPOINT_URL`,
        `EVENTSTORE_AWS_REGION`, `EVENTSTORE_TABLE_PREFIX` and the others, from the environment, else from the file that
        `EVENTSTORE_ENV_FILE` names, else from `.local/env` when it is there. With none set it is AWS, as boto3 is
        configured, and tables named `inventory_…`. For other bounds of the connections use `connect` and `open`.

        Args:
            options: As in `open`.
            runtime: As in `open`.
            events: As in `open`.

        Raises:
            SetUpError: A variable is wrong; it names all that are, and what to set.
            As `open`, and `connect`.
        """
        from eventstore import settings
        from eventstore.dynamodb import connection

        chosen = settings.load()
        client = connection.connect(chosen.endpoint)
        try:
            store = cls.open(client, chosen.tables, options=options, runtime=runtime, events=events)
        except BaseException:
            client.close()
            raise
        store._own_client = client  # noqa: SLF001 - of its own class
        return store

    @classmethod
    def open(
        cls,
        client: DynamoClient,
        tables: TableNames | None = None,
        *,
        options: StoreOptions | None = None,
        runtime: Runtime | None = None,
        events: EventTypes | None = None,
    ) -> Self:
        """Open a store whose tables exist; one consistent read gets its epoch and its index shards.

        Args:
            client: boto3's low-level DynamoDB client, best made by `eventstore.connect`, or the in-memory one. It stays
                the caller's: `close` leaves it open.
            tables: Names of the tables; `inventory_…` when left out.
            options: How the store behaves.
            runtime: Clock, waiting and randomness; the machine's own when left out.
            events: Event types with their upcasters, classes and JSON Schemas; plain dicts alone when left out.

        Raises:
            InvalidInputError: A registered class could not be read back; it says what to change.
            TableMissingError: Run `eventstore init` first.
            UnreachableError: DynamoDB did not answer.
            AccessDeniedError: Check the credentials.
        """
        tables = tables or TableNames()
        options = options or StoreOptions()
        runtime = runtime or SystemRuntime()
        replies.watch(client)
        forks.renew_connections(client)
        record = store_record.load(Caller(client, runtime, options.read_backoff), tables)
        context = StoreContext(client, tables, record, options, runtime)
        if events is not None:
            from eventstore.schema.decoder import SchemaDecoder
            from eventstore.schema.encoder import SchemaEncoder

            events.build()
            context = replace(context, decoder=SchemaDecoder(events), encoder=SchemaEncoder(events))
        return cls(context)

    def close(self) -> None:
        """Refuse further calls, and close the connections that the store itself opened. Safe to repeat.

        What is on its way goes on to its end. A repository, a search or a stream on the store ends with it: its next
        call is an `InvalidInputError`. The client that was given to `open` stays open.
        """
        self._client.refuse()
        if self._own_client is not None:
            self._own_client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def context(self) -> StoreContext:
        """The store's parts, for what is built on top of a store."""
        return self._context

    def append(
        self,
        aggregate: AggregateRef,
        events: Sequence[AppendableEvent],
        *,
        expected_version: int | Expectation,
        idempotency_key: str | None = None,
        command_fingerprint: str | None = None,
        deadline_seconds: float | None = None,
        also: Sequence[RowWrite] = (),
    ) -> AppendResult:
        """Append events to one aggregate, all or none; they are owed to bus and index from that moment on.

        One TransactWriteItems: a row per event, the outbox row, and a check that event number `expected_version`
        exists with this aggregate's type. Numbering has no holes. With a number nothing is read first; `EXISTS` and
        `ANY` cost a consistent read, and again a read and a transaction whenever another writer was quicker, within
        `StoreOptions.contention_backoff`.

        With an `idempotency_key` a repeat is safe for ever, also from another process, and at a later version: it gets
        the first result, `already_stored`, whatever else has changed since. What counts as the same is types, schema
        versions and payloads; ids, times and metadata may differ. Where these differ, the stored events are read, and
        what upcasters and registered classes make of both is compared, without fields that equal their defaults: a
        repeat is answered after a deploy that added such a field or raised a version. It costs one more row written.

        With `also` rows of the caller's own tables are written in the same transaction, or the append is refused with
        them: a row that reserves an e-mail address, for example. They are no part of what a key stands for: a repeat
        gets the first result, whatever `also` says now, and writes no row. Put what matters into the events, or into
        `command_fingerprint`.

        Args:
            aggregate: The aggregate; created by its first append.
            events: 1 to 98 (97 with a key), less one per row of `also`, oldest first; each at most 400 KB encoded,
                together with all other rows at most 4 MB. `NewEvent`s, or what the store's `EventTypes` take.
            expected_version: How many events the caller believes the aggregate has, `NO_EVENTS` (0) for a new one; or
                `EXISTS`, or `ANY`.
            idempotency_key: 1 to 1,024 bytes of UTF-8; scope: the aggregate.
            command_fingerprint: What the key stands for besides the events, such as a digest of the command: text of 1
                to 1,024 bytes, kept with the key. A repeat under another one is refused, also with the same events.
            deadline_seconds: Nothing is sent after this time, more than 0; by default
                `StoreOptions.append_deadline_seconds`.
            also: `RowPut`, `RowUpdate`, `RowDelete` and `RowCheck` of tables in the store's account and Region, none of
                the store's own, each of another row.

        Returns:
            The new version, and whether an earlier attempt or call had already stored it. `result.wait_settled` waits
            until bus and index have it.

        Raises:
            InvalidInputError: An argument cannot be stored, or could not be read back by its registered class; it names
                the field. Nothing was sent; or DynamoDB refuses a write of `also` as malformed, and nothing was stored.
            RowConditionError: The condition of a row in `also` does not hold; it says of which. Nothing was stored.
            IdempotencyConflictError: The key stands for other content. Nothing was stored.
            WrongExpectedVersionError: Another writer came first. Load the aggregate and decide again.
            AggregateTypeError: The id belongs to another type. Use another id.
            ThrottledError: Attempts, time, or room in the queue were used up. Nothing is stored; it says when to try
                again.
            UnreachableError: DynamoDB was never reached. Nothing is stored; try later.
            OutcomeUnknownError: The reply was lost at the last attempt. With a key: repeat the call. Without: it says
                how to find out.
            CorruptRowError: An outbox row without its events, or a damaged key row, is in the way.

        Every case is a row of `docs/reference/append-decisions.md`.

        Source: limits of TransactWriteItems, AWS API reference; see `eventstore.limits`.
        """
        one = Append(aggregate, events, expected_version, idempotency_key, command_fingerprint, also)
        return self._appender.append([one], Call(deadline_seconds, current_traceparent()))[0]

    def append_many(
        self,
        appends: Sequence[Append],
        *,
        deadline_seconds: float | None = None,
        also: Sequence[RowWrite] = (),
    ) -> list[AppendResult]:
        """Append to several aggregates in one transaction, all or none.

        Each aggregate gets a commit of its own, with its own outbox row, check and key row. Bus and index get each of
        them for itself: what is atomic here is the store.

        Args:
            appends: Each of another aggregate; at most 100 actions together. An append counts its events, one for its
                outbox row, one for its check (unless it expects `NO_EVENTS`), one for its key and one for each row
                of its `also`. All have keys or none has.
            deadline_seconds: As in `append`.
            also: As in `append`, for rows that belong to no single one of the appends; an action each.

        Returns:
            One result per append, in the same order.

        Raises:
            LimitExceededError: More than 100 actions, or more than 4 MB. Nothing was sent.
            As `append`: `aggregate_id`, or `field` as `appends[2].…`, says which one; all are refused with it. Where
            only some of the keys were used before, it is an `IdempotencyConflictError`.
        """
        validation.check_together(appends)
        fields = [f"appends[{index}]." for index in range(len(appends))]
        return self._appender.append(appends, Call(deadline_seconds, current_traceparent(), fields, also))

    def append_all(
        self,
        appends: Iterable[Append],
        *,
        concurrency: int = 8,
        deadline_seconds: float | None = None,
        progress: OnBulkProgress | None = None,
    ) -> Iterator[AppendOutcome]:
        """Append many independent commits, several at a time; a refusal affects only one of them. For imports.

        Outcomes come in input order, each as soon as it and those before it are known, also while the input has
        nothing to give: it is read in a thread of its own, with the caller's context variables. Appends of one
        aggregate are sent one after the other, in their order, also when one before them was refused. At most four
        appends per unit of concurrency are read ahead, so that an input of any length takes little memory. Nothing is
        sent until the iterator is used; one that is closed early waits for what is on its way, and sends no more: what
        the input gives after that is dropped. An error of the input, and one that is no `EventStoreError`, is raised
        behind the outcomes of all that was sent. Give each append an idempotency key, and an import that was stopped
        can simply be run again.

        Args:
            appends: Any number.
            concurrency: Appends on their way at once, 1 to 64, each in a thread of its own.
            deadline_seconds: For each of them, as in `append`.
            progress: Told how far it has come after each outcome, in the caller's thread; outcomes may be counted
                before their turn to be given back.

        Returns:
            One outcome each: a result, or the error that `append` would have raised.

        Raises:
            InvalidInputError: `concurrency` or `deadline_seconds` cannot be.
        """
        from eventstore.append import bulk

        return bulk.run(
            self._context.runtime, self._sender(deadline_seconds), appends, concurrency=concurrency, progress=progress
        )

    def _sender(self, deadline_seconds: float | None) -> Send:
        """Return what carries out one of many appends."""
        if deadline_seconds is not None:
            validation.check_seconds(deadline_seconds, "deadline_seconds")

        def send(append: Append, traceparent: str | None) -> AppendResult:
            return self._appender.append([append], Call(deadline_seconds, traceparent))[0]

        return send

    def wait_settled(self, result: AppendResult, timeout_seconds: float, destination: str | None = None) -> None:
        """Return when bus and index have a commit, so that the caller can read its own writes there.

        Looks at the outbox row, with growing pauses, by TransactGetItems together with an event of the commit (2 read
        units per 4 KB of each). For the index it then waits out one refresh interval,
        `StoreOptions.index_refresh_seconds`.

        Args:
            result: Of an append to this store, also one of another process.
            timeout_seconds: In all, more than 0.
            destination: Its name, such as `bus` or `index`; every destination when left out.

        Raises:
            NotSettledError: Not in time. It is stored and owed, and will come there.
            ParkedError: The destination (or, without one, any) cannot take the commit; a person must look at it.
            InvalidInputError: The commit is not in this store.
        """
        self._appender.wait_settled(result, timeout_seconds, destination)

    def metrics(self) -> StoreMetrics:
        """Return what this store has done since it was opened, and what its limiter is doing now."""
        return self._appender.metrics()

    def read(
        self,
        aggregate: AggregateRef | str,
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
            aggregate: The aggregate, or its id alone; one that has no events yields nothing.
            after: Only events after this sequence number.
            until: Only events up to this sequence number.
            backwards: Newest first.
            limit: Maximum number of events.
            consistent: False halves the price and may miss the newest events.
            on_corrupt: Told of each row that cannot be read, which is passed over; None raises instead.

        Raises:
            InvalidInputError: The range is reversed, or the id cannot be one.
            AggregateTypeError: The aggregate was named with its type, and stored events have another.
            CorruptRowError: A stored row cannot be read.
            TryLaterError: DynamoDB did not answer in time; reading again is safe.
        """
        aggregate = validation.check_named(aggregate)
        span = Span(after=after, until=until, backwards=backwards, limit=limit, consistent=consistent)
        return history.read(self._context, aggregate, span, on_corrupt)

    def load(self, aggregate: AggregateRef | str) -> list[RecordedEvent]:
        """Return all events of one aggregate, oldest first, by consistent reads; empty for one that does not exist.

        Raises:
            As `read`.
        """
        return list(self.read(aggregate))

    def schema_check(self, *, scan: bool = True, on_scanned: OnScanned | None = None) -> SchemaReport:
        """Look for events that this program cannot read, with what it was opened with as `events`.

        Finds missing upcasters, and types without a class. With a scan also: types and versions in the
        store that nothing is registered for, and, by trying one event of each, upcasters and classes that fail.

        Args:
            scan: Look into the table: an eventually consistent scan, half a read unit per 4 KB stored.
            on_scanned: Told after each page how many events have been counted.

        Raises:
            InvalidInputError: The store was opened without `events`.
            TryLaterError: DynamoDB did not answer in time.
        """
        from eventstore.schema import check

        return check.check(self._context, scan=scan, on_scanned=on_scanned)

    def current_version(self, aggregate: AggregateRef | str) -> int:
        """Return how many events an aggregate has, by one consistent read of its last one.

        Raises:
            As `read`.
        """
        aggregate = validation.check_named(aggregate)
        return history.current_version(self._context, aggregate)

    def read_type(
        self,
        event_type: str,
        *,
        from_ms: int | datetime | None = None,
        until_ms: int | datetime | None = None,
        backwards: bool = False,
        limit: int | None = None,
        on_corrupt: OnCorrupt = None,
    ) -> Iterator[RecordedEvent]:
        """Read the events of one type, of all aggregates, lazily, in order of time, aggregate id and number.

        Which events there are comes from an eventually consistent index: an event shows up a moment after its append.
        What they hold is read consistently from the table. In memory are at most 1,000 keys of each write shard and
        100 events, and of events with the very same timestamp 100,000 keys (20 MB).

        Costs a Query per write shard and 1,000 keys in it (about 0.01 read units a key), and a BatchGetItem per 100
        events (a read unit per 4 KB of each event). An event type that changed its name is read by each name. Write
        shards that were raised while this store was open are known within 30 seconds, for a read unit each time.

        Args:
            event_type: As it was stored.
            from_ms: Only events with this timestamp or a later one: ms since 1970 UTC, or a `datetime` with a zone.
            until_ms: Only events with an earlier timestamp than this, as above.
            backwards: Newest first.
            limit: Maximum number of rows.
            on_corrupt: Told of each row that cannot be read, which is passed over; None raises instead.

        Raises:
            InvalidInputError: The range is reversed, or an argument cannot be one.
            IndexMissingError: The table was made without this index.
            CorruptRowError: A stored row cannot be read.
            TryLaterError: DynamoDB did not answer in time; reading again is safe.
        """
        from eventstore.timeline import reader
        from eventstore.timeline.query import ByType

        return reader.read(self._context, ByType(event_type, from_ms, until_ms, backwards), limit, on_corrupt)

    def read_aggregate_type(
        self,
        aggregate_type: str,
        *,
        from_ms: int | datetime | None = None,
        until_ms: int | datetime | None = None,
        backwards: bool = False,
        limit: int | None = None,
        on_corrupt: OnCorrupt = None,
    ) -> Iterator[RecordedEvent]:
        """Read the events of all aggregates of one type; otherwise like `read_type`, errors and costs included."""
        from eventstore.timeline import reader
        from eventstore.timeline.query import ByAggregateType

        query = ByAggregateType(aggregate_type, from_ms, until_ms, backwards)
        return reader.read(self._context, query, limit, on_corrupt)

    def read_between(
        self,
        from_ms: int | datetime,
        until_ms: int | datetime,
        *,
        backwards: bool = False,
        limit: int | None = None,
        on_corrupt: OnCorrupt = None,
    ) -> Iterator[RecordedEvent]:
        """Read all events of a time range, lazily, in order of time, aggregate id and number.

        As `read_type`, from an index that has a key for each day: a day costs a Query per write shard also when
        nothing happened on it. A year costs 365 x 4 Queries of half a read unit with 4 write shards, one after the
        other, so that an empty year takes seconds.

        Args:
            from_ms: Only events with this timestamp or a later one: ms since 1970 UTC, or a `datetime` with a zone.
            until_ms: Only events with an earlier timestamp than this, as above; at most 3,660 days later.
            backwards: Newest first.
            limit: Maximum number of rows.
            on_corrupt: Told of each row that cannot be read, which is passed over; None raises instead.

        Raises:
            LimitExceededError: The range has more than 3,660 days.
            As `read_type`.
        """
        from eventstore.timeline import reader
        from eventstore.timeline.query import ByTime

        return reader.read(self._context, ByTime(from_ms, until_ms, backwards), limit, on_corrupt)

    def read_page(
        self,
        query: EventQuery,
        *,
        size: int = 100,
        token: str | None = None,
        on_corrupt: OnCorrupt = None,
    ) -> Page:
        """Read one page of the events of all aggregates, with a token that gives the next.

        A token is good for the query it came from, in any process, for as long as the events are there. Events that
        are added meanwhile move nothing: none is given twice, and those behind the page's end come with later pages.
        A page costs as many requests as reading that many events, and on its way past days without events one Query
        per write shard and day.

        The keys of events with the very same timestamp are all read by the page that comes to them, and remembered by
        this store, 100,000 (20 MB) for up to a minute: later pages do not read them again, in any number. An event that
        is stored with that timestamp meanwhile may not be seen by them.

        Args:
            query: `ByType`, `ByAggregateType` or `ByTime`.
            size: Maximum number of events, 1 to 1,000.
            token: `Page.token` of the page before; None for the first.
            on_corrupt: Told of each row that cannot be read, which is passed over; None raises instead.

        Raises:
            InvalidTokenError: The token is damaged, of another query, or of another version of this library.
            As `read_type`.
        """
        from eventstore.timeline import reader

        return reader.read_page(self._context, self._runs, query, size, token, on_corrupt)

    def read_all(
        self,
        token: str | None = None,
        *,
        segments: int | None = None,
        segment: int | None = None,
        consistent: bool = True,
        on_corrupt: OnCorrupt = None,
    ) -> EventWalk:
        """Read all events from the beginning, lazily: to build a read model, or to take everything elsewhere.

        Of each aggregate the events come in order, from number 1 on, without holes and in whole commits. Across
        aggregates there is no order, and none that is the same the next time. Every event that was stored before the
        walk began is given; of those stored meanwhile some are. `EventWalk.follow_from_ms` is from when
        `stream_events` gives them all.

        `EventWalk.token` resumes it behind the last event given, in any process. An error ends the iterator; begin
        another with its token.

        A Scan of the table, a page of 1 MB at a time: a read unit per 4 KB that the events have, half of one where not
        `consistent`; a read unit and a DescribeTable before it.

        Args:
            token: Goes on behind what a walk has given; None for the beginning.
            segments: Parts of the table that are read at the same time, 1 to 64, each by a thread of its own, and with
                a page and 200 events in memory. 1, or as the token says, when left out.
            segment: Only this one of them, from 0, in the caller's thread: so that several processes share the work,
                each with its own token. All when left out.
            consistent: False halves the price, and may miss events that were stored in the last moments before.
            on_corrupt: Told of each row that cannot be read or is missing, which is passed over; None raises instead.

        Raises:
            InvalidTokenError: The token is damaged, of other segments, of another table or a former one of its name,
                or of an epoch before a restore. Begin without token.
            InvalidInputError: Segments that cannot be.
            CorruptRowError: A stored row cannot be read, or is missing for good.
            TryLaterError: DynamoDB did not answer in time; go on with the walk's token.
        """
        from eventstore.walk import event_walk

        return event_walk.walk(
            self._context, token, segments=segments, segment=segment, consistent=consistent, on_corrupt=on_corrupt
        )

    def aggregates(self, aggregate_type: str | None = None) -> Iterator[AggregateRef]:
        """Give all aggregates, or those of one type, with id and type, lazily; no event is read.

        From the keys of an index, in no order, each once; an aggregate shows up a moment after its first append. In
        memory is a page.

        Costs half a read unit per 4 KB of keys, each about 110 bytes for an id that is a UUID: 72 events of these
        aggregates for a read unit, however large they are, and a Query per write shard or a Scan at least.

        Args:
            aggregate_type: As it was stored; all types when left out.

        Raises:
            InvalidInputError: The type is empty, or not text.
            IndexMissingError: The table was made without `AggregateTypeIndex`; `read_all` does without.
            TryLaterError: DynamoDB did not answer in time; ask again.
        """
        from eventstore.timeline.query import ByAggregateType
        from eventstore.walk import aggregate_ids

        kind = None if aggregate_type is None else ByAggregateType(aggregate_type).aggregate_type
        return aggregate_ids.aggregates(self._context, kind)

    def stream_events(
        self,
        from_ms: int | datetime,
        *,
        follow: bool = False,
        overlap_seconds: float = limits.FOLLOW_OVERLAP_SECONDS_DEFAULT,
        poll_seconds: float = limits.FOLLOW_POLL_SECONDS_DEFAULT,
        stop: Flag | None = None,
        on_corrupt: OnCorrupt = None,
        on_trouble: OnTrouble = None,
    ) -> EventStream:
        """Read all events from a moment on, across days, up to now; with `follow`, also new ones.

        A follower looks again every `poll_seconds`, and each look begins `overlap_seconds` before the time of the one
        before it, since the index shows events late and writers' clocks differ. It drops what it has given, which it
        remembers for that stretch, at most 100,000 events; with more of them it gives nothing twice, and looks back
        less. An event that shows up later than the overlap, or is stored with an older timestamp, is not given; one
        from a clock that is ahead of ours by more than the overlap comes when its time has come. Among the events of
        different looks order is by arrival. For a feed that may miss nothing, consume the bus.

        A follower outlives times in which DynamoDB does not answer: it continues with its next look. It outlives a wall
        clock that is set back: it looks back as far as the clock now says, and gives none of the last 10,000 events
        again. `EventStream.resume_ms` is the `from_ms` with which another stream goes on where this one is.

        A look costs a Query per write shard, twice as many around midnight UTC, a read unit for the number of write
        shards, and a BatchGetItem per 100 new events.

        Args:
            from_ms: Only events with this timestamp or a later one: ms since 1970 UTC, or a `datetime` with a zone; at
                most 3,660 days ago.
            follow: Go on until `stop` is raised.
            overlap_seconds: How far each look goes back, 0 to 3,600.
            poll_seconds: Pause between two looks, more than 0.
            stop: Ends the stream, also while it waits.
            on_corrupt: Told of each row that cannot be read, which is passed over; None raises instead. A follower
                may tell of a corrupt entry of the index at each look.
            on_trouble: Told of each look of a follower that DynamoDB did not answer.

        Returns:
            The events, and how far they have come.

        Raises:
            TryLaterError: DynamoDB did not answer in time; only without `follow`.
            As `read_between`.
        """
        from eventstore.timeline import follower

        following = follower.Following(overlap_seconds, poll_seconds)
        return follower.stream(
            self._context, from_ms, following, follow=follow, stop=stop, on_corrupt=on_corrupt, on_trouble=on_trouble
        )

    def verify(
        self,
        aggregate_id: str | None = None,
        *,
        since_ms: int | datetime | None = None,
        event_ids_max: int = limits.VERIFY_EVENT_IDS_MAX_DEFAULT,
        progress: OnWalked = lambda _: None,
    ) -> Iterator[Finding]:
        """Check stored data for inconsistencies, and yield findings as they are found; changes nothing.

        Of each aggregate: numbers 1, 2, 3 … without holes, whole commits, one type, readable rows, index keys under
        which reads by type and time find each event; timestamps that run backwards are a note. Of all together: no
        event id twice. Outbox rows owe events that exist and say the same; idempotency keys name commits that exist.

        What may be a commit that is just being stored is looked at up to three times before it is called a fault.
        In memory are a page of rows, the place reached in one aggregate, and the last `event_ids_max` event ids (about
        100 bytes each, for a moment 160). When there are more, a note says within how many a second use was looked for.

        Args:
            aggregate_id: Only this aggregate with what outbox and idempotency say of it: a few consistent Queries.
            since_ms: Only aggregates with an event of this time (ms since 1970 UTC, or a `datetime` with a zone) or a
                later one, each with its whole history, and all of the outbox. Which they are comes from the time index:
                an event that was stored with an older timestamp, or whose index key is wrong, is not seen. Costs as
                `read_between` to now, and two Queries per aggregate. With neither, a consistent Scan of events,
                outbox and idempotency: a read unit per 4 KB that the store has.
            event_ids_max: How many event ids are remembered.
            progress: Told after each page.

        Raises:
            InvalidInputError: Both an aggregate and a time were given, or one of them cannot be one.
            IndexMissingError: The table was made without the time index, and `since_ms` was given.
            TryLaterError: DynamoDB did not answer in time; verify again.
        """
        from eventstore.timeline import reader
        from eventstore.verify.event_ids import EventIds
        from eventstore.verify.verifier import Verifier

        if aggregate_id is not None and since_ms is not None:
            raise InvalidInputError("since_ms", "is given together with an aggregate: choose one of them")
        reader.check_count(event_ids_max, "event_ids_max")
        walk = Verifier(self._context, EventIds(event_ids_max), progress)
        if aggregate_id is not None:
            return walk.one(validation.check_aggregate_id(aggregate_id))
        if since_ms is not None:
            return walk.since(walk.query_since(since_ms))
        return walk.everything()

    def stats(self, *, progress: OnWalked = lambda _: None) -> StoreStats:
        """Count the store: events by type, aggregate type and day with their sizes, aggregates, commits, owed commits.

        An eventually consistent Scan of events, outbox and idempotency: half a read unit per 4 KB that they hold. In
        memory are a page of rows and the sums.

        Args:
            progress: Told after each page.

        Raises:
            TryLaterError: DynamoDB did not answer in time; count again.
        """
        from eventstore.verify import counter

        return counter.count(self._context, progress)

    def latest_of_day(self, day: str, *, limit: int, since_ms: int | datetime = 0) -> list[RecordedEvent]:
        """Return the newest events of one day, oldest first, from the eventually consistent time index.

        Args:
            day: UTC day, `YYYY-MM-DD`.
            limit: Maximum number of events, the newest ones.
            since_ms: Only events with this timestamp or a later one, as in `read_type`.

        Raises:
            As `read`.
        """
        from eventstore.timeline import reader
        from eventstore.timeline.query import of_day

        query = of_day(day, since_ms)
        newest_first = list(reader.read(self._context, query, limit))
        return newest_first[::-1]

    def search(self, client: SearchClient, options: SearchOptions | None = None) -> EventSearch:
        """Return a search over the index that the relay fills from this store; nothing is sent yet.

        Args:
            client: `eventstore.search.elasticsearch.ElasticsearchSearch`, or `eventstore.testing.InMemorySearch`.
            options: Where to look, what is promoted, and bounds; as the relay's settings say.
        """
        from eventstore.search.event_search import EventSearch

        return EventSearch(client, options, context=self._context)

"""Walks over a store, or a part of it, and reports inconsistencies.

A walk reads while writers write. Rows of one commit may become readable one by one, and a Scan promises no order among
its pages. So whatever may pass is seen several times over before it is called a fault: an aggregate that seems to lack
something is read again by Queries of its own, with pauses. What is still missing then is asked for in a transaction,
which no commit that is being stored can blur, and only what is wrong even so is reported.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Protocol

from eventstore import limits
from eventstore.context import StoreContext
from eventstore.dynamodb import transact_get
from eventstore.errors import CorruptRowError
from eventstore.payload import moments
from eventstore.read import gapless
from eventstore.read.pages import Span, pages
from eventstore.rows import idempotency
from eventstore.rows import outbox as outbox_row
from eventstore.rows.item import Item, row_key
from eventstore.timeline import reader, whole_events
from eventstore.timeline.place import batches
from eventstore.timeline.query import DAY_MS, ByTime
from eventstore.verify import scan
from eventstore.verify.debt_rules import judge_key, judge_outbox
from eventstore.verify.event_ids import EventIds
from eventstore.verify.finding import Finding, FindingKind, fault, note
from eventstore.verify.history_rules import HistoryRules

FINDINGS_MAX_PER_AGGREGATE = 1_000
LOOKS_MAX = 3
"""How often something is looked at before it is called a fault."""

LOOK_PAUSE_SECONDS = 0.1
"""A transaction takes milliseconds to become readable as a whole."""

_MAY_PASS = frozenset(
    {
        FindingKind.HOLE,
        FindingKind.BROKEN_COMMIT,
        FindingKind.OUTBOX_WITHOUT_EVENTS,
        FindingKind.KEY_WITHOUT_COMMIT,
    },
)
"""What a commit that is being stored can look like for a moment. Rows never change, so the rest is as it looks."""

_REMEMBERED_AGGREGATES = 100_000


class _Look(Protocol):
    def __call__(self, *, is_last: bool) -> Iterator[Finding]:
        """Yield what a check finds; the last look asks in a transaction."""
        ...


@dataclass(frozen=True, slots=True)
class WalkProgress:
    """The progress of a walk.

    Attributes:
        events: Events looked at.
        aggregates: Aggregates looked at.
        other_rows: Rows of outbox and idempotency looked at.
    """

    events: int
    aggregates: int
    other_rows: int


OnWalked = Callable[[WalkProgress], None]
"""Told after each page how far a walk over a store has come."""


class Verifier:
    """One walk.

    Args:
        context: The store.
        event_ids: Remembers the ids of events.
        progress: Told after each page.
    """

    def __init__(self, context: StoreContext, event_ids: EventIds, progress: OnWalked) -> None:
        self._context = context
        self._index_shards = context.record.index_shards
        self._ids = event_ids
        self._on_progress = progress
        self._events = 0
        self._aggregates = 0
        self._other_rows = 0

    def everything(self) -> Iterator[Finding]:
        """Yield what is found in the whole store."""
        self._ask_for_shards()
        yield from self._all_histories()
        yield from self._outbox(None)
        yield from self._keys(None)
        yield from self._end()

    def one(self, aggregate_id: str) -> Iterator[Finding]:
        """Yield what is found about one aggregate."""
        self._ask_for_shards()
        yield from self._aggregate(aggregate_id)
        yield from self._outbox(aggregate_id)
        yield from self._end()

    def query_since(self, since_ms: int | datetime) -> ByTime:
        """Return the query for events of this time or a later one, up to what clocks ahead of ours can have stored.

        Raises:
            InvalidInputError: It is not a moment, or more than 3,660 days ago.
        """
        since_ms = moments.to_ms(since_ms, "since_ms")
        ByTime(since_ms, since_ms)  # says what is wrong with it
        return ByTime(since_ms, max(since_ms, self._context.runtime.now_ms() + DAY_MS))

    def since(self, query: ByTime) -> Iterator[Finding]:
        """Yield what is found about aggregates that have events of a stretch of time, and in the whole outbox."""
        self._ask_for_shards()
        checked: set[str] = set()
        # an index entry that cannot be read belongs to a row that the aggregate's own look will find
        for place in reader.places(self._context, query, on_corrupt=lambda _: None):
            if place.aggregate_id in checked:
                continue
            if len(checked) == _REMEMBERED_AGGREGATES:  # some will be checked twice, so their ids must go as well
                checked.clear()
                self._ids.forget()
            checked.add(place.aggregate_id)
            yield from self._aggregate(place.aggregate_id)
        yield from self._outbox(None)
        yield from self._end()

    def _aggregate(self, aggregate_id: str) -> Iterator[Finding]:
        yield from self._history(aggregate_id)
        yield from self._keys(aggregate_id)

    def _all_histories(self) -> Iterator[Finding]:
        current: str | None = None
        rules: HistoryRules | None = None
        found: list[Finding] = []
        for item in self._count_events(scan.rows(self._context, self._context.tables.events, each_page=self._tell)):
            aggregate_id = item["aggregateId"]["S"]
            if rules is None or aggregate_id != current:
                yield from self._close(current, rules, found)
                current, rules, found = aggregate_id, self._rules(aggregate_id), []
            yield from self._event_id(item)
            _keep(found, rules.take(item))
        yield from self._close(current, rules, found)

    def _close(self, aggregate_id: str | None, rules: HistoryRules | None, found: list[Finding]) -> Iterator[Finding]:
        if aggregate_id is None or rules is None:
            return
        self._aggregates += 1
        _keep(found, rules.end())
        if _may_pass(found) or self._have_been_raised(rules.highest_shard):
            found = self._look_again(partial(self._judge_history, aggregate_id))
        yield from found

    def _history(self, aggregate_id: str) -> Iterator[Finding]:
        """Yield what is found in one aggregate's history, its event ids included."""
        rows = self._count_events(self._rows_of(aggregate_id, each_page=self._tell))
        rules, found = self._rules(aggregate_id), list[Finding]()
        for item in rows:
            yield from self._event_id(item)
            _keep(found, rules.take(item))
        yield from self._close(aggregate_id, rules, found)

    def _judge_history(self, aggregate_id: str, *, is_last: bool) -> Iterator[Finding]:
        rules = self._rules(aggregate_id)
        for item in self._decided_rows_of(aggregate_id) if is_last else self._rows_of(aggregate_id):
            yield from rules.take(item)
        yield from rules.end()

    def _event_id(self, item: Item) -> Iterator[Finding]:
        event_id = item.get("eventId", {}).get("S")
        if event_id is None:
            return
        aggregate_id, number = item["aggregateId"]["S"], item["sequenceNumber"]["N"]
        earlier = self._ids.meet(event_id, aggregate_id)
        if earlier is not None:
            whole = int(number) if number.isdecimal() else 0
            sentence = f"event id {event_id} is also that of an event of aggregate {earlier!r}"
            yield fault(FindingKind.DUPLICATE_EVENT_ID, aggregate_id, whole, sentence)

    def _outbox(self, aggregate_id: str | None) -> Iterator[Finding]:
        table = self._context.tables.outbox
        for item in scan.rows(self._context, table, aggregate_id, each_page=self._tell_other):
            self._other_rows += 1
            try:
                row = outbox_row.decode(item, table)
            except CorruptRowError as error:
                yield _corrupt(item, error)
                continue
            if row.copy_fault is not None:
                yield fault(FindingKind.CORRUPT_ROW, row.aggregate_id, row.last, row.copy_fault)
            yield from self._look_again(partial(self._judge_outbox, row))

    def _judge_outbox(self, row: outbox_row.OutboxRow, *, is_last: bool) -> Iterator[Finding]:
        table = self._context.tables.events
        if is_last:
            places = [(table, row_key(row.aggregate_id, number)) for number in range(row.first, row.last + 1)]
            items = [item for item in transact_get.items(self._context.caller, places) if item is not None]
        else:
            span = Span(after=row.first - 1, until=row.last)
            items = [item for page in pages(self._context, row.aggregate_id, span) for item in page]
        return judge_outbox(row, items, table)

    def _keys(self, aggregate_id: str | None) -> Iterator[Finding]:
        table = self._context.tables.idempotency
        rows = scan.rows(self._context, table, aggregate_id, each_page=self._tell_other)
        for batch in batches(rows, limits.BATCH_GET_MAX_KEYS):
            self._other_rows += len(batch)
            keys: list[idempotency.KeyRow] = []
            for item in batch:
                try:
                    keys.append(idempotency.decode(item, table))
                except CorruptRowError as error:
                    yield _corrupt(item, error)
            if keys:
                yield from self._look_again(partial(self._judge_keys, keys))

    def _judge_keys(self, keys: list[idempotency.KeyRow], *, is_last: bool) -> Iterator[Finding]:
        wanted = list(dict.fromkeys((key.aggregate_id, key.last) for key in keys))
        rows = [row_key(*each) for each in wanted]
        if is_last:
            table = self._context.tables.events
            items = transact_get.items(self._context.caller, [(table, row) for row in rows])
            there = dict(zip(wanted, items, strict=True))
        else:
            found = whole_events.rows_at(self._context, rows)
            there = {place: found.get((place[0], str(place[1]))) for place in wanted}
        for key in keys:
            yield from judge_key(key, there[key.aggregate_id, key.last])

    def _look_again(self, look: _Look) -> list[Finding]:
        """Return what a check finds, once that can be trusted."""
        for attempt in range(1, LOOKS_MAX + 1):
            found: list[Finding] = []
            _keep(found, look(is_last=attempt == LOOKS_MAX))
            if not _may_pass(found):
                break
            if attempt < LOOKS_MAX:
                self._context.runtime.sleep(LOOK_PAUSE_SECONDS)
        return found

    def _end(self) -> Iterator[Finding]:
        self._tell(0)
        if self._ids.has_forgotten:
            sentence = (
                f"more event ids than can be remembered: a second use of an id was looked for within"
                f" {self._ids.window:,} events; raise event_ids_max to look further"
            )
            yield note(FindingKind.EVENT_IDS_FORGOTTEN, "", 0, sentence)

    def _rules(self, aggregate_id: str) -> HistoryRules:
        return HistoryRules(aggregate_id, self._context.tables.events, self._index_shards)

    def _ask_for_shards(self) -> None:
        self._index_shards = self._context.latest.get(self._context.caller, 0).index_shards

    def _have_been_raised(self, highest_shard: int) -> bool:
        """Tell whether a write shard that was not there yet when it was asked for is there now."""
        if highest_shard < self._index_shards:
            return False
        before = self._index_shards
        self._ask_for_shards()
        return self._index_shards > before

    def _rows_of(self, aggregate_id: str, each_page: Callable[[int], None] = lambda _: None) -> Iterator[Item]:
        return scan.rows(self._context, self._context.tables.events, aggregate_id, each_page=each_page)

    def _decided_rows_of(self, aggregate_id: str) -> Iterator[Item]:
        """Yield the rows of an aggregate; what seems to be missing among them was asked for in a transaction."""
        for found in gapless.rows(self._context, aggregate_id, Span(), looks_max=0):
            if not isinstance(found, gapless.Hole):
                yield found

    def _count_events(self, rows: Iterable[Item]) -> Iterator[Item]:
        for item in rows:
            self._events += 1
            yield item

    def _tell(self, _: int) -> None:
        self._on_progress(WalkProgress(self._events, self._aggregates, self._other_rows))

    def _tell_other(self, _: int) -> None:
        self._tell(0)


def _may_pass(found: list[Finding]) -> bool:
    return any(finding.kind in _MAY_PASS for finding in found)


def _keep(found: list[Finding], more: Iterator[Finding]) -> None:
    """Add findings of one aggregate up to the bound; at the bound say that there are more."""
    room = FINDINGS_MAX_PER_AGGREGATE - len(found)
    found.extend(islice(more, max(room, 0)))
    if len(found) == FINDINGS_MAX_PER_AGGREGATE and (further := next(more, None)) is not None:
        sentence = f"the aggregate has more than {FINDINGS_MAX_PER_AGGREGATE:,} findings; the others are not listed"
        found.append(fault(FindingKind.MORE, further.aggregate_id, further.number, sentence))


def _corrupt(item: Item, error: CorruptRowError) -> Finding:
    number = item.get("sequenceNumber", {}).get("N", "0")
    return fault(
        FindingKind.CORRUPT_ROW,
        item.get("aggregateId", {}).get("S", ""),
        int(number) if number.isdecimal() else 0,
        str(error),
    )

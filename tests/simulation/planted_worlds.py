"""Deliberate bugs that small worlds, flags of servers, epochs and attempts bring to light; see `bugs`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from itertools import islice
from threading import local
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from eventstore.append import appender, transaction
from eventstore.append.appender import Appender
from eventstore.dynamodb import store_record
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.store_record import StoreRecord
from eventstore.rows.item import row_key
from eventstore.timeline.partition_reader import PartitionReader
from relay.delivery.commit import OwedCommit
from relay.delivery.flow import Flow
from relay.delivery.page import Fate
from relay.delivery.settler import Settler
from relay.destination import BUS, Park
from relay.destinations.bus import message, rabbitmq, wire
from relay.destinations.bus.broker import Message
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.rabbitmq import RabbitSession
from relay.destinations.index import bulk_lines
from relay.feed.directory import FeedDirectory
from relay.leases.fleet_table import FleetTable
from relay.operating.parked.reader import MarkReader
from relay.outbox.reader import OutboxReader, ScanPage
from relay.outbox.row import RowId
from relay.outbox.writer import OutboxWriter
from relay.outbox.written import Done
from relay.sweep import sweep as sweeps
from tests.simulation import attempts, certainty, epochs, rabbit, reads_at_rest
from tests.simulation.bugs import planted
from tests.simulation.primitives import SimulatedRuntime

_DRAINS = "everything drains when faults stop"
_READ = "every shard is read to its end"
_SAME = "what arrives is what was written"
_TAKEN = ("a settled commit was taken by every destination", "what is marked as delivered was taken")

# Listings that stop at their first page


def _first_page_alone(method: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @wraps(method)
    def first(*given: Any, **named: Any) -> Iterator[Any]:
        yield next(method(*given, **named))

    return first


@contextmanager
def _only_first_page_in(owner: type[object], name: str) -> Iterator[None]:
    """Let all that a method asks for by pages be one page; what other parts ask for meanwhile is whole."""
    honest, pages, asking = getattr(owner, name), Caller.pages, local()

    @wraps(honest)
    def asks(*given: Any, **named: Any) -> Any:
        asking.is_short = True
        try:
            found = honest(*given, **named)
            return iter(list(found)) if isinstance(found, Iterator) else found
        finally:
            asking.is_short = False

    def some_pages(self: Caller, *given: Any, **named: Any) -> Iterator[Any]:
        every = pages(self, *given, **named)
        return islice(every, 1) if getattr(asking, "is_short", False) else every

    with patch.object(owner, name, asks), patch.object(Caller, "pages", some_pages):
        yield


@planted("sweep-stops-at-its-first-page", _DRAINS, "a dead worker's shards are carried on")
def _sweep_stops_at_its_first_page() -> Iterator[None]:
    """What stands behind the first page of the outbox is never seen."""
    honest = OutboxReader.scan

    def scan(self: OutboxReader, start: Any, limit: int) -> ScanPage:
        return replace(honest(self, start, limit), next_start=None)

    with patch.object(OutboxReader, "scan", scan):
        yield


@planted(
    "release-stops-at-its-first-page",
    "what is released goes",
    "parked list says what is so",
)
def _release_stops_at_its_first_page() -> Iterator[None]:
    """Marks behind the first page of the outbox are neither listed nor released."""
    with patch.object(MarkReader, "walk", _first_page_alone(MarkReader.walk)):
        yield


@planted(
    "lease-table-stops-at-its-first-page",
    _READ,
    _DRAINS,
    "every worker comes to work",
    "a dead worker's shards are carried on",
    "no part of a relay dies",
    "a worker that stops hands over",
    "every shard is carried while a fault stands",
)
def _lease_table_stops_at_its_first_page() -> Iterator[None]:
    """A worker knows only the leases and workers of the first page of the fleet's records."""
    with _only_first_page_in(FleetTable, "look"):
        yield


@planted("index-partition-stops-at-its-first-page", reads_at_rest.PROMISE)
def _index_partition_stops_at_its_first_page() -> Iterator[None]:
    """Of each write shard of an index a read gives what the first page holds."""
    with _only_first_page_in(PartitionReader, "_entries"):
        yield


@planted("feed-listing-stops-at-its-first-page", _READ, "a checkpoint passes nothing that is owed")
def _feed_listing_stops_at_its_first_page() -> Iterator[None]:
    """Shards that a listing of the feed has behind its first page are never found."""
    honest = FeedDirectory._list

    def first(self: FeedDirectory, stream: Any, **wanted: Any) -> Any:
        asked = self._streams.describe_stream

        class OnePage:
            """The client for streams, with listings of one page."""

            def __getattr__(self, name: str) -> Any:
                return getattr(streams, name)

            def describe_stream(self, **request: Any) -> Any:
                reply = asked(**request)
                reply.get("StreamDescription", {}).pop("LastEvaluatedShardId", None)
                return reply

        streams, self._streams = self._streams, OnePage()  # type: ignore[assignment]
        try:
            return honest(self, stream, **wanted)
        finally:
            self._streams = streams

    with patch.object(FeedDirectory, "_list", first):
        yield


# Limits, flags, and what servers make of them


@planted("only-the-first-event-weighed", "nothing is sent of a commit that can never go")
def _only_the_first_event_weighed() -> Iterator[None]:
    """Whether the broker can take a commit is told by its first event."""
    honest = Bus.unsendable

    def unsendable(self: Bus, row: Any) -> Park | None:
        return honest(self, row if row.events is None else replace(row, events=row.events[:1]))

    with patch.object(Bus, "unsendable", unsendable):
        yield


class _Optional:
    """A channel on which nothing is mandatory."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def send_method(self, method: Any, format_: str, arguments: Sequence[Any], content: Any) -> None:
        """Send it, as what may be lost when no queue takes it."""
        self._channel.send_method(method, format_, (*arguments[:3], False, arguments[4]), content)


@planted("mandatory-left-out", *_TAKEN)
def _mandatory_left_out() -> Iterator[None]:
    """The broker confirms what no queue takes, and says nothing of it."""
    honest = RabbitSession.publish

    def publish(self: RabbitSession, sent: Message) -> int:
        if not isinstance(self._channel, _Optional):
            self._channel = _Optional(self._channel)
        return honest(self, sent)

    with patch.object(RabbitSession, "publish", publish):
        yield


@planted("persistent-left-out", _SAME)
def _persistent_left_out() -> Iterator[None]:
    """Messages are gone when the broker restarts."""
    honest = wire.properties

    def properties(sent: Message) -> bytes:
        return honest(replace(sent, delivery_mode=1))

    with patch.object(rabbitmq.wire, "properties", properties):
        yield


@planted("confirm-mode-left-out", _DRAINS)
def _confirm_mode_left_out() -> Iterator[None]:
    """The broker is never asked to confirm, and does not."""

    def confirm_select(_self: rabbit.Channel) -> None:
        """Ask for nothing."""

    with patch.object(rabbit.Channel, "confirm_select", confirm_select):
        yield


@planted("documents-are-written-over", "a document is written once")
def _documents_are_written_over() -> Iterator[None]:
    """The index is told to take a document whether or not it is there."""
    honest = bulk_lines.encode

    def encode(event: Any, settings: Any) -> Any:
        encoded = honest(event, settings)
        return replace(encoded, lines=encoded.lines.replace(b'{"create":', b'{"index":', 1))

    with patch.object(bulk_lines, "encode", encode):
        yield


# Epochs


@planted("epoch-not-told", _SAME)
def _epoch_not_told() -> Iterator[None]:
    """Every message says the first epoch, whatever its event was stored under."""
    honest = message.encode

    def encode(event: Any, source: str) -> Message:
        return honest(replace(event, epoch=1), source)

    with patch.object(message, "encode", encode):
        yield


@planted("epoch-read-once", epochs.PROMISE)
def _epoch_read_once() -> Iterator[None]:
    """Who opens a store anew goes on with the record that a former opening has read."""
    honest = store_record.load
    kept: WeakKeyDictionary[Any, StoreRecord] = WeakKeyDictionary()

    def load(caller: Caller, tables: Any) -> StoreRecord:
        runtime = caller.runtime
        assert isinstance(runtime, SimulatedRuntime), "a simulation plants it"
        if runtime.scheduler not in kept:
            kept[runtime.scheduler] = honest(caller, tables)
        return kept[runtime.scheduler]

    with patch.object(store_record, "load", load):
        yield


# Attempts and answers


@planted("one-id-for-all-rounds", attempts.ONE_REQUEST)
def _one_id_for_all_rounds() -> Iterator[None]:
    """An append that is tried again at another version goes on under the id of the refused one."""
    rounds, prepare, honest = Appender._rounds, Appender._prepare, appender.uuid7
    drawn = local()

    def rounds_of_one(self: Appender, *given: Any) -> Any:
        drawn.ids = {}
        return rounds(self, *given)

    def prepare_again(self: Appender, append: Any, *given: Any) -> Any:
        drawn.aggregate = append.aggregate.id
        return prepare(self, append, *given)

    def uuid7(runtime: Any, **named: Any) -> str:
        if named:
            return honest(runtime, **named)
        ids: dict[str, str] = drawn.ids
        return ids.setdefault(drawn.aggregate, honest(runtime))

    with (
        patch.object(Appender, "_rounds", rounds_of_one),
        patch.object(Appender, "_prepare", prepare_again),
        patch.object(appender, "uuid7", uuid7),
    ):
        yield


@planted("token-left-out", attempts.ONE_REQUEST)
def _token_left_out() -> Iterator[None]:
    """Nothing tells DynamoDB that a request is the same as one before."""
    honest = transaction.assemble

    def assemble(*given: Any, **named: Any) -> transaction.Transaction:
        made = honest(*given, **named)
        return replace(made, request={"TransactItems": made.request["TransactItems"]})

    with patch.object(transaction, "assemble", assemble):
        yield


@planted("exists-is-not-asked", attempts.EXPECTED)
def _exists_is_not_asked() -> Iterator[None]:
    """An append that expects some events begins a history."""

    def accepts(*_: Any) -> bool:
        return True

    with patch.object(appender, "accepts", accepts):
        yield


@planted("expected-version-told-as-actual", attempts.ANSWER)
def _expected_version_told_as_actual() -> Iterator[None]:
    """Who is refused is told the version that was expected, one further."""
    honest = appender.refusal.other_version

    def other_version(context: Any, aggregate_id: str, expected: int, at_least: int) -> Any:
        raised = honest(context, aggregate_id, expected, at_least)
        if raised.actual is not None:
            raised.actual = raised.at_least = raised.actual + 1
        return raised

    with patch.object(appender.refusal, "other_version", other_version):
        yield


# Settling and parking


@planted("late-side-settles-for-the-bus", *_TAKEN)
def _late_side_settles_for_the_bus() -> Iterator[None]:
    """What a side says of a commit that was given up waiting for it counts for the bus, too."""
    honest = Flow.side_answered

    def side_answered(self: Flow, name: str, *, taken: Sequence[OwedCommit] = (), **rest: Any) -> None:
        for commit in taken:
            if commit.is_late:
                commit.delivered |= {BUS}
        honest(self, name, taken=taken, **rest)

    with patch.object(Flow, "side_answered", side_answered):
        yield


@planted("deletion-without-a-lease", certainty.PROMISE)
def _deletion_without_a_lease() -> Iterator[None]:
    """A worker deletes rows whether or not it holds anything."""
    honest = Settler.__init__

    def init(self: Settler, **named: Any) -> None:
        honest(self, **{**named, "may_delete": lambda: True})

    with patch.object(Settler, "__init__", init):
        yield


@planted("parking-brings-a-row-back", "a settled commit stays settled")
def _parking_brings_a_row_back() -> Iterator[None]:
    """A mark is written whether or not its row is there."""

    def park(self: OutboxWriter, row: RowId, name: str, verdict: Park) -> Done | None:
        now = {"N": "1"}
        mark = {
            "reason": {"S": verdict.reason},
            "errorClass": {"S": verdict.error_class},
            "attempts": now,
            "firstFailedAt": now,
            "lastFailedAt": now,
        }
        return self._update_anyway(row, {"M": {name: {"M": mark}}})  # type: ignore[attr-defined,no-any-return]

    def update_anyway(self: OutboxWriter, row: RowId, marks: Mapping[str, Any]) -> Done:
        written = self._caller.write(
            self._client.update_item,
            what="a mark",
            is_repeatable=True,
            TableName=self._table,
            Key=row_key(*row.key),
            UpdateExpression="SET parked = :marks",
            ExpressionAttributeValues={":marks": marks},
            ReturnValues="ALL_NEW",
        )
        attributes = written.reply.get("Attributes", {})  # type: ignore[union-attr]
        return Done(frozenset(attributes.get("delivered", {}).get("SS", ())))

    with (
        patch.object(OutboxWriter, "park", park),
        patch.object(OutboxWriter, "_update_anyway", update_anyway, create=True),
    ):
        yield


@planted("page-done-before-its-mark", "a checkpoint passes nothing that is owed")
def _page_done_before_its_mark() -> Iterator[None]:
    """A page is dealt with when something of it is to be parked, and not when it is."""
    honest = Flow._mark

    def mark(self: Flow, commit: OwedCommit, name: str, verdict: Park) -> None:
        honest(self, commit, name, verdict)
        if name == BUS and not commit.is_gone:
            self._release(commit, Fate.PARKED)

    with patch.object(Flow, "_mark", mark):
        yield


@planted("sweep-waits-for-a-lagging-feed", _DRAINS)
def _sweep_waits_for_a_lagging_feed() -> Iterator[None]:
    """While the feed is behind, whatever its age, no row is taken."""
    honest = sweeps.threshold_seconds

    def threshold_seconds(settings: Any, feed_lag_seconds: float) -> float:
        return honest(settings, feed_lag_seconds) if feed_lag_seconds == 0.0 else float("inf")

    with patch.object(sweeps, "threshold_seconds", threshold_seconds):
        yield

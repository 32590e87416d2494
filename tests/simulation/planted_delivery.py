"""Deliberate bugs of appends, reads and destinations; see `bugs`."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

from eventstore.append import commit, verdict
from eventstore.append.appender import Appender
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import DynamoError, NotAppliedError, OutcomeLostError
from eventstore.errors import OutcomeUnknownError
from eventstore.model import RecordedEvent
from eventstore.read import history
from eventstore.rows import event as event_row
from eventstore.rows.item import row_key
from relay.delivery import order
from relay.delivery.aggregate import Turn
from relay.delivery.commit import OwedCommit
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.events import EventReader
from relay.delivery.flow import Flow
from relay.delivery.pumps.side_pump import SidePump
from relay.destination import Confirmed, Report
from relay.destinations.bus import bus, message
from relay.destinations.bus.broker import Acked, Nacked, Returned
from relay.destinations.index import bulk_lines
from relay.destinations.index import index as index_module
from relay.destinations.index.bulk_item import Ruling
from relay.destinations.index.bulk_item import rule as rule_of
from relay.feed.reader import FeedPage, FeedUnavailableError, ShardReader
from relay.feed.shard_consumer import ShardConsumer
from relay.outbox.reader import OutboxReader
from relay.outbox.row import Answer, RowId
from relay.outbox.writer import OutboxWriter
from relay.outbox.written import Done, Later, Written
from relay.sweep.sweeper import Sweeper
from tests.simulation.bugs import planted


@planted(
    "settle-before-confirm",
    "what is marked as delivered was taken",
    "a settled commit was taken by every destination",
    "first deliveries are in order",
)
def _settle_before_confirm() -> Iterator[None]:
    """What was handed to the bus counts as taken when the connection is gone, though no confirm came."""

    def unsent(self: Flow, turns: Collection[Turn]) -> None:
        self.confirmed(turns)

    with patch.object(Flow, "unsent", unsent):
        yield


@planted("checkpoint-before-settle", "a checkpoint passes nothing that is owed")
def _checkpoint_before_settle() -> Iterator[None]:
    """The checkpoint moves when a page was read, not when it was dealt with."""
    honest = ShardConsumer._take

    def take(self: ShardConsumer, page: FeedPage) -> None:
        honest(self, page)
        if page.position is not None:
            self._dealt_with = page.position
            self._save(finished=False)

    with patch.object(ShardConsumer, "_take", take):
        yield


@planted(
    "latest-on-a-child",
    "a checkpoint passes nothing that is owed",
    "every shard is read to its end",
    "all is said to be well in a calm world",
)
def _latest_on_a_child() -> Iterator[None]:
    """The child of a shard is read from its newest record when it has no checkpoint."""
    honest = ShardReader._open

    def open_at_latest(self: ShardReader) -> str:
        if self._after is not None or not _is_child(self):
            return honest(self)
        reply = calls.call(
            self._client.get_shard_iterator,
            StreamArn=self._stream_arn,
            ShardId=self._shard_id,
            ShardIteratorType="LATEST",
        )
        if "ShardIterator" not in reply:
            raise OutcomeLostError("cut short")
        return str(reply["ShardIterator"])

    with patch.object(ShardReader, "_open", open_at_latest):
        yield


def _is_child(reader: ShardReader) -> bool:
    """Tell whether a shard has a parent, as the listing says."""
    request: dict[str, Any] = {"StreamArn": reader._stream_arn}
    while True:
        listed = calls.call(reader._client.describe_stream, **request).get("StreamDescription")
        if listed is None:
            raise OutcomeLostError("cut short")
        for shard in listed["Shards"]:
            if shard["ShardId"] == reader._shard_id:
                return "ParentShardId" in shard
        if "LastEvaluatedShardId" not in listed:
            raise OutcomeLostError("not listed yet")
        request["ExclusiveStartShardId"] = listed["LastEvaluatedShardId"]


@planted(
    "no-predecessor-check",
    "first deliveries are in order",
    "a settled commit was taken by every destination",
    "what is marked as delivered was taken",
    "what is parked has nothing owed below it",
)
def _no_predecessor_check() -> Iterator[None]:
    """The lowest commit in hand goes without a look at what is below it."""
    honest = order.next_step

    def next_step(lowest: OwedCommit, known: order.Known, now: float) -> order.Step:
        return honest(lowest, replace(known, reach=max(known.reach, lowest.row.first - 1)), now)

    with patch.object(order, "next_step", next_step):
        yield


@planted(
    "predecessor-by-plain-read",
    "first deliveries are in order",
    "what is marked as delivered was taken",
    "a settled commit was taken by every destination",
    "a checkpoint passes nothing that is owed",
)
def _predecessor_by_plain_read() -> Iterator[None]:
    """Whether a row is there is asked by GetItem, which may answer from before a transaction is applied."""

    def ask_once(self: OutboxReader, keys: Any, _whole: Any = ()) -> dict[tuple[str, int], Answer]:
        answers: dict[tuple[str, int], Answer] = {}
        for key in keys:
            place: dict[str, Any] = {"TableName": self._table, "Key": row_key(*key), "ConsistentRead": True}
            reply = self._caller.read(self._client.get_item, **place)
            answers[key] = self._answer(reply.get("Item"))
        return answers

    with patch.object(OutboxReader, "ask_once", ask_once):
        yield


@planted(
    "only-the-head-checked",
    "first deliveries are in order",
    "a settled commit was taken by every destination",
    "what is marked as delivered was taken",
    "what is parked has nothing owed below it",
)
def _only_the_head_checked() -> Iterator[None]:
    """Only the first commit of an aggregate that comes in is asked about; holes above it are passed over."""
    honest = order.next_step

    def next_step(lowest: OwedCommit, known: order.Known, now: float) -> order.Step:
        reach = max(known.reach, lowest.row.first - 1) if known.reach else 0
        return honest(lowest, replace(known, reach=reach), now)

    with patch.object(order, "next_step", next_step):
        yield


@planted(
    "return-ignored",
    "a settled commit was taken by every destination",
    "what is marked as delivered was taken",
    "first deliveries are in order",
)
def _return_ignored() -> Iterator[None]:
    """A message that the broker returned counts as taken when its confirm comes."""
    honest = bus._hear

    def hear(link: Any, event: Any, heard: Any) -> None:
        if not isinstance(event, Returned):
            honest(link, event, heard)

    with patch.object(bus, "_hear", hear):
        yield


@planted("update-without-condition", "a settled commit stays settled")
def _update_without_condition() -> Iterator[None]:
    """A note brings a settled row back."""

    def note(self: OutboxWriter, notes: Mapping[RowId, Collection[str]]) -> dict[RowId, Written]:
        return {row: _update_unconditionally(self, row, "ADD delivered :names", names) for row, names in notes.items()}

    with patch.object(OutboxWriter, "note", note):
        yield


def _update_unconditionally(writer: OutboxWriter, row: RowId, expression: str, names: Collection[str]) -> Written:
    try:
        reply = writer._caller.once(
            writer._client.update_item,
            needs="Attributes",
            TableName=writer._table,
            Key=row_key(*row.key),
            UpdateExpression=expression,
            ExpressionAttributeValues={":names": {"SS": sorted(names)}},
            ReturnValues="ALL_NEW",
        )
    except (NotAppliedError, OutcomeLostError) as error:
        return Later(str(error), cause=error)
    return Done(frozenset(reply["Attributes"]["delivered"]["SS"]))


@planted(
    "half-a-commit-delivered",
    "a settled commit was taken by every destination",
    "what is marked as delivered was taken",
    "first deliveries are in order",
)
def _half_a_commit_delivered() -> Iterator[None]:
    """The events that a plain read brings are sent, however many of a commit there are."""
    honest = EventReader._fill

    def fill(self: EventReader, row: Any, found: Any) -> Any:
        numbers = [number for number in range(row.first, row.last + 1) if (row.aggregate_id, number) in found]
        if not numbers:
            return honest(self, row, found)
        events = [event_row.decode(found[row.aggregate_id, number], self._table) for number in numbers]
        return replace(row, events=tuple(events))

    with patch.object(EventReader, "_fill", fill):
        yield


@planted("error-taken-as-shard-end", "only a closed shard is finished", "a checkpoint passes nothing that is owed")
def _error_taken_as_shard_end() -> Iterator[None]:
    """A reply without records looks like the end of the shard."""
    honest = ShardReader.next_page

    def next_page(self: ShardReader) -> FeedPage:
        try:
            return honest(self)
        except FeedUnavailableError:
            return FeedPage((), (), 0, None, None, None, ended=True)

    with patch.object(ShardReader, "next_page", next_page):
        yield


@planted("refused-event-overtaken", "first deliveries are in order")
def _refused_event_overtaken() -> Iterator[None]:
    """The next event goes though the one before it was refused."""
    honest = bus._hear

    def hear(link: Any, event: Any, heard: Any) -> None:
        honest(link, Acked(event.tag, multiple=event.multiple) if isinstance(event, Nacked) else event, heard)

    with patch.object(bus, "_hear", hear):
        yield


def _first_for_all(module: Any, *names: str) -> Iterator[None]:
    """Every event of a commit that goes through a module's `encode` has what the first one of them has under a name."""
    honest, firsts = module.encode, dict[str, RecordedEvent]()

    def encode(event: RecordedEvent, settings: Any) -> Any:
        first = firsts.setdefault(event.commit_id, event)
        return honest(replace(event, **{name: getattr(first, name) for name in names}), settings)

    with patch.object(module, "encode", encode):
        yield


for _module, _where in ((message, "bus"), (bulk_lines, "index")):
    for _name, _field in (
        ("type", "type"),
        ("data", "data_json"),
        ("metadata", "metadata_json"),
        ("version", "schema_version"),
        ("timestamp", "timestamp_ms"),
    ):
        planted(f"first-{_name}-for-all-on-the-{_where}", "what arrives is what was written")(
            partial(_first_for_all, _module, _field)
        )


@planted("epoch-forgotten", "what arrives is what was written")
def _epoch_forgotten() -> Iterator[None]:
    """The bus gets every event under another epoch than it was stored in."""
    honest = message.encode

    def encode(event: RecordedEvent, source: str) -> Any:
        return honest(replace(event, epoch=event.epoch + 1), source)

    with patch.object(message, "encode", encode):
        yield


@planted("first-type-stored-for-all", "what is stored is what was written")
def _first_type_stored_for_all() -> Iterator[None]:
    """Every event of an append is stored under the first one's type."""
    honest = commit.prepare

    def prepare(append: Any, *rest: Any, **named: Any) -> commit.PreparedCommit:
        events = [replace(event, type=append.events[0].type) for event in append.events]
        return honest(replace(append, events=events), *rest, **named)

    with patch.object(commit, "prepare", prepare):
        yield


@planted("no-sweep", "everything drains when faults stop", "a dead worker's shards are carried on")
def _no_sweep() -> Iterator[None]:
    """What the feed did not say is never found, and nobody is at work under the sweep's lease."""

    def run(self: Sweeper) -> None:
        while not self._stopping.wait(5.0):
            pass

    with patch.object(Sweeper, "_run", run):
        yield


@planted(
    "append-that-reads-and-writes",
    "numbers have no holes",
    "a commit is whole",
    "history does not change",
    "appends to several aggregates are one",
    "what is acknowledged is stored",
    "who has a commit is only added to",
)
def _append_that_reads_and_writes() -> Iterator[None]:
    """The version is read before the write, and the write has no condition."""
    honest = commit._put

    def put(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        return honest(table, row) if "idempotency" in table else {"Put": {"TableName": table, "Item": row}}

    with patch.object(commit, "_put", put):
        yield


@planted("idempotency-key-forgotten", "a request is stored once")
def _idempotency_key_forgotten() -> Iterator[None]:
    """A key is taken and not stored, so a repeat stores its events again."""
    honest = commit.prepare

    def prepare(append: Any, *rest: Any, **named: Any) -> commit.PreparedCommit:
        return honest(replace(append, idempotency_key=None), *rest, **named)

    with patch.object(commit, "prepare", prepare):
        yield


@planted(
    "lost-reply-taken-as-success",
    "what is acknowledged is stored",
    "an import leaves out no line",
)
def _lost_reply_taken_as_success() -> Iterator[None]:
    """An append whose reply was lost counts as stored."""
    honest = verdict.judge

    def judge(error: DynamoError, sent: Any) -> verdict.Verdict:
        return verdict.OwnCommit() if isinstance(error, OutcomeLostError) else honest(error, sent)

    with patch.object(verdict, "judge", judge):
        yield


@planted("own-commit-not-recognized", "what was refused is not stored", "a request is stored once")
def _own_commit_not_recognized() -> Iterator[None]:
    """Each attempt is a commit of its own, so a lost reply stores an append twice."""
    honest = Appender._rounds

    def rounds_again(self: Appender, appends: Any, *given: Any) -> Any:
        now = appends
        for _ in range(8):
            try:
                return honest(self, now, *given)
            except _LostError:
                now = [
                    replace(each, expected_version=history.current_version(self._context, each.aggregate.id))
                    for each in appends
                ]
        raise OutcomeUnknownError("never heard of", aggregate_id=appends[0].aggregate.id)

    judged = verdict.judge

    def judge(error: DynamoError, sent: Any) -> verdict.Verdict:
        if isinstance(error, OutcomeLostError):
            raise _LostError
        return judged(error, sent)

    with patch.object(Appender, "_rounds", rounds_again), patch.object(verdict, "judge", judge):
        yield


class _LostError(Exception):
    """A lost reply, on its way to the bug that takes it for a refusal."""


@planted(
    "memory-before-confirm",
    "what is marked as delivered was taken",
    "a settled commit was taken by every destination",
    "first deliveries are in order",
    "an aggregate keeps its bound",
    "a checkpoint passes nothing that is owed",
)
def _memory_before_confirm() -> Iterator[None]:
    """What is handed to the bus is remembered as delivered, so that what is above it goes."""
    honest = Flow.take

    def take(self: Flow, turns_max: int) -> list[Turn]:
        turns = honest(self, turns_max)
        for turn in turns:
            self._memory.note(turn.aggregate.id, turn.aggregate.epoch, turn.commit.last)
        return turns

    with patch.object(Flow, "take", take):
        yield


@planted("outage-parks", "only what can never be taken is parked")
def _outage_parks() -> Iterator[None]:
    """An index that is too busy for an event has its commit parked."""
    honest = rule_of

    def rule(given: Any) -> Ruling:
        ruling = honest(given)
        return Ruling.PARK if ruling is Ruling.RETRY else ruling

    with patch.object(index_module, "rule", rule):
        yield


@planted(
    "first-verdict-for-all",
    "a settled commit was taken by every destination",
    "what is marked as delivered was taken",
)
def _first_verdict_for_all() -> Iterator[None]:
    """What is handed to the index together counts as indexed when one of its commits is."""
    honest = SidePump._answer

    def answer(self: SidePump, commits: Any, report: Report, held: Any) -> None:
        if any(isinstance(outcome, Confirmed) for outcome in report.outcomes.values()):
            report = replace(report, outcomes=dict.fromkeys(report.outcomes, Confirmed()))
        honest(self, commits, report, held)

    with patch.object(SidePump, "_answer", answer):
        yield


@planted("late-deliveries-pile-up", "a side keeps its bound")
def _late_deliveries_pile_up() -> Iterator[None]:
    """However many commits wait for a slow destination alone, none of them is given up."""

    def await_sides(self: Flow, commit: OwedCommit, _now: float) -> None:
        for name in commit.sides:
            self._sides[name].alone[commit] = None

    with patch.object(Flow, "_await_sides", await_sides):
        yield


@planted("memory-without-bound", "memory keeps its bound")
def _memory_without_bound() -> Iterator[None]:
    """Nothing is ever forgotten of what the bus has."""

    def note(self: DeliveredMemory, aggregate_id: str, epoch: int, number: int) -> None:
        with self._lock:
            self._known[aggregate_id] = max((epoch, number), self._known.get(aggregate_id, (0, 0)))

    with patch.object(DeliveredMemory, "note", note):
        yield


@planted("inbox-without-bound", "an aggregate keeps its bound")
def _inbox_without_bound() -> Iterator[None]:
    """Whatever is handed in of an aggregate is kept, however much waits."""

    def is_beyond(*_: Any) -> bool:
        return False

    def keep_lowest(*_: Any) -> None:
        """Let nothing go."""

    with patch.object(Flow, "_is_beyond", is_beyond), patch.object(Flow, "_keep_lowest", keep_lowest):
        yield


@planted("pages-far-ahead", "the flow keeps its bound")
def _pages_far_ahead() -> Iterator[None]:
    """Sources hand pages in whether or not there is room."""

    def has_room(*_: Any) -> bool:
        return True

    with patch.object(Flow, "has_room", has_room):
        yield

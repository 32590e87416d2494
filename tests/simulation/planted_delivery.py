"""Deliberate bugs of appends, pages and destinations; see `bugs`."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from eventstore.append import commit, verdict
from eventstore.append.appender import Appender
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import DynamoError, NotAppliedError, OutcomeLostError
from eventstore.errors import OutcomeUnknownError
from eventstore.read import history
from eventstore.rows import event as event_row
from eventstore.rows.item import row_key
from relay.delivery import lane, pipeline, rounds, sequencer
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.events import EventReader
from relay.delivery.order import Plan, make_plan
from relay.destination import BUS, Confirmed
from relay.destinations.bus import bus
from relay.destinations.bus.broker import Nacked, Returned
from relay.destinations.bus.chain import ChainCursor
from relay.destinations.index import index as index_module
from relay.destinations.index.bulk_item import Ruling
from relay.destinations.index.bulk_item import rule as rule_of
from relay.feed.reader import FeedPage, FeedUnavailableError, ShardReader
from relay.feed.shard_consumer import ShardConsumer
from relay.outbox.reader import OutboxReader
from relay.outbox.row import Absent, Answer, RowId
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
    """What was handed to the bus counts as taken, whatever the bus reports."""

    def judge(chains: Any, _report: Any) -> rounds.Verdicts:
        return rounds.Verdicts({row.key: frozenset({BUS}) for chain in chains for row in chain})

    with patch.object(rounds, "judge_bus", judge):
        yield


@planted("checkpoint-before-settle", "a checkpoint passes nothing that is owed")
def _checkpoint_before_settle() -> Iterator[None]:
    """The checkpoint moves when a page was read, not when it was dealt with."""
    honest = ShardConsumer._deal_with

    def early(self: ShardConsumer, page: FeedPage) -> bool:
        if page.position is not None:
            self._dealt_with = page.position
            self._save(finished=False)
        return honest(self, page)

    with patch.object(ShardConsumer, "_deal_with", early):
        yield


@planted("latest-on-a-child", "a checkpoint passes nothing that is owed", "every shard is read to its end")
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
    """What starts a run goes without a look at what is below it."""

    def make(rows: Any, delivered: Mapping[str, int], answers: Any, truncated: Any = ()) -> Plan:
        assumed = dict(answers)
        plan = make_plan(rows, delivered, assumed, truncated)
        while plan.unasked:
            assumed.update(dict.fromkeys(plan.unasked, Absent()))
            plan = make_plan(rows, delivered, assumed, truncated)
        return plan

    with patch.object(sequencer, "make_plan", make):
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

    def ask(self: OutboxReader, keys: Any) -> dict[tuple[str, int], Answer]:
        answers: dict[tuple[str, int], Answer] = {}
        for key in keys:
            place: dict[str, Any] = {"TableName": self._table, "Key": row_key(*key), "ConsistentRead": True}
            reply = self._caller.read(self._client.get_item, **place)
            answers[key] = self._answer(reply.get("Item"))
        return answers

    with patch.object(OutboxReader, "ask", ask):
        yield


@planted(
    "only-the-head-checked",
    "first deliveries are in order",
    "a settled commit was taken by every destination",
    "what is marked as delivered was taken",
    "what is parked has nothing owed below it",
)
def _only_the_head_checked() -> Iterator[None]:
    """Of an aggregate's commits in a page only the lowest is asked about; holes above it are passed over."""

    def make(rows: Any, delivered: Mapping[str, int], answers: Any, truncated: Any = ()) -> Plan:
        commits = list(rows)
        lowest: dict[str, int] = {}
        for row in commits:
            lowest[row.aggregate_id] = min(row.first, lowest.get(row.aggregate_id, row.first))
        assumed = dict(answers)
        plan = make_plan(commits, delivered, assumed, truncated)
        while True:
            above = [key for key in plan.unasked if key[1] >= lowest[key[0]]]
            if not above:
                return plan
            assumed.update(dict.fromkeys(above, Absent()))
            plan = make_plan(commits, delivered, assumed, truncated)

    with patch.object(sequencer, "make_plan", make):
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

    def hear(link: Any, event: Any) -> list[ChainCursor]:
        return [] if isinstance(event, Returned) else honest(link, event)

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

    def hear(link: Any, event: Any) -> list[ChainCursor]:
        if not isinstance(event, Nacked):
            return honest(link, event)
        cursors: list[ChainCursor] = link.under_way.answered(event.tag, multiple=event.multiple)
        for cursor in cursors:
            cursor.confirm()
        return cursors

    with patch.object(bus, "_hear", hear):
        yield


@planted("no-sweep", "everything drains when faults stop", "a dead worker's shards are carried on")
def _no_sweep() -> Iterator[None]:
    """What the feed did not say is never found, and nobody is at work under the sweep's lease."""

    def run(self: Sweeper) -> None:
        while not self._stopping.wait(5.0):
            pass

    with patch.object(Sweeper, "_run", run):
        yield


@planted("append-that-reads-and-writes", "numbers have no holes", "a commit is whole", "history does not change")
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


@planted("lost-reply-taken-as-success", "what is acknowledged is stored")
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

    def rounds_again(self: Appender, appends: Any, *given: Any, many: bool) -> Any:
        now = appends
        for _ in range(8):
            try:
                return honest(self, now, *given, many=many)
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
)
def _memory_before_confirm() -> Iterator[None]:
    """What was handed to the bus is remembered as delivered, so that what is above it goes."""
    honest = pipeline.Pipeline._ask_bus

    def ask(self: pipeline.Pipeline, state: Any, chains: Any) -> Any:
        for chain in chains:
            self._memory.note(*chain[-1].key)
        return honest(self, state, chains)

    with patch.object(pipeline.Pipeline, "_ask_bus", ask):
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
    """A commit counts as indexed when one of its events is."""

    def judge(name: str, report: Any) -> rounds.Verdicts:
        taken = {
            key: frozenset({name})
            for key in report.outcomes
            if any(isinstance(outcome, Confirmed) for outcome in report.outcomes.values())
        }
        return rounds.Verdicts(taken)

    with patch.object(rounds, "judge_side", judge):
        yield


@planted("inbox-without-bound", "queues keep their bounds")
def _inbox_without_bound() -> Iterator[None]:
    """A lane takes whatever it is handed, however much waits."""
    with patch.object(lane, "INBOX_MAX", 1_000_000):
        yield


@planted("late-deliveries-pile-up", "late deliveries keep their bound")
def _late_deliveries_pile_up() -> Iterator[None]:
    """What a slow destination reports is never collected, and every such delivery is remembered."""

    def collect_late(_self: pipeline.Pipeline) -> int:
        return 0

    with (
        patch.object(pipeline, "LATE_TICKETS_MAX", 1_000_000),
        patch.object(pipeline.Pipeline, "collect_late", collect_late),
    ):
        yield


@planted("memory-without-bound", "memory keeps its bound")
def _memory_without_bound() -> Iterator[None]:
    """Nothing is ever forgotten of what the bus has."""

    def note(self: DeliveredMemory, aggregate_id: str, number: int) -> None:
        with self._lock:
            self._known[aggregate_id] = max(number, self._known.get(aggregate_id, 0))

    with patch.object(DeliveredMemory, "note", note):
        yield


@planted("pages-far-ahead", "a shard is read no further ahead")
def _pages_far_ahead() -> Iterator[None]:
    """Many pages of a shard wait for their turn."""
    honest = ShardConsumer.start

    def start(self: ShardConsumer) -> None:
        self._pages, self._room = self._runtime.channel(4), self._runtime.channel(4)
        for _ in range(4):
            self._room.put(True, 0)
        honest(self)

    with patch.object(ShardConsumer, "start", start):
        yield

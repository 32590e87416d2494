"""What is tried in the calm with one fault left on for good: whatever does not need the fault's end goes on.

"Everything drains when faults stop" cannot see a standstill that needs the fault. Here it stays: a queue that refuses
or is silent, an index that is down, a parked commit with fifty behind it, an aggregate that is written to all the time.
Meanwhile other aggregates are written to, in three waves: with the fault's victims, when those stand still, and after a
worker was told to stop. The bounds are written by hand.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from botocore.exceptions import ClientError

from eventstore import ANY, AggregateRef, EventStore, NewEvent
from eventstore.rows.item import row_key
from relay.sweep.sweep import SHARE
from tests.simulation.broker import SimulatedBroker
from tests.simulation.checkers import OLD_CLASS
from tests.simulation.content import meant
from tests.simulation.index import SimulatedIndex
from tests.simulation.ledger import CommitKey
from tests.simulation.repeats import copies_allowed
from tests.simulation.trials import HAND_OVER_SECONDS, JOIN_SECONDS, Trials

STANDING_FAULTS_ARE_TRIED = True
"""Whether every seed tries one."""

INNOCENT_SECONDS = 45.0
"""A commit that the fault does not concern is dealt with by then, with the slowest intervals that a seed may have."""

CHECKPOINT_SECONDS = 60.0
"""And by then checkpoints have passed everything, also what the fault holds up: that is the sweep's."""

ALONE_SECONDS = 20.0
"""The same when what is held up waits alone: no checkpoint waits until it is overdue."""

HASTENED_MAX = 3
"""So often a pause may be cut short because another event that was refused is taken after all."""

SILENT_DRAIN_SECONDS = 5.0
"""A worker that is told to stop waits so long for messages that were never answered."""

PAUSE_MAX_SECONDS = 360.0
"""The longest pause of a refused event, with its jitter: so long after the fault's end it may still wait."""

INNOCENTS = 6
BEHIND_PARKED = 50
SWEEP_PAGE_SECONDS = 0.5
"""A page of the sweep: its reading, the pause behind it, and what its last commit waits for."""

HOT_BACKLOG = 200
HOT_PAUSE_SECONDS = 0.1
HOT_CONFIRM_SECONDS = 0.05
HOT_INNOCENT_SECONDS = 5.0
"""A hot aggregate delays nobody, however long its own queue is: 200 commits at 0.05 s are 10 s."""

HOT_LEFT_SECONDS = 30.0
"""And what is left of it then goes at the pace of its confirms, and not at that of the sweep."""

_LOOK_SECONDS = 0.25
_OUTBOX = "inventory_outbox"


class Standing:
    """Tries a calm world with a fault that stays.

    Args:
        trials: Waits, and knows the workers.
        kind: One of `STANDING_FAULTS`.
        is_asked_for: Try it whether it is switched on or not.
        broker: The bus.
        index: The index.
        store: For what is written meanwhile; its calls take no time.
        look: Lets consumers consume and supervisors start workers.
    """

    def __init__(
        self,
        trials: Trials,
        kind: str,
        *,
        is_asked_for: bool,
        broker: SimulatedBroker,
        index: SimulatedIndex,
        store: Callable[[], EventStore],
        look: Callable[[], None],
    ) -> None:
        self._trials = trials
        self._kind = kind
        self._is_tried = STANDING_FAULTS_ARE_TRIED or is_asked_for
        self._broker = broker
        self._index = index
        self._store = store
        self._look = look
        self._runtime = trials._runtime
        self._written = 0
        self._is_hot = False
        self._hot_id = ""
        self.on_standing: Callable[[str], None] = lambda _: None

    def attempt(self) -> None:
        """Let the fault begin, stand and end, and all drain at last."""
        if not self._is_tried:
            return
        if self._kind == "a queue is silent" and self._trials._settings.window == 1:
            self._kind = "a queue refuses"  # a message that is never answered would take the only place in the window
        if self._kind == "one is hot" and self._trials._settings.small.is_small:
            self._kind = "a queue refuses"  # where one commit fills a bound there is no room beside a hot aggregate
        self._trials._wait(self._trials._are_all_at_work, JOIN_SECONDS, "every worker comes to work")
        if not self._trials.has_room_for_all():
            return  # a shard that nobody carries is the sweep's, which takes its time
        began = self._runtime.monotonic()
        with self._fault():
            self._wave("with the victims")
            self._wave("while they stand still")
            goal = self._trials.newest()
            self._trials._wait(
                lambda: not self._trials.unread(goal),
                self._alone_seconds() if self._kind in {"a queue refuses", "a queue is silent"} else CHECKPOINT_SECONDS,
                "checkpoints move while a fault stands",
                lambda: f"{self._kind}: {self._trials.unread(goal)[:3]}",
                self._look,
            )
            self.on_standing(self._kind)
            self._hand_over()
            self._wave("after a worker has left")
            if self._kind == "a queue refuses":
                self._let_pass(began + self._trials._settings.standing_seconds - self._runtime.monotonic())
                self._check_copies(began)
        hot = [key for key in self._trials._checkers.owed() if key[0] == self._hot_id]
        self._trials._wait(
            lambda: not self._left(hot),
            HOT_LEFT_SECONDS + 2 * HOT_CONFIRM_SECONDS * len(hot) + self._sweep_seconds(len(hot)),
            "a long aggregate goes at its own pace",
            lambda: f"{len(self._left(hot))} of {len(hot)} commits are left",
            self._look,
        )
        self._let_pass(min(PAUSE_MAX_SECONDS, self._runtime.monotonic() - began))
        self._trials._settle()

    def _alone_seconds(self) -> float:
        """Return how soon what is refused or silent stands alone; a silent one is noticed after the bus's budget."""
        return max(ALONE_SECONDS, 3 * self._trials._settings.relay.bus.budget_seconds)

    def _sweep_seconds(self, commits: int) -> float:
        """Return how long the sweep may need for what a new owner does not keep: page by page, each in its time."""
        relay = self._trials._settings.relay
        rows = min(relay.sweep.page_max_rows, self._trials._settings.small.page_items)
        pages = commits / max(1, min(rows, relay.flow.commits_max // SHARE))
        return relay.sweep.min_age_seconds + pages * SWEEP_PAGE_SECONDS if commits > relay.flow.kept_max else 0.0

    def _let_pass(self, seconds: float) -> None:
        until = self._runtime.monotonic() + seconds
        while self._runtime.monotonic() < until:
            self._look()
            self._runtime.sleep(_LOOK_SECONDS)

    @contextmanager
    def _fault(self) -> Iterator[None]:
        """Let it begin, with its victims; and end."""
        queue = next(queue for queue in self._broker.queues if queue.name == "one type")
        queue.is_refusing = self._kind == "a queue refuses"
        queue.is_silent = self._kind == "a queue is silent"
        self._index.is_down = self._kind == "the index is down"
        self._is_hot = self._kind == "one is hot"
        if self._is_hot:
            queue.slow_seconds = HOT_CONFIRM_SECONDS
            for _ in range(HOT_BACKLOG):
                self._hot_id = self._write("hot", 2)[0]  # the second one is of the type that the slow queue takes
            self._runtime.spawn("hot", self._heat)
        if self._kind == "one is parked":
            self._park(self._write("parked", 1))
            for _ in range(BEHIND_PARKED):
                self._write("parked", 1)
        if queue.is_refusing or queue.is_silent:
            for number in range(2 if self._trials._settings.window > 3 else 1):
                for _ in range(3):
                    self._write(f"victim-{number}", 2)  # the second one is of the type that the queue is bound to
        yield
        self._broker.heal(queue, lost=False)
        self._index.is_down = False
        self._is_hot = False

    def _wave(self, when: str) -> None:
        """Write to other aggregates, some commits each; they are dealt with in time."""
        uncarried, trials = "every shard is carried while a fault stands", self._trials
        trials._wait(lambda: not trials.uncarried(), JOIN_SECONDS, uncarried, trials.uncarried, self._look)
        each = min(3, trials._settings.relay.flow.kept_max)  # more of one is the sweep's after a hand-over
        innocents = [self._write(f"innocent-{number}", 1) for number in range(INNOCENTS) for _ in range(each)]
        trials._wait(
            lambda: not self._left(innocents),
            HOT_INNOCENT_SECONDS if self._is_hot and self._has_room_beside_the_hot() else INNOCENT_SECONDS,
            "what a standing fault does not concern goes on",
            lambda: f"{self._kind}, {when}: {self._left(innocents)[:5]} of {len(innocents)}",
            self._look,
        )

    def _left(self, keys: list[CommitKey]) -> list[CommitKey]:
        """Return those that are not dealt with: gone, or taken by the bus when the index is down, or busy."""
        return [key for key in keys if self._trials._checkers.is_owed(key, self._wanted())]

    def _wanted(self) -> set[str]:
        return {"bus"} if self._kind in {"the index is down", "one is hot"} else {"bus", "index"}

    def _has_room_beside_the_hot(self) -> bool:
        """Tell whether what is kept of one aggregate leaves room for others."""
        flow = self._trials._settings.relay.flow
        return flow.commits_max > flow.aggregate_max

    def _hand_over(self) -> None:
        """Tell a worker to stop; others carry its shards soon, whatever the fault holds up."""
        trials = self._trials
        trials._wait(trials._are_all_at_work, JOIN_SECONDS, "every worker comes to work")
        working = [slot for slot in trials._processes.relays if trials._has_joined(slot)]
        if len(working) < 2 or working[0].process is None:
            return
        keys = trials._fleet.owned_by(working[0].process)
        trials._processes.stop(working[0])
        seconds = HAND_OVER_SECONDS + SILENT_DRAIN_SECONDS * (self._kind == "a queue is silent")
        trials._wait(
            lambda: not trials._left_lying_by_others(keys, working[0].process),
            seconds,
            "a worker that stops hands over while a fault stands",
            lambda: f"{self._kind}: {trials._left_lying_by_others(keys, working[0].process)}",
        )

    def _check_copies(self, began: float) -> None:
        """One process sends an event that is refused no more often than its pauses allow."""
        copies, which = self._broker.repeats.most_copies(began)
        allowed = copies_allowed(self._runtime.monotonic() - began) + HASTENED_MAX
        if copies > allowed:
            self._trials._ledger.broken("a refused event is not sent too often", f"{copies} of {allowed} times {which}")

    def _heat(self) -> None:
        while self._is_hot:
            self._write("hot", 2)
            self._runtime.sleep(HOT_PAUSE_SECONDS)

    def _write(self, name: str, size: int) -> CommitKey:
        """Append a commit of so many events."""
        self._written += 1
        request = f"standing-{self._written}.0"
        events = [
            NewEvent(
                data={"request": request, "place": place, "of": size, "group": 1, "pad": ""}, **meant(request, place)
            )
            for place in range(size)
        ]
        result = self._store().append(AggregateRef("ITEM", f"standing-{name}"), events, expected_version=ANY)
        self._trials._ledger.acknowledge(request, result)
        return result.aggregate.id, result.version

    def _park(self, key: CommitKey, *names: str) -> None:
        """Park a commit for the bus, or for some destinations, before anybody has seen it."""
        texts = {"reason": {"S": "parked for good"}, "errorClass": {"S": OLD_CLASS}}
        numbers = {name: {"N": "1"} for name in ("attempts", "firstFailedAt", "lastFailedAt")}
        with suppress(ClientError):
            self._trials._passage.database.observer().update_item(
                TableName=_OUTBOX,
                Key=row_key(*key),
                UpdateExpression="SET parked = :marks",
                ConditionExpression="attribute_exists(aggregateId) AND attribute_not_exists(delivered)",
                ExpressionAttributeValues={
                    ":marks": {"M": {name: {"M": {**texts, **numbers}} for name in names or ("bus",)}}
                },
            )

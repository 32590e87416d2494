"""One worker's flow with the parts around it taken step by step: pump, asker and settler of the product."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from eventstore.rows.outbox import OutboxRow
from eventstore.testing import ManualRuntime
from relay.delivery.aggregate import Turn
from relay.delivery.asker import Asker
from relay.delivery.commit import NEVER
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.flow import Flow
from relay.delivery.page import CommitPage
from relay.delivery.pumps.bus_pump import BusPump, BusPumpSettings
from relay.delivery.settler import Settler
from relay.delivery.source import FEED, SWEEP
from relay.delivery.work.questions import Questions
from relay.delivery.work.settlements import Settlement
from relay.destination import BUS, BusNews
from relay.metrics import SilentMeter
from relay.outbox.row import lacking
from relay.testing.commits import chain
from tests.exhaustive.delivery.doubles import HandBus, HandReader, HandTable, HandWriter, Outbox
from tests.exhaustive.delivery.scene import AskedThen, EvenRuntime, Giver, HandPermit, Scene
from tests.exhaustive.delivery.truth import Truth
from tests.exhaustive.explorer import Step, World
from tests.exhaustive.fingerprints import MOMENTS_FROM, Fingerprint

SWEEP_NAME = "the sweep"
MOMENT = 0.000_001
"""A question is asked after what is known."""


class Delivery(World):
    """A flow with its pump, asker and settler, whose steps are taken one by one."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.runtime = EvenRuntime()
        self.runtime.advance(2 * MOMENTS_FROM)
        self.flow = Flow(
            sides=scene.sides,
            memory=DeliveredMemory(self.runtime, scene.remembers),
            runtime=self.runtime,
            settings=scene.settings,
        )
        self.bus = HandBus(scene.window, self._on_send)
        self.pump = BusPump(cast("Any", self.bus), self.flow, self.runtime, BusPumpSettings())
        self.outbox = Outbox()
        self.writer = HandWriter(self.outbox, lambda row: self.truth.may_delete(row, self.flow.names))
        self.settler = Settler(
            flow=self.flow, writer=cast("Any", self.writer), may_delete=lambda: True, runtime=self.runtime
        )
        self.truth = Truth()
        self.broken: AssertionError | None = None
        self.left = dict(scene.faults)
        self.asked: tuple[Questions, Outbox, float] | None = None
        self.writing: Settlement | None = None
        self.neighbour: list[OutboxRow] = []
        self.known_generation = 0
        self.void: list[Turn] = []
        self.appended_at = self.runtime.monotonic()
        self._fill_tables()
        self.givers = [self._open(name, FEED, list(self.outbox.rows.values())) for name in scene.sources]
        self.givers.append(self._open(SWEEP_NAME, SWEEP, []))

    def steps(self) -> Sequence[Step]:
        """See `World`."""
        steps = [
            *self._source_steps(),
            *self._bus_steps(),
            *self._asker_steps(),
            *self._side_steps(),
            *self._settler_steps(),
            *self._table_steps(),
        ]
        return [*steps, *self._time_steps(is_idle=all(step.is_fault for step in steps))]

    def check(self) -> None:
        """See `World`."""
        if self.broken is not None:
            raise self.broken
        counts = self.flow.counts()
        assert min(counts.values()) >= 0, f"the flow counts less than nothing: {counts}"
        in_hand = sum(len(aggregate.commits) for aggregate in self.flow._aggregates.values())
        assert counts["commits"] + counts["brought"] == in_hand, f"{in_hand} commits are in hand, and {counts} counted"
        for giver in self.givers:
            assert giver.source.commits >= 0, f"{giver.name} has less than nothing in hand"
            for row, page in giver.pages:
                self._check_page(giver, row, page)

    def fingerprint(self) -> object:
        """See `World`."""
        wall = self.runtime.now_ms() / 1000 - self.runtime.monotonic()
        print_ = Fingerprint(self.runtime.monotonic(), SKIPPED, wall)
        flow = self.flow
        waiting = [(at, do) for at, _, do in sorted(flow._due, key=lambda due: due[:2])]
        for part in (
            *(getattr(flow, name) for name in _STATE),
            flow._memory._known,
            waiting,
            self.bus.unanswered,
            *(self.outbox, self.asked, self.writing, self.neighbour, self.known_generation, self.void),
            *(self.appended_at, self.left, self.givers, self.truth.told()),
        ):
            print_.add(part)
        return print_.value()

    def is_done(self) -> bool:
        """See `World`: nothing is owed, and nothing is in hand."""
        is_idle = self.asked is None and self.writing is None and not self.bus.unanswered
        return is_idle and not self.outbox.rows and not any(self.flow.counts().values())

    def _open(self, name: str, kind: str, records: list[OutboxRow]) -> Giver:
        permit, generation = HandPermit(), self.outbox.generation
        is_obsolete = (lambda: self.known_generation > generation) if kind == FEED else (lambda: False)
        return Giver(name, permit, self.flow.open_source(kind, permit, is_obsolete=is_obsolete), records)

    def _fill_tables(self) -> None:
        rows = [row for name, sizes in self.scene.commits.items() for row in chain(name, *sizes)]
        if self.outbox.generation:
            rows = [replace(row, commit_id=f"{row.commit_id} anew") for row in rows]
        self.outbox.rows = {row.key: row for row in rows}
        self.truth.make_anew(rows)

    # Sources

    def _source_steps(self) -> list[Step]:
        shards = [giver for giver in self.givers[:-1] if not giver.source.is_gone]
        return [step for giver in shards for step in self._shard_steps(giver)] + self._sweep_steps(self.givers[-1])

    def _shard_steps(self, giver: Giver) -> list[Step]:
        letting_go = Step(f"{giver.name} lets go", lambda: self.flow.withdraw(giver.source))
        losing = self._fault("lose lease", f"{giver.name} loses its lease", lambda: self._lose_lease(giver))
        may_lose = bool(self.left.get("lose lease")) and giver.permit.is_certain
        if giver.source.is_draining:
            return [letting_go, losing] if may_lose else [letting_go]
        steps = [
            Step(f"{giver.name} hands in {_name(row)}", lambda row=row: self._hand_in(giver, row))
            for row in giver.records
        ]
        if self.left.get("stop"):
            steps.append(self._fault("stop", f"{giver.name} is told to stop", lambda: self._stop(giver)))
        if may_lose:
            steps.append(losing)
        elif not giver.permit.is_certain:
            steps.append(letting_go)
        return steps

    def _sweep_steps(self, giver: Giver) -> list[Step]:
        is_needed = bool(self.outbox.rows) and not self.flow.counts()["aggregates"] and self.asked is None
        if is_needed:
            return [Step("the sweep brings what is owed", lambda: self._sweep(giver))]
        if self.outbox.rows and self.left.get("sweep meanwhile"):
            return [self._fault("sweep meanwhile", "the sweep passes by", lambda: self._sweep(giver))]
        return []

    def _hand_in(self, giver: Giver, row: OutboxRow) -> None:
        giver.records.remove(row)
        is_first = giver is self.givers[0]  # the others may be late: what they read may have been settled since
        self._give(giver, [row], self.appended_at if is_first else NEVER)

    def _sweep(self, giver: Giver) -> None:
        if self.known_generation != self.outbox.generation:
            self._notice()
        self._give(giver, list(self.outbox.rows.values()), self.runtime.monotonic())

    def _give(self, giver: Giver, rows: Sequence[OutboxRow], seen_at: float) -> None:
        for row in rows:
            page = CommitPage(giver.source.kind, self.runtime.monotonic())
            giver.claims[row.aggregate_id] = max(row.last, giver.claims.get(row.aggregate_id, 0))
            giver.pages = [(each, page_) for each, page_ in giver.pages if each.key != row.key]
            giver.pages.append((row, page))
            self.flow.hand_in(giver.source, page, [row], seen_at)
            page.is_sealed = True
        self.runtime.advance(MOMENT)

    def _stop(self, giver: Giver) -> None:
        giver.permit.is_stopping = True
        self.flow.drain(giver.source)

    def _lose_lease(self, giver: Giver) -> None:
        giver.permit.is_certain = False

    def _check_page(self, giver: Giver, row: OutboxRow, page: CommitPage) -> None:
        """A page that is dealt with may be passed by a checkpoint: its rows are settled, late, or wait alone."""
        there = self.outbox.rows.get(row.key)
        if not page.is_dealt_with or there is None or there.commit_id != row.commit_id:
            return
        is_late = BUS in there.delivered
        is_alone = row.aggregate_id in self.truth.alone
        assert is_late or is_alone, f"{giver.name} may pass {_name(row)}, which is owed: {dict(page.fates)}"

    # The bus

    def _bus_steps(self) -> list[Step]:
        steps = []
        if self.flow.has_work_for_bus() and len(self.bus.unanswered) < self.bus.window:
            steps.append(Step("the bus is sent what may go", self.pump._fill))
        for turn in self.bus.unanswered:
            what = f"{turn.aggregate.id}/{turn.event.sequence_number}{_age(turn.commit.row)}"
            steps.append(Step(f"the bus takes {what}", lambda turn=turn: self._take(turn)))
            if self.left.get("refuse"):
                steps.append(self._fault("refuse", f"the bus refuses {what}", lambda turn=turn: self._refuse(turn)))
            if self.left.get("silence") and not turn.is_silent and not turn.commit.is_gone:
                steps.append(self._fault("silence", f"{what} is not answered", lambda turn=turn: self._silence(turn)))
        if self.bus.unanswered and any(turn.is_silent for turn in self.bus.unanswered):
            steps.append(Step("the connection is given up", lambda: self._lose(has_arrived=False)))
        if self.bus.unanswered and self.left.get("connection"):
            for has_arrived in (False, True):
                name = f"the connection is lost, what was sent has {'' if has_arrived else 'not '}arrived"
                steps.append(self._fault("connection", name, lambda has=has_arrived: self._lose(has_arrived=has)))
        return steps

    def _on_send(self, turn: Turn) -> None:
        row = turn.commit.row
        is_claimed = any(each.may_send and each.claims.get(row.aggregate_id, 0) >= row.last for each in self.givers)
        number = turn.event.sequence_number
        try:
            self.truth.may_send(row, number, self.runtime.monotonic(), is_claimed=is_claimed)
        except AssertionError as error:
            self.broken = error  # the pump takes whatever sending raises for a defect, and holds the aggregate back

    def _answer(self, turn: Turn) -> None:
        self.bus.unanswered.remove(turn)

    def _take(self, turn: Turn) -> None:
        self._answer(turn)
        if turn in self.void:
            self.truth.arrive(turn.commit.row, turn.event.sequence_number)
        else:
            self.truth.take(turn.commit.row, turn.event.sequence_number)
        self.pump._hear(BusNews(taken=[turn]))

    def _refuse(self, turn: Turn) -> None:
        self._answer(turn)
        if turn.commit.row.commit_id in self.truth.commits:
            self.truth.alone.add(turn.aggregate.id)
            self.truth.refused_at[turn.aggregate.id] = self.runtime.monotonic()
        self.pump._hear(BusNews(refused=[turn]))

    def _silence(self, turn: Turn) -> None:
        self.truth.alone.add(turn.aggregate.id)
        self.pump._call_silent([turn])

    def _lose(self, *, has_arrived: bool) -> None:
        for turn in self.bus.unanswered if has_arrived else ():
            self.truth.arrive(turn.commit.row, turn.event.sequence_number)
        self.pump._give_up()

    # Questions

    def _asker_steps(self) -> list[Step]:
        if self.asked is None:
            return [Step("the outbox is asked", self._ask)] if self.flow.counts()["questions"] else []
        steps = [Step("the answer comes", lambda: self._hear(self._seen()))]
        if self._seen() != self.outbox:
            steps.append(Step("a later answer comes", lambda: self._hear(self.outbox.seen())))
        if self.left.get("question"):
            steps.append(self._fault("question", "no answer comes", self._hear_nothing))
        return steps

    def _ask(self) -> None:
        self.runtime.advance(MOMENT)
        questions = self.flow.questions()
        if not questions.is_empty():
            self.asked = questions, self.outbox.seen(), self.runtime.monotonic()

    def _seen(self) -> Outbox:
        assert self.asked is not None, "an answer is to a question"
        return self.asked[1]

    def _hear(self, seen: Outbox) -> None:
        assert self.asked is not None, "an answer is to a question"
        questions, then, at = self.asked
        self.asked = None
        asker = Asker(
            flow=self.flow,
            reader=cast("Any", HandReader(seen)),
            events=cast("Any", None),
            table=cast("Any", HandTable(self.outbox, then.generation, self._notice)),
            runtime=cast("Any", AskedThen(self.runtime, at)),
        )
        asker._ask(questions)
        self.runtime.advance(MOMENT)

    def _hear_nothing(self) -> None:
        assert self.asked is not None, "an answer is to a question"
        questions, self.asked = self.asked[0], None
        self.flow.unanswered(questions)

    # Sides

    def _side_steps(self) -> list[Step]:
        steps = []
        for name in self.scene.sides:
            side = self.flow._sides[name]
            if side.waiting:
                steps.append(Step(f"the {name} takes what waits", lambda name=name: self._serve(name)))
                if self.left.get("side"):
                    steps.append(self._fault("side", f"the {name} takes nothing", lambda n=name: self._leave(n)))
            if side.is_open and self.left.get("close"):
                steps.append(self._fault("close", f"the {name} is down", lambda n=name: self.flow.close_side(n)))
            if not side.is_open:
                steps.append(Step(f"the {name} is well again", lambda n=name: self.flow.open_side(n)))
        return steps

    def _serve(self, name: str) -> None:
        taken = [commit for commit, _ in self.flow.take_for_side(name, 10)]
        self.truth.indexed |= {commit.row.commit_id for commit in taken}
        self.flow.side_answered(name, taken=taken)

    def _leave(self, name: str) -> None:
        self.flow.side_answered(name, left=[commit for commit, _ in self.flow.take_for_side(name, 10)])

    # Settling

    def _settler_steps(self) -> list[Step]:
        if self.writing is not None:
            steps = [Step("it is written down", lambda: self._write(is_heard=True))]
            if self.left.get("write"):
                name = "it is written down, and the reply is lost"
                steps.append(self._fault("write", name, lambda: self._write(is_heard=False)))
            return steps
        late_at = next(iter(self.flow._awaiting.values()), float("inf"))
        if self.flow._settling or self.flow._refused or late_at <= self.runtime.monotonic():
            return [Step("a settler takes what is to be written", self._take_writes)]
        return []

    def _take_writes(self) -> None:
        due = [at for at, _ in self.flow._settling]
        if due and not self.flow._refused:
            self.runtime.advance(max(0.0, min(due) - self.runtime.monotonic()) + MOMENT)
        work = self.flow.settlement(may_delete=True)
        self.writing = None if work.is_empty() else replace(work, wait_seconds=0.0)

    def _write(self, *, is_heard: bool) -> None:
        work, self.writing = self.writing, None
        assert work is not None, "there is something to write"
        self.writer.is_heard = is_heard
        self.settler._settle(work)
        self.runtime.advance(MOMENT)

    # Others

    def _table_steps(self) -> list[Step]:
        steps = []
        if self.neighbour:
            row = self.neighbour[0]
            steps.append(Step(f"the neighbour settles {_name(row)}", self._neighbour_settles))
        elif self.left.get("neighbour"):
            for name in self.scene.commits:
                owed = [row for key, row in sorted(self.outbox.rows.items()) if key[0] == name]
                row = next((row for row in owed if BUS not in row.delivered), None)
                if row is not None:
                    words = f"a neighbour sends {_name(row)}"
                    steps.append(self._fault("neighbour", words, lambda row=row: self._neighbour_sends(row)))
        if self.left.get("anew"):
            steps.append(self._fault("anew", "the tables are made anew", self._make_anew))
        if self.known_generation != self.outbox.generation:
            steps.append(Step("the worker notices", self._notice))
        return steps

    def _neighbour_sends(self, row: OutboxRow) -> None:
        for number in range(row.first, row.last + 1):
            assert number <= self.truth.reach[row.aggregate_id] + 1, "the neighbour keeps the order"
            self.truth.arrive(row, number)
        self.neighbour.append(row)

    def _neighbour_settles(self) -> None:
        row = self.neighbour.pop()
        there = self.outbox.rows.get(row.key)
        if there is None or there.commit_id != row.commit_id:
            return
        there = replace(there, delivered=there.delivered | {BUS})
        if lacking(there, self.flow.names):
            self.outbox.rows[row.key] = there
        else:
            del self.outbox.rows[row.key]

    def _make_anew(self) -> None:
        self.outbox.generation += 1
        self._fill_tables()

    def _notice(self) -> None:
        self.known_generation = self.outbox.generation
        self.truth.confirmed.clear()  # what is known of the former tables is forgotten, and so is what came since
        self.void = list(self.bus.unanswered)
        self.flow.void()

    # Time

    def _time_steps(self, *, is_idle: bool) -> list[Step]:
        due = [at for at, _, _ in self.flow._due]
        late_at = next(iter(self.flow._awaiting.values()), None)
        if late_at is not None and late_at > self.runtime.monotonic():
            due.append(late_at)
        if not due:
            return []
        if is_idle:
            return [Step("time passes", lambda: self._wait(min(due)))]
        if self.left.get("time"):
            return [self._fault("time", "time passes meanwhile", lambda: self._wait(min(due)))]
        return []

    def _wait(self, until: float) -> None:
        self.runtime.advance(max(0.0, until - self.runtime.monotonic()) + MOMENT)
        self.flow.wake_due()

    def _fault(self, kind: str, name: str, do: Any) -> Step:
        def happen() -> None:
            self.left[kind] -= 1
            do()

        return Step(name, happen, is_fault=True)


_STATE = (
    *("_aggregates", "_ready", "_turns", "_asking", "_bringing", "_fetching", "_progress", "_settled", "_refusals"),
    *("_alone", "_sides", "_settling", "_refused", "_awaiting", "_unsettled", "_others_tried_at"),
)
"""What of the flow says how it goes on; its counts follow from these, and are checked."""

SKIPPED = (ManualRuntime, SilentMeter, Flow, Delivery)


def _name(row: OutboxRow) -> str:
    return f"{row.aggregate_id}/{row.last}{_age(row)}"


def _age(row: OutboxRow) -> str:
    return " anew" if row.commit_id.endswith("anew") else ""

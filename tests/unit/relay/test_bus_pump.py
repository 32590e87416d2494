"""What the pump makes of a bus that confirms late, refuses, falls silent or breaks: how long it waits, and what for."""

from collections.abc import Sequence
from typing import Any

import pytest

from eventstore.backoff import Backoff
from eventstore.model import RecordedEvent
from eventstore.rows.outbox import OutboxRow
from relay.delivery.aggregate import Turn
from relay.delivery.pumps.bus_pump import BUDGET_MAX_SECONDS, BusPump, BusPumpSettings
from relay.destination import BUS, BusLostError, BusNews, Park, Trouble, TroubleKind
from tests.support.delivering import TestedPermit

from .flow_world import FlowWorld

OUTAGE = Trouble(TroubleKind.OUTAGE, "down")
BLOCKED = Trouble(TroubleKind.OUTAGE, "low on disk")
NO_ROUTE = Trouble(TroubleKind.MISCONFIGURED, "no queue")
BUDGET = 10.0


class ScriptedBus:
    """An `EventBus` that says what the test wrote down, one entry a listen, and nothing afterwards."""

    name = BUS
    warning: str | None = None

    def __init__(self, world: FlowWorld, window: int) -> None:
        self.world = world
        self.window = window
        self.is_open = False
        self.sent: list[str] = []
        self.unanswered: list[Turn] = []
        self.script: list[BusNews[Turn] | BusLostError] = []
        self.open_errors: list[BusLostError] = []
        self.opened = 0
        self.faults: dict[str, Park] = {}
        self.defects: set[str] = set()

    def open(self) -> None:
        if self.is_open:
            return
        self.opened += 1
        if self.open_errors:
            raise self.open_errors.pop(0)
        self.is_open = True

    def unsendable(self, row: OutboxRow) -> Park | None:
        if row.aggregate_id in self.defects:
            raise ZeroDivisionError
        return self.faults.get(row.aggregate_id)

    def send(self, event: RecordedEvent, token: Any) -> bool:
        assert self.is_open
        assert len(self.unanswered) < self.window, "beyond the window"
        assert event.aggregate_id not in {turn.aggregate.id for turn in self.unanswered}, "two of one aggregate"
        self.sent.append(event.event_id)
        self.unanswered.append(token)
        return True

    def listen(self, timeout_seconds: float) -> BusNews[Turn]:
        assert self.is_open
        if not self.script:
            self.world.runtime.advance(timeout_seconds)
            return BusNews()
        said = self.script.pop(0)
        if isinstance(said, BusLostError):
            raise said
        for turn in (*said.taken, *said.refused, *said.returned):
            self.unanswered.remove(turn)
        return said

    def wake(self) -> None:
        """Its listens do not wait."""

    def drop(self) -> list[Turn]:
        self.is_open = False
        left, self.unanswered = self.unanswered, []
        return left


class Setting:
    """A pump between a flow and a scripted bus, turned by hand."""

    def __init__(self, window: int = 10, **flow: Any) -> None:
        self.world = FlowWorld(**flow)
        self.bus = ScriptedBus(self.world, window)
        settings = BusPumpSettings(budget_seconds=BUDGET, retry=Backoff(base_seconds=1.0, cap_seconds=4.0))
        self.pump = BusPump(self.bus, self.world.flow, self.world.runtime, settings)

    def hand_in(self, *names: str, permit: TestedPermit | None = None, sizes: Sequence[int] = (1,)) -> None:
        rows = [row for name in names for row in self.world.append(name, *sizes)]
        self.world.hand_in(self.world.source(permit), rows)

    def turn(self, count: int = 1) -> None:
        for _ in range(count):
            self.pump._turn()
            self.world.ask()
            self.world.runtime.advance(0.001)

    def wait(self, seconds: float) -> None:
        """Turn until so much time has passed."""
        end = self.world.now + seconds
        while self.world.now < end:
            self.turn()

    def take(self, *names: str) -> None:
        """Let the next listen say that the unanswered events of these aggregates, or all, are taken."""
        taken = [turn for turn in self.bus.unanswered if not names or turn.aggregate.id in names]
        self.bus.script.append(BusNews(taken=taken))

    def refuse(self, *names: str) -> None:
        self.bus.script.append(BusNews(refused=[turn for turn in self.bus.unanswered if turn.aggregate.id in names]))


def test_the_window_is_kept() -> None:
    """
    What does not fit goes when there is room.
    """
    setting = Setting(window=2)
    setting.hand_in("a", "b", "c")
    setting.turn()
    assert setting.bus.sent == ["a:1", "b:1"]

    setting.take("b")
    setting.turn()
    setting.turn()

    assert setting.bus.sent == ["a:1", "b:1", "c:1"]


def test_nothing_is_sent_without_a_permit_and_it_is_asked_before_each_message() -> None:
    """
    A process may be suspended anywhere: a permit that ends between two messages keeps the second back.
    """
    setting = Setting()
    permit = TestedPermit(lambda: 0.0 if setting.bus.sent else 5.0)
    setting.hand_in("a", "b", "c", permit=permit)
    setting.turn()
    setting.take()
    setting.wait(5.0)
    assert setting.bus.sent == ["a:1"]
    assert setting.pump.trouble is None

    permit.certain_seconds = 5.0
    setting.wait(1.0)
    assert setting.bus.sent == ["a:1", "b:1", "c:1"]


def test_a_commit_begun_goes_on_for_a_while_when_its_permit_is_revoked() -> None:
    """
    For five seconds; a new one is not begun. When the permit holds again, both go.
    """
    setting = Setting(window=1)
    is_over = [False]
    setting.hand_in("a", "b", permit=TestedPermit(is_over=lambda: is_over[0]), sizes=(4,))
    setting.turn()
    is_over[0] = True
    for _ in range(2):
        setting.take()
        setting.wait(0.5)
    setting.take()
    assert setting.bus.sent == ["a:1", "a:2", "a:3"]
    setting.world.runtime.advance(5.0)
    setting.wait(3.0)
    assert setting.bus.sent == ["a:1", "a:2", "a:3"]
    assert setting.pump.trouble is None

    is_over[0] = False
    for _ in range(20):
        setting.wait(0.2)
        setting.take()
        setting.turn()
    assert sorted(setting.bus.sent) == [f"{name}:{number}" for name in "ab" for number in range(1, 5)]


def test_no_answer_at_all_costs_the_connection_and_doubles_the_budget() -> None:
    """
    A budget shorter than a confirm takes would send copies for ever; one that is answered brings it back.
    """
    setting = Setting()
    setting.hand_in("a")
    waits = []
    for _ in range(8):
        while not setting.bus.unanswered:
            setting.turn()
        began = setting.world.now
        while setting.bus.unanswered:
            setting.turn()
        waits.append(setting.world.now - began)
        assert setting.pump.trouble is not None
        assert "1 messages stayed unconfirmed" in setting.pump.trouble.reason

    wanted = [min(BUDGET * 2**each, BUDGET_MAX_SECONDS) for each in range(8)]
    assert all(abs(wait - least) <= 1.1 for wait, least in zip(waits, wanted, strict=True))
    while not setting.bus.unanswered:
        setting.turn()
    setting.take()
    setting.turn()
    assert setting.pump.trouble is None
    assert setting.pump._budget == BUDGET


def test_a_long_commit_that_is_confirmed_slowly_keeps_its_connection() -> None:
    """
    The budget is one of progress: each confirm begins it anew, and nothing is sent again.
    """
    setting = Setting()
    setting.hand_in("a", sizes=(30,))
    for _ in range(30):
        setting.turn()
        setting.world.runtime.advance(BUDGET - 2.0)
        setting.take()
        setting.turn()

    assert setting.bus.opened == 1
    assert setting.bus.sent == [f"a:{number}" for number in range(1, 31)]


def test_a_nack_is_its_aggregates_own() -> None:
    """
    Others go on at once, and it is no trouble of the bus.
    """
    setting = Setting()
    setting.hand_in("a", "b", sizes=(1, 1))
    setting.turn()
    setting.refuse("a")
    setting.take("b")
    setting.turn(3)

    assert setting.bus.sent == ["a:1", "b:1", "b:2"]
    assert setting.pump.trouble is None
    assert setting.world.flow.count_held_up() == {"nack": 1}


def test_a_bus_that_takes_nothing_is_in_trouble_until_it_takes_something() -> None:
    """
    Of many aggregates: then it is no queue's own matter.
    """
    setting = Setting(window=30)
    names = [f"a{each}" for each in range(20)]
    setting.hand_in(*names)
    setting.turn()
    setting.refuse(*names)
    setting.turn()
    assert setting.pump.trouble is not None
    assert "refuses whatever it is sent" in setting.pump.trouble.reason
    assert setting.pump.well_since is None
    setting.hand_in(*(f"b{each}" for each in range(25)))
    setting.turn()
    setting.take()
    setting.turn()

    assert setting.pump.trouble is None
    assert setting.pump.well_since is not None


def test_an_event_that_stays_unanswered_while_others_are_waits_alone() -> None:
    """
    The connection stays; nobody waits for it, and it is not sent again while it may still be answered.
    """
    setting = Setting()
    setting.hand_in("stuck")
    setting.turn()
    for number in range(8):
        setting.hand_in(f"b{number}")
        setting.turn()
        setting.world.runtime.advance(2.0)
        setting.take(f"b{number}")
        setting.turn()

    assert setting.world.flow.count_held_up() == {"silent": 1}
    assert (setting.bus.opened, setting.pump.trouble) == (1, None)
    assert setting.bus.sent.count("stuck:1") == 1


def test_many_silent_events_give_the_window_back() -> None:
    """
    Half of it: the connection is replaced without a trouble, and they wait alone with a pause.
    """
    setting = Setting(window=4)
    setting.hand_in("s1", "s2")
    setting.turn()
    for number in range(8):
        setting.hand_in(f"b{number}")
        setting.turn()
        if not setting.bus.is_open:
            break
        setting.world.runtime.advance(2.0)
        setting.take(f"b{number}")
        setting.turn()

    assert not setting.bus.is_open
    assert setting.pump.trouble is None
    assert setting.world.flow.count_held_up() == {"silent": 2}
    setting.turn()
    assert setting.bus.is_open


def test_one_silent_event_is_given_up_after_a_while_without_repeats_of_others() -> None:
    """
    Its answer was lost, and others keep coming: nothing new is sent until they are answered, then it is tried again.
    """
    setting = Setting(window=10)
    setting.hand_in("s")
    setting.turn()
    number = 0
    while setting.bus.opened == 1:
        number += 1
        assert setting.world.now < 1_000.0 + 8 * BUDGET, "it waits for ever"
        setting.hand_in(f"b{number}")
        setting.turn()
        setting.world.runtime.advance(2.0)
        if any(turn.aggregate.id == f"b{number}" for turn in setting.bus.unanswered):
            setting.take(f"b{number}")
        setting.turn()

    assert setting.world.now > 1_000.0 + 6 * BUDGET
    assert setting.pump.trouble is None
    assert setting.world.flow.count_held_up() == {"silent": 1}
    assert len(setting.bus.sent) == len(set(setting.bus.sent))


def test_a_silent_event_that_is_answered_at_last_holds_nobody_up() -> None:
    """
    It was about to be given up, and nothing new was sent; its answer came before those of the others.
    """
    setting = Setting(window=10)
    setting.hand_in("s")
    setting.turn()
    number = 0
    while True:  # until the newest is not sent any more
        number += 1
        assert setting.world.now < 1_000.0 + 8 * BUDGET, "it waits for ever"
        setting.hand_in(f"b{number}")
        setting.turn()
        if f"b{number}:1" not in setting.bus.sent:
            break
        setting.take(f"b{number - 1}")
        setting.world.runtime.advance(2.0)
        setting.turn()

    setting.take("s", f"b{number - 1}")
    setting.turn(2)

    assert setting.bus.sent[-1] == f"b{number}:1"
    assert (setting.bus.opened, setting.pump.trouble) == (1, None)


def test_who_stood_still_hears_what_came_before_it_calls_anybody_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The process was stopped between two listens; the answer came meanwhile.
    """
    setting = Setting()
    setting.hand_in("a", "b")
    setting.turn()
    setting.take("b")
    setting.turn()
    hear = setting.pump._hear

    def stand_still(news: BusNews[Turn]) -> None:
        hear(news)
        setting.world.runtime.advance(10 * BUDGET)

    with monkeypatch.context() as patched:
        patched.setattr(setting.pump, "_hear", stand_still)
        setting.turn()
    assert [turn.aggregate.id for turn in setting.bus.unanswered] == ["a"]
    setting.take("a")
    setting.turn()

    assert (setting.bus.opened, setting.bus.sent) == (1, ["a:1", "b:1"])
    assert setting.world.flow.count_held_up() == {}


def test_a_message_that_took_long_to_send_is_waited_for_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The broker's socket took the message only after many budgets, or the process was stopped meanwhile.
    """
    setting = Setting()
    setting.hand_in("a")
    send = setting.bus.send

    def send_slowly(event: RecordedEvent, token: Any) -> bool:
        setting.world.runtime.advance(5 * BUDGET)
        return send(event, token)

    with monkeypatch.context() as patched:
        patched.setattr(setting.bus, "send", send_slowly)
        setting.turn()
    assert [turn.aggregate.id for turn in setting.bus.unanswered] == ["a"]
    setting.take("a")
    setting.turn()

    assert (setting.bus.opened, setting.bus.sent) == (1, ["a:1"])


def test_a_silent_event_alone_costs_no_looks() -> None:
    """
    Nothing else is unanswered, so there is nothing to look after: each listen lasts as long as one may.
    """
    setting = Setting(window=10)
    setting.hand_in("s")
    setting.turn()
    setting.hand_in("b")
    setting.wait(BUDGET / 2)
    setting.take("b")
    setting.wait(BUDGET)
    before = setting.world.now
    setting.turn(10)

    assert setting.world.flow.count_held_up() == {"silent": 1}
    assert setting.world.now - before >= 10.0


def test_what_is_sent_after_a_quiet_time_is_given_its_own_time() -> None:
    """
    Nothing was heard while only a silent event was unanswered: that says nothing of the next one.
    """
    setting = Setting(window=10)
    setting.hand_in("s")
    setting.turn()
    setting.hand_in("b")
    setting.wait(BUDGET / 2)
    setting.take("b")
    setting.wait(BUDGET)
    setting.wait(2 * BUDGET)
    setting.hand_in("c")
    setting.turn()
    setting.turn()

    assert setting.world.flow.count_held_up() == {"silent": 1}
    assert (setting.bus.opened, setting.pump.trouble) == (1, None)
    setting.take("c")
    setting.turn()
    assert setting.bus.sent == ["s:1", "b:1", "c:1"]


def test_a_blocked_bus_is_listened_to_and_not_written_to() -> None:
    """
    However long it lasts the connection stays, since it says that it answers nobody.
    """
    setting = Setting()
    setting.hand_in("a", sizes=(1, 1))
    setting.turn()
    turn = setting.bus.unanswered[0]
    setting.bus.script = [BusNews(taken=[turn], trouble=BLOCKED), *[BusNews(trouble=BLOCKED)] * 60]
    for _ in range(60):
        setting.turn()
        setting.world.runtime.advance(1.0)
    assert setting.pump.trouble == BLOCKED
    assert (setting.bus.sent, setting.bus.opened) == (["a:1"], 1)

    setting.bus.script = [BusNews()]
    setting.turn(4)
    assert setting.bus.sent == ["a:1", "a:2"]


def test_a_bus_that_a_person_must_mend_is_left_once_all_is_answered() -> None:
    """
    Nothing more is sent; what is under way may still be taken; the next connection declares everything again.
    """
    setting = Setting()
    setting.hand_in("a", "b", sizes=(1, 1))
    setting.turn()
    first, second = setting.bus.unanswered
    setting.bus.script = [BusNews(returned=[first], trouble=NO_ROUTE)]
    setting.turn()
    assert setting.bus.is_open
    setting.bus.script = [BusNews(taken=[second], trouble=NO_ROUTE)]
    setting.turn()

    assert not setting.bus.is_open
    assert setting.pump.trouble == NO_ROUTE
    assert setting.bus.sent == ["a:1", "b:1"]
    setting.wait(5.0)
    assert sorted(setting.bus.sent) == ["a:1", "a:1", "b:1", "b:2"]


def test_an_outage_is_waited_out_with_growing_pauses() -> None:
    """
    The bus is left alone in between; what was unanswered is sent again, once.
    """
    setting = Setting()
    setting.hand_in("a")
    setting.turn()
    setting.bus.script = [BusLostError(OUTAGE)]
    setting.bus.open_errors = [BusLostError(OUTAGE)] * 4
    setting.turn()
    assert setting.pump.trouble == OUTAGE
    began = setting.world.now
    while not setting.bus.is_open:
        setting.turn()

    assert setting.pump.failures == 5
    assert 0.0 < setting.world.now - began <= 1 + 2 + 4 + 4 + 4
    setting.turn()
    assert setting.bus.sent == ["a:1", "a:1"]
    setting.take()
    setting.turn()
    assert setting.pump.failures == 0


def test_a_limit_that_was_learnt_is_no_trouble() -> None:
    """
    The connection is gone, and the next is opened at once.
    """
    setting = Setting()
    setting.hand_in("a")
    setting.turn()
    setting.bus.script = [BusLostError(None)]
    setting.turn(2)

    assert setting.pump.trouble is None
    assert setting.bus.sent == ["a:1", "a:1"]


def test_what_can_never_be_sent_is_not() -> None:
    """
    It is on its way to be parked, and the others go.
    """
    setting = Setting()
    setting.bus.faults["a"] = Park("too large", "message_too_large")
    setting.hand_in("a", "b")
    setting.turn()
    setting.world.answer()
    setting.world.settle()

    assert setting.bus.sent == ["b:1"]
    assert setting.world.outbox["a", 1].parked == {BUS: "too large"}


def test_a_limit_that_is_learnt_in_the_middle_of_a_commit_parks_what_is_left_of_it() -> None:
    """
    The broker took the first event and refuses the second for its size: that is not sent for ever.
    """
    setting = Setting()
    setting.hand_in("a", "b", sizes=(2,))
    setting.turn()
    setting.take("a")
    setting.turn(2)
    assert setting.bus.sent == ["a:1", "b:1", "a:2"]
    setting.bus.faults["a"] = Park("too large", "message_too_large")
    setting.bus.script = [BusLostError(None)]
    setting.turn(3)
    setting.world.answer()
    setting.world.settle()

    assert setting.bus.sent.count("a:2") == 1
    assert setting.world.outbox["a", 2].parked == {BUS: "too large"}


def test_a_commit_that_the_program_fails_on_is_held_back(log_events: list[Any]) -> None:
    """
    Four in a row are; the fifth ends the part, since the fault is ours.
    """
    setting = Setting()
    setting.bus.defects.update(f"a{each}" for each in range(5))
    setting.hand_in("a0", "a1", "a2", "a3", "b")
    setting.turn()
    assert setting.bus.sent == ["b:1"]
    assert setting.world.flow.count_held_up() == {"defect": 4}
    assert [event["event"] for event in log_events].count("commit.held_back") == 4

    setting.hand_in("a4")
    with pytest.raises(ZeroDivisionError):
        setting.turn()


def test_recovery_is_not_told_while_something_is_amiss(log_events: list[Any]) -> None:
    """
    The exchange came back without bindings: the bus takes everything, which is no trouble, but is not well either.
    """
    setting = Setting()
    setting.hand_in("a")
    setting.bus.open_errors = [BusLostError(NO_ROUTE)]
    setting.turn()
    setting.bus.warning = "the exchange was gone"
    setting.wait(5.0)
    setting.take()
    setting.wait(1.0)
    assert setting.pump.trouble is None
    assert setting.pump.warning == "the exchange was gone"
    assert [each["event"] for each in log_events if each["event"].startswith("destination.")] == [
        "destination.troubled"
    ]

    setting.bus.warning = None
    setting.wait(1.0)
    (recovered,) = [each for each in log_events if each["event"] == "destination.recovered"]
    assert recovered["after"] == NO_ROUTE.reason

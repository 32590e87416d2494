"""A needless repeat is found, a necessary one is none, and copies are counted by process."""

from collections.abc import Callable

import pytest

from relay.destinations.bus.broker import Acked, Nacked, Returned
from tests.simulation import repeats as module
from tests.simulation.ledger import Ledger, Violation
from tests.simulation.repeats import Repeats, Unread, copies_allowed
from tests.simulation.scheduler import Process, Scheduler

ONE, OTHER = Process("relay-1"), Process("relay-2")


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPEATS_ARE_CHECKED", True)


def run(body: Callable[[Repeats], None]) -> None:
    scheduler = Scheduler("1", stickiness=0.3, steps_max=1_000)
    scheduler.run(lambda: body(Repeats(Ledger(scheduler), scheduler)))


def test_what_was_confirmed_to_a_process_it_sends_no_more() -> None:
    """Another process may, and so may this one what was not confirmed."""

    def body(repeats: Repeats) -> None:
        for process, event_id in ((ONE, "a"), (ONE, "a"), (ONE, "b"), (OTHER, "a")):
            repeats.sent(process, event_id)
        repeats.confirmed(ONE, ["a"])
        repeats.sent(ONE, "b")
        repeats.sent(OTHER, "a")
        assert repeats.copies("a") == {"relay-1": 2, "relay-2": 2}
        assert repeats.copies("c") == {}
        repeats.sent(ONE, "a")

    with pytest.raises(Violation, match="a process sends nothing again that was confirmed to it: a by relay-1"):
        run(body)


def test_a_new_store_may_owe_the_same_events() -> None:
    """What was confirmed for the old one says nothing about it."""

    def body(repeats: Repeats) -> None:
        repeats.is_calm = True
        repeats.sent(ONE, "a")
        repeats.confirmed(ONE, ["a"])
        repeats.begin_anew()
        repeats.sent(ONE, "a")

    run(body)


def test_an_answer_to_what_was_sent_before_a_process_forgot_tells_it_nothing() -> None:
    """It has noticed that the tables are others while the answer was on its way, and may owe the event again."""

    def body(repeats: Repeats) -> None:
        repeats.sent(ONE, "a")
        repeats.forget(ONE)
        repeats.confirmed(ONE, ["a"])
        repeats._scheduler.wait("later", None, 0.5)
        repeats.sent(ONE, "a")

    run(body)


def test_without_faults_nothing_is_sent_twice() -> None:
    """By whomever."""

    def body(repeats: Repeats) -> None:
        repeats.is_calm = True
        repeats.sent(ONE, "a")
        repeats.sent(OTHER, "a")

    with pytest.raises(Violation, match="in a world without faults nothing is sent twice: a by relay-2"):
        run(body)


def test_what_is_read_is_what_counts() -> None:
    """A multiple ack confirms all below it but what was nacked or returned, each once."""
    unread = Unread()
    for tag, event_id in enumerate("abcdef", start=1):
        unread.sent(tag, event_id)
    assert unread.read([Nacked(2, multiple=False), Returned("c", 312, "NO_ROUTE")]) == []
    assert unread.read([Acked(4, multiple=True)]) == ["a", "d"]
    assert unread.read([Acked(6, multiple=False), Acked(4, multiple=True)]) == ["f"]
    assert unread.read([Nacked(6, multiple=True)]) == []
    assert unread.read([Acked(6, multiple=True)]) == []


@pytest.mark.parametrize(
    ("seconds", "copies"),
    [(0, 1), (0.9, 1), (1, 2), (2.9, 2), (3, 3), (120, 7), (511, 10), (810, 10), (811, 11), (3600, 20)],
)
def test_copies_that_are_allowed(seconds: float, copies: int) -> None:
    """At 1, 3, 7, 15, 31, 63, 127, 255 and 511 s after the first, then every 300 s."""
    assert copies_allowed(seconds) == copies


def test_the_most_copies_are_of_one_process_and_since_a_moment() -> None:
    """Others' copies are not added up."""
    scheduler = Scheduler("1", stickiness=0.3, steps_max=1_000)

    def body() -> None:
        repeats = Repeats(Ledger(scheduler), scheduler)
        assert repeats.most_copies(0)[0] == 0
        for process in (ONE, ONE, OTHER):
            repeats.sent(process, "a")
        scheduler.wait("sleep", None, 10)
        repeats.sent(OTHER, "a")
        assert repeats.most_copies(0) == (2, "a by relay-2")
        assert repeats.most_copies(5) == (1, "a by relay-2")

    scheduler.run(body)

"""The limiter: who may send, who waits, who is turned away."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import AimdSettings, EventStore, StoreOptions, ThrottledError
from eventstore.dynamodb.limiter import Limiter, Signal, Slot
from eventstore.system import SystemRuntime
from tests.support.waiting import until

from .conftest import ITEM, QUICK, FaultyClient, event, throttle


def limiter(start: int, queue_max: int = 10) -> Limiter:
    return Limiter(SystemRuntime(), AimdSettings(start=start), queue_max)


def entered(door: Limiter, timeout_seconds: float = 0.0) -> Slot:
    slot = door.enter(timeout_seconds)
    assert slot is not None
    return slot


def start(body: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=body)
    thread.start()
    return thread


def test_who_waits_enters_when_another_leaves_in_order() -> None:
    """
    First come, first served.
    """
    door, order = limiter(1), []
    slot = entered(door)

    def wait(name: str) -> None:
        own = entered(door, 10.0)
        order.append(name)
        door.leave(own, Signal.SAYS_NOTHING)

    threads = []
    for number, name in enumerate("abc", start=1):
        threads.append(start(lambda name=name: wait(name)))  # type: ignore[misc]
        until(lambda number=number: door.state().waiting == number, "it waits")  # type: ignore[misc]
    door.leave(slot, Signal.SAYS_NOTHING)
    for thread in threads:
        thread.join(10.0)

    assert order == ["a", "b", "c"]
    assert (door.state().in_flight, door.state().waiting) == (0, 0)


def test_who_waits_too_long_goes_away() -> None:
    """
    The place in the queue is given up, and nobody enters for it later.
    """
    door = limiter(1)
    slot = entered(door)

    assert door.enter(0.01) is None

    door.leave(slot, Signal.SAYS_NOTHING)
    assert (door.state().in_flight, door.state().waiting) == (0, 0)
    assert door.enter(0.0) is not None


def test_a_full_queue_turns_away_at_once() -> None:
    """
    The queue is bounded, so memory is, and the caller hears soon.
    """
    door = limiter(1, queue_max=1)
    slot = entered(door)
    waiting = start(lambda: door.leave(entered(door, 10.0), Signal.SAYS_NOTHING))
    until(lambda: door.state().waiting == 1, "it waits")

    assert door.enter(60.0) is None
    assert door.state().turned_away == 1

    door.leave(slot, Signal.SAYS_NOTHING)
    waiting.join(10.0)


def test_a_cut_holds_back_the_next_ones() -> None:
    """
    Of four that may, two are left after a throttle; a third enters when they have come down to that.
    """
    door = limiter(4)
    slots = [entered(door) for _ in range(4)]

    door.leave(slots[0], Signal.THROTTLED)
    assert door.state().limit == 2
    assert door.enter(0.0) is None
    door.leave(slots[1], Signal.THROTTLED)
    assert door.state().limit == 2
    assert door.enter(0.0) is None
    door.leave(slots[2], Signal.SAYS_NOTHING)
    assert door.enter(0.0) is not None


def test_a_waiter_that_is_interrupted_leaves_no_trace() -> None:
    """
    A signal may end the wait by an exception; the place is free again, also when it had just been given.
    """

    class Interrupted(SystemRuntime):
        act: Callable[[], None] = staticmethod(lambda: None)

        def flag(self) -> Any:
            runtime = self

            class Flag:
                def set(self) -> None:
                    pass

                def wait(self, timeout_seconds: float) -> bool:
                    runtime.act()
                    raise KeyboardInterrupt

            return Flag()

    runtime = Interrupted()
    door = Limiter(runtime, AimdSettings(start=1), 10)
    slot = entered(door)
    with pytest.raises(KeyboardInterrupt):
        door.enter(1.0)
    assert door.state().waiting == 0

    runtime.act = lambda: door.leave(slot, Signal.SAYS_NOTHING)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        door.enter(1.0)
    assert (door.state().in_flight, door.state().waiting) == (0, 0)


def test_throttles_and_recovery_show_in_metrics(client: FaultyClient) -> None:
    """
    A throttle halves what may be on its way; successes at full use let it grow again; what is counted is exact.
    """
    options = StoreOptions(append_backoff=QUICK, limiter=AimdSettings(start=2, minimum=1, maximum=4))
    store = EventStore.open(client, options=options)  # type: ignore[arg-type]
    client.before = [throttle()]
    store.append(ITEM, [event(), event()], expected_version=0)
    after_throttle = store.metrics()
    for version in range(2, 6):
        store.append(ITEM, [event()], expected_version=version)

    assert (after_throttle.limiter.limit, after_throttle.limiter.cuts) == (2, 1)
    counts = store.metrics().counts
    assert (counts.appends, counts.events, counts.attempts, counts.throttles) == (5, 6, 6, 1)
    assert (counts.refused, counts.gave_up, counts.repeats) == (0, 0, 0)
    assert (store.metrics().limiter.in_flight, store.metrics().limiter.waiting) == (0, 0)


def test_giving_up_says_when_to_come_back(client: FaultyClient) -> None:
    """
    The caller hears a time above zero, and the metrics count it.
    """
    store = EventStore.open(client, options=StoreOptions(append_backoff=QUICK))  # type: ignore[arg-type]
    client.before = [throttle() for _ in range(4)]

    with pytest.raises(ThrottledError) as caught:
        store.append(ITEM, [event()], expected_version=0)

    assert caught.value.retry_after_seconds > 0
    assert store.metrics().counts.gave_up == 1
    assert store.metrics().limiter.limit == 2

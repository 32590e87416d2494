"""The clock that tests turn: time passes by word alone, and threads that wait for each other still meet."""

import threading
from collections.abc import Iterator

import pytest

from eventstore import ANY, AggregateRef, Append, InvalidInputError, NewEvent
from eventstore.system import SystemPart
from eventstore.testing import ManualRuntime, in_memory_store

START_MS = 1_735_689_600_000
PATIENCE_SECONDS = 20.0


@pytest.fixture
def clock() -> ManualRuntime:
    return ManualRuntime()


def test_time_stands_still_until_it_is_moved(clock: ManualRuntime) -> None:
    """
    It begins at 2025-01-01 UTC; both clocks move by what is slept and advanced, to the millisecond.
    """
    assert (clock.now_ms(), clock.monotonic()) == (START_MS, 0.0)
    for _ in range(10):
        clock.sleep(0.1)
    assert (clock.now_ms(), clock.monotonic()) == (START_MS + 1_000, 1.0)
    clock.advance(3600)
    clock.sleep(-1)
    assert (clock.now_ms(), clock.monotonic()) == (START_MS + 3_601_000, 3601.0)


def test_the_wall_clock_can_be_set(clock: ManualRuntime) -> None:
    """
    Also back; what has passed stays as it is. Time itself cannot be turned back.
    """
    clock.advance(5)
    clock.set_now_ms(1_000)
    assert (clock.now_ms(), clock.monotonic()) == (1_000, 5.0)
    clock.advance(1)
    assert (clock.now_ms(), clock.monotonic()) == (2_000, 6.0)
    with pytest.raises(InvalidInputError, match="set_now_ms"):
        clock.advance(-1)


def test_chance_is_decided_by_the_seed() -> None:
    """
    The same seed gives the same numbers and bytes, another one others.
    """

    def drawn(seed: int) -> tuple[float, bytes]:
        runtime = ManualRuntime(seed=seed)
        return runtime.uniform(), runtime.random_bytes(8)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert len(drawn(1)[1]) == 8
    assert 0 <= drawn(1)[0] < 1


def test_alone_a_wait_ends_at_once_and_takes_manual_time(clock: ManualRuntime) -> None:
    """
    Nobody is there who could raise a flag or fill a channel: the time is over.
    """
    flag, channel = clock.flag(), clock.channel(1)

    assert not flag.wait(3600)
    assert channel.get(1800) is None
    assert channel.put("a", 0)
    assert not channel.put("b", 900)
    assert clock.monotonic() == 6300.0


def test_what_is_there_is_not_waited_for(clock: ManualRuntime) -> None:
    """
    A raised flag, an item and room take no time; items come in order.
    """
    flag, channel = clock.flag(), clock.channel(2)
    flag.set()

    assert flag.is_set()
    assert flag.wait(10)
    assert channel.put("a", 10)
    assert channel.put("b", 10)
    assert (channel.get(10), channel.get(10), channel.get(0)) == ("a", "b", None)
    assert clock.monotonic() == 0.0


def test_a_wait_ends_when_another_thread_ends_it(clock: ManualRuntime) -> None:
    """
    While a part works, the others wait for it, and no time passes.
    """
    flag, channel, may_work = clock.flag(), clock.channel(1), threading.Event()

    def work() -> None:
        clock.now_ms()
        assert may_work.wait(PATIENCE_SECONDS)
        channel.put("made", 1)
        flag.set()

    part = clock.spawn("worker", work)
    may_work.set()
    assert channel.get(PATIENCE_SECONDS) == "made"
    assert flag.wait(PATIENCE_SECONDS)
    assert part.join(PATIENCE_SECONDS)
    assert part.failure is None
    assert clock.monotonic() == 0.0


def test_when_all_wait_time_goes_to_the_first_end(clock: ManualRuntime) -> None:
    """
    Two parts that wait for each other's flags: the shorter wait ends, and its part then ends the longer one.
    """
    first, second = clock.flag(), clock.flag()
    found: list[tuple[str, bool, float]] = []

    def short() -> None:
        found.append(("short", second.wait(10), clock.monotonic()))
        first.set()

    def long() -> None:
        found.append(("long", first.wait(60), clock.monotonic()))

    parts: list[SystemPart] = [clock.spawn("short", short), clock.spawn("long", long)]
    for part in parts:
        assert part.join(PATIENCE_SECONDS)
    assert found == [("short", False, 10.0), ("long", True, 10.0)]


def test_a_thread_that_never_waits_costs_at_most_the_real_time(clock: ManualRuntime) -> None:
    """
    A thread of the test that has used the clock and does other things delays a wait by no more than its time-out.
    """
    clock.now_ms()
    flag = clock.flag()
    found: list[bool] = []
    part = clock.spawn("waiter", lambda: found.append(flag.wait(0.05)))

    assert part.join(PATIENCE_SECONDS)
    assert (found, clock.monotonic()) == ([False], 0.05)


def test_many_threads_append_on_a_manual_clock() -> None:
    """
    Workers, channels and the limiter of a store run on it as on the machine's clock.
    """
    store = in_memory_store()

    def appends() -> Iterator[Append]:
        for number in range(200):
            yield Append(AggregateRef("Item", f"item-{number % 20}"), [NewEvent("COUNTED", {"n": number})], ANY)

    outcomes = list(store.append_all(appends(), concurrency=8))

    assert [each.index for each in outcomes if each.error is None] == list(range(200))
    assert store.current_version("item-7") == 10

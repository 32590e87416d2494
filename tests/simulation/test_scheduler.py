"""The baton: one part at a time, time that jumps, crashes that unwind, and an end to whoever is stuck."""

import pytest

from tests.simulation.primitives import SimulatedLock, SimulatedRuntime
from tests.simulation.scheduler import CrashedError, Process, Scheduler, StuckError


def make(seed: str = "1") -> tuple[Scheduler, SimulatedRuntime]:
    scheduler = Scheduler(seed, stickiness=0.3, steps_max=10_000)
    return scheduler, SimulatedRuntime(scheduler, Process("p"), seed)


def test_time_jumps_to_the_next_deadline_when_all_wait() -> None:
    """A day passes at once, and sleepers wake in the order of their deadlines."""
    scheduler, runtime = make()
    woken: list[str] = []

    def sleeper(name: str, seconds: float) -> None:
        runtime.sleep(seconds)
        woken.append(name)

    def body() -> None:
        parts = [
            runtime.spawn("late", lambda: sleeper("late", 86_400)),
            runtime.spawn("soon", lambda: sleeper("soon", 2)),
        ]
        assert all(part.join(100_000) for part in parts)

    scheduler.run(body)
    assert woken == ["soon", "late"]
    assert scheduler.seconds == 86_400


def test_a_channel_hands_everything_over_in_order_and_keeps_its_bound() -> None:
    """What is put comes out in order; a full channel lets its putter wait."""
    scheduler, runtime = make()
    taken: list[int] = []
    channel = runtime.channel(1)

    def put_all() -> None:
        for number in range(20):
            assert channel.put(number, 60.0)

    def body() -> None:
        runtime.spawn("putter", put_all)
        taken.extend(channel.get(60.0) for _ in range(20))
        assert channel.put("one", 0)
        assert not channel.put("two", 1.0)

    scheduler.run(body)
    assert taken == list(range(20))


def test_a_crash_unwinds_every_part_of_its_process_alone() -> None:
    """Parts of a crashed process do nothing more, not even while they unwind; those of others go on."""
    scheduler, runtime = make()
    other = SimulatedRuntime(scheduler, Process("other"), "1")
    done: list[str] = []

    def victim() -> None:
        try:
            runtime.sleep(10)
            done.append("victim")
        finally:
            runtime.flag().set()
            done.append("cleaned up")

    def bystander() -> None:
        other.sleep(20)
        done.append("bystander")

    def body() -> None:
        world = SimulatedRuntime(scheduler, Process("world"), "1")
        part, unharmed = runtime.spawn("victim", victim), other.spawn("bystander", bystander)
        world.sleep(5)
        scheduler.crash(runtime.process)
        assert unharmed.join(100)
        assert isinstance(part.failure, CrashedError)

    scheduler.run(body)
    assert done == ["bystander"]


def test_a_suspended_process_stands_still_and_comes_back() -> None:
    """None of its parts does anything meanwhile, whatever they wait for; those of others go on."""
    scheduler, runtime = make()
    other = SimulatedRuntime(scheduler, Process("other"), "1")
    seen: list[tuple[str, float]] = []

    def look(name: str, its: SimulatedRuntime) -> None:
        for _ in range(3):
            its.sleep(2)
            seen.append((name, its.monotonic()))

    def body() -> None:
        world = SimulatedRuntime(scheduler, Process("world"), "1")
        parts = [runtime.spawn("victim", lambda: look("victim", runtime)), other.spawn("b", lambda: look("b", other))]
        world.sleep(1)
        scheduler.suspend(runtime.process, 10.0)
        assert all(part.join(60) for part in parts)

    scheduler.run(body)
    assert [at for name, at in seen if name == "b"] == [2, 4, 6]
    assert [at for name, at in seen if name == "victim"] == [11, 13, 15]


def test_a_lock_lets_one_part_in_at_a_time() -> None:
    """Two parts never are inside together, and who crashes inside lets go."""
    scheduler, runtime = make()
    lock = runtime.lock()
    assert isinstance(lock, SimulatedLock)
    inside: list[int] = []

    def enter() -> None:
        for _ in range(10):
            with lock:
                inside.append(1)
                runtime.sleep(0.01)
                assert len(inside) == 1
                inside.pop()

    def body() -> None:
        parts = [runtime.spawn(f"part-{number}", enter) for number in range(3)]
        assert all(part.join(60) and part.failure is None for part in parts)

    scheduler.run(body)


def test_parts_that_go_on_without_an_end_are_found() -> None:
    """A loop that never waits ends in an error, not in a hanging test."""
    scheduler, runtime = make()

    def body() -> None:
        while True:
            runtime.sleep(0)

    with pytest.raises(StuckError, match="no end"):
        scheduler.run(body)


def test_a_failure_of_the_first_part_is_raised() -> None:
    """What ends the world ends the run."""
    scheduler, runtime = make()

    def body() -> None:
        runtime.sleep(1)
        raise ValueError("the end")

    with pytest.raises(ValueError, match="the end"):
        scheduler.run(body)


def test_parts_that_wait_for_each_other_for_ever_are_a_deadlock() -> None:
    """When nobody has a deadline, nobody will ever go on."""
    scheduler, runtime = make()

    def body() -> None:
        scheduler.wait("for ever", None, float("inf"))

    with pytest.raises(StuckError, match="none has a deadline"):
        scheduler.run(body)
    assert runtime.monotonic() == 0

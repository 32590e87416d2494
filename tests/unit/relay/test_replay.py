"""A replay says honestly what it has seen."""

from relay.replay import replay

from .conftest import Bench


def test_an_outbox_that_is_empty_at_the_end(bench: Bench) -> None:
    """
    All is settled, all was looked at.
    """
    for number in range(3):
        bench.append(f"item-{number}")
    relay = bench.another_relay(started=False)

    result = replay(relay.sweep(), relay.lanes, bench.runtime.flag())

    assert (result.settled, result.left, result.complete) == (3, 0, True)


def test_a_replay_that_is_stopped_does_not_claim_an_empty_outbox(bench: Bench) -> None:
    """
    It was told to stop before it had looked, so nobody knows what is left.
    """
    bench.append("a")
    stop = bench.runtime.flag()
    stop.set()
    relay = bench.another_relay(started=False)

    result = replay(relay.sweep(), relay.lanes, stop)

    assert result.settled == 0
    assert not result.complete

"""What the health endpoints judge."""

from eventstore.testing.manual_runtime import ManualRuntime
from relay.observing.http import health
from relay.observing.http.health import Check
from relay.progress import Progress


def test_a_loop_that_hangs_is_named() -> None:
    """
    Each part says itself when it turns again; the others are alive.
    """
    clock = ManualRuntime()
    progress = Progress(clock)
    progress.turned("main", 30.0)
    progress.turned("deliver-1", 600.0)
    clock.advance(31.0)

    found = health.live(progress.ages_seconds(), progress.overdue())

    assert found.code == 503
    assert found.document == {
        "status": "stuck",
        "stuck": ["main"],
        "loops": {"deliver-1": {"turned_seconds_ago": 31.0}, "main": {"turned_seconds_ago": 31.0}},
    }


def test_a_loop_that_turns_or_has_ended_is_not_stuck() -> None:
    """
    Exactly at its time it is not late yet.
    """
    clock = ManualRuntime()
    progress = Progress(clock)
    progress.turned("main", 30.0)
    progress.turned("deliver-1", 30.0)
    clock.advance(30.0)
    assert progress.overdue() == frozenset()

    clock.advance(1.0)
    progress.turned("main", 30.0)
    progress.ended("deliver-1")
    found = health.live(progress.ages_seconds(), progress.overdue())

    assert (found.code, found.document["status"], found.document["stuck"]) == (200, "alive", [])


def test_a_required_check_decides() -> None:
    """
    What is not required is shown with its reason and does not make the worker unready.
    """
    index = Check("destination index", ok=False, required=False, reason="out of reach")
    bus = Check("destination bus", ok=True)

    assert health.ready([bus, index]).code == 200
    assert health.ready([bus, index]).document == {
        "status": "ready",
        "checks": {
            "destination bus": {"ok": True, "required": True},
            "destination index": {"ok": False, "required": False, "reason": "out of reach"},
        },
    }
    down = health.ready([Check("destination bus", ok=False, reason="blocked"), index])
    assert (down.code, down.document["status"]) == (503, "not ready")

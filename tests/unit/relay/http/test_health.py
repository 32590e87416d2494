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


def test_ages_are_told_to_a_tenth_of_a_second() -> None:
    """
    More says nothing.
    """
    found = health.live({"main": 1.26}, [])

    assert (found.code, found.document) == (
        200,
        {"status": "alive", "stuck": [], "loops": {"main": {"turned_seconds_ago": 1.3}}},
    )


def test_a_check_says_what_is_wrong_when_it_is_not_ok() -> None:
    """
    And nothing when it is.
    """
    found = health.ready(
        [Check("a", ok=True, reason="x"), Check("b", ok=False, required=False, reason="y"), Check("c", ok=True)]
    )

    assert (found.code, found.document) == (
        200,
        {
            "status": "ready",
            "checks": {
                "a": {"ok": True, "required": True},
                "b": {"ok": False, "required": False, "reason": "y"},
                "c": {"ok": True, "required": True},
            },
        },
    )
    assert Check("c", ok=False).reason == ""

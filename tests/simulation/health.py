"""What workers say of their own health, and commands of the whole: red while something stands still, else green.

A worker's answer to `/readyz` and `/livez` is looked at where it comes from. How soon it must come is written by hand.
"""

from collections.abc import Callable, Iterator
from random import Random

from relay.observing.http.health import OK, ready
from tests.simulation.ledger import Ledger
from tests.simulation.processes import Slot
from tests.simulation.trials import Trials
from tests.simulation.visits import Visits

SAID_SECONDS = 30.0
"""What stands still is said by then: a worker reports with each heartbeat, and a refusal is known after the budget."""

GREEN_SECONDS = 90.0
"""And when it goes on, all is green again by then: a pause after a failure ends, and an index is looked at again."""

PAUSED_SECONDS = 5.0
"""A worker has seen by then that delivery is paused."""

_ASKED = 0.5
"""Share of the seeds in which it is looked at what is said of a standing fault."""

_ROOM = "room for all shards"
_UNTOLD = frozenset({"everything routed", "destination file"})
"""What warns for a while after it is over: that a disk is no longer full shows when there is a line to write."""

_VICTIMS = {
    "a queue refuses": "standing-victim",
    "a queue is silent": "standing-victim",
    "one is parked": "standing-parked",
}


class Health:
    """Looks at all workers, and at what commands say.

    Args:
        trials: Waits, and knows the workers.
        visits: Lets operators look.
        ledger: Told of what is green or red and should not be.
    """

    def __init__(self, trials: Trials, visits: Visits, ledger: Ledger, draw: Random) -> None:
        self._is_asked = draw.random() < _ASKED
        self._trials = trials
        self._visits = visits
        self._ledger = ledger

    def is_red_for(self, kind: str, look: Callable[[], None]) -> None:
        """Wait until a fault that stands is said: by a worker, and by commands."""
        if not self._is_asked or not self._stands_still(kind):
            return
        check = "destination index" if kind == "the index is down" else "nothing refused"
        promise = "what stands still is said"
        if kind != "one is parked":
            self._wait(lambda: self._is_red(check), SAID_SECONDS, promise, lambda: f"{kind}: no worker says it", look)
        self._wait(lambda: self._is_said(kind), SAID_SECONDS, promise, lambda: f"{kind}: no command says it", look)

    def _stands_still(self, kind: str) -> bool:
        """Tell whether a fault holds something up, as the outbox has it: what was parked too late went before."""
        checkers = self._trials._checkers
        if kind == "the index is down":
            return bool(checkers.owed())
        keys = checkers.parked() if kind == "one is parked" else checkers.owed()
        return kind in _VICTIMS and any(key[0].startswith(_VICTIMS[kind]) for key in keys)

    def is_green(self, look: Callable[[], None]) -> None:
        """Wait until every worker at work says that all is well, as it is."""
        promise = "all is said to be well in a calm world"
        self._wait(lambda: not self._reds(), GREEN_SECONDS, promise, lambda: str(self._reds()), look)

    def is_paused(self, look: Callable[[], None]) -> None:
        """Wait until every worker at work says that delivery is paused."""
        self._wait(
            lambda: all(not _checks(slot).get("not paused", True) for slot in self._at_work()),
            PAUSED_SECONDS,
            "every worker says that delivery is paused",
            lambda: str([_checks(slot) for slot in self._at_work()]),
            look,
        )

    def _at_work(self) -> list[Slot]:
        return [slot for slot in self._trials._processes.relays if self._trials._has_joined(slot)]

    def _is_red(self, check: str) -> bool:
        return any(not _checks(slot).get(check, True) for slot in self._at_work())

    def _reds(self) -> list[str]:
        has_no_room = self._trials._is_full()
        reds = [red for slot in self._at_work() for red in _reds(slot)]
        return [red for red in reds if not (has_no_room and red.startswith(_ROOM))]

    def _is_said(self, kind: str) -> bool:
        """Tell whether `relay status` and `relay gaps` both say it."""
        status = self._visits.ask("status", "--json")
        gaps = self._visits.ask("gaps", "--json", "--older-than", "3s")
        if kind == "the index is down":
            states = {each["name"]: each["state"] for each in status.data["destinations"]}
            return states["index"] != "up" and any("index" in gap["lacking"] for gap in gaps.data["oldest"])
        named = [gap for gap in gaps.data["oldest"] if gap["aggregate_id"].startswith(_VICTIMS[kind])]
        if kind == "one is parked":
            return status.data["outbox"]["parked"] > 0 and any(gap["parked"] and gap["waiting"] for gap in named)
        is_held_up = status.data["held_up_count"] > 0 or status.data["outbox"]["refused_by"].get("bus", 0) > 0
        return is_held_up and any(gap["held_up"] for gap in named)

    def _wait(
        self,
        is_done: Callable[[], bool],
        seconds: float,
        promise: str,
        tell: Callable[[], str],
        look: Callable[[], None],
    ) -> None:
        self._trials._wait(is_done, seconds, promise, tell, look)


def _checks(slot: Slot) -> dict[str, bool]:
    assert slot.daemon is not None, "it is at work"
    return {check.name: check.ok for check in slot.daemon.checks()}


def _reds(slot: Slot) -> Iterator[str]:
    """Yield what a worker says is wrong, by name; also that it is not ready, or that a part hangs."""
    assert slot.daemon is not None, "it is at work"
    checks = slot.daemon.checks()
    yield from (f"{check.name}: {check.reason}" for check in checks if not check.ok and check.name not in _UNTOLD)
    if ready(checks).code != OK:
        yield "it is not ready"
    yield from (f"{part} hangs" for part in sorted(slot.daemon._progress.overdue()))

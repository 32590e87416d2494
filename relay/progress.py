"""Which loops of this process still turn: each reports that it does, and when it will report again."""

from eventstore.ports import Clock

PAGE_TURN_SECONDS = 600.0
"""A part that reads, asks or writes turns between its pages or batches. One of them waits for servers in turn, each
wait with a time-out and a number of attempts: minutes are possible while servers are slow; this is a hang."""

LOOP_TURN_SECONDS = 30.0
"""A loop that waits for nobody."""


class Progress:
    """Liveness of long-lived parts. Threads share it: each part writes its own entry, by one assignment.

    It knows nothing of servers: a loop that waits for one says so as well, each time it turns.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turns: dict[str, tuple[float, float]] = {}

    def turned(self, part: str, again_seconds: float) -> None:
        """Note that a part's loop turned, and within how many seconds it turns again unless it hangs."""
        now = self._clock.monotonic()
        self._turns[part] = (now, now + again_seconds)

    def ended(self, part: str) -> None:
        """Expect nothing more of a part: it has ended as it should."""
        self._turns.pop(part, None)

    def ages_seconds(self) -> dict[str, float]:
        """Return how long ago each part's loop turned."""
        now = self._clock.monotonic()
        return {part: max(0.0, now - at) for part, (at, _) in sorted(dict(self._turns).items())}

    def overdue(self) -> frozenset[str]:
        """Return the parts that have not turned when they should have."""
        now = self._clock.monotonic()
        return frozenset(part for part, (_, until) in dict(self._turns).items() if now > until)

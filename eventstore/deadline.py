"""How long one call may still take, by a clock that only grows."""

from eventstore.ports import Clock


class Deadline:
    """The end of one call's time.

    Args:
        clock: Counts the seconds.
        seconds: From now; more than 0.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def left_seconds(self) -> float:
        """Return what is left, 0 when it is over."""
        return max(0.0, self._end - self._clock.monotonic())

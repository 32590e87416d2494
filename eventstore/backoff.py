"""The bounds of a repeated call: how many attempts, how long between them, and when its time is over."""

from collections.abc import Iterator
from dataclasses import dataclass

from eventstore import checks
from eventstore.ports import Clock, Runtime

ATTEMPTS_MAX = 1_000
SECONDS_MAX = 86_400.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter, bounded in delay and in attempts.

    Attributes:
        attempts_max: Attempts in all, the first included; 1 to 1,000.
        base_seconds: Upper bound of the first delay, 0 to 86,400; doubles with each attempt.
        cap_seconds: No delay is longer; 0 to 86,400.
    """

    attempts_max: int = 8
    base_seconds: float = 0.05
    cap_seconds: float = 2.0

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing would be asked, or waited for.

        Raises:
            InvalidInputError: Names the number and its bounds.
        """
        checks.check_count(self.attempts_max, "backoff.attempts_max", 1, ATTEMPTS_MAX)
        checks.check_number(self.base_seconds, "backoff.base_seconds", least=0, most=SECONDS_MAX)
        checks.check_number(self.cap_seconds, "backoff.cap_seconds", least=0, most=SECONDS_MAX)

    def ceiling_seconds(self, attempt: int) -> float:
        """Return the longest delay after that attempt (1 is the first)."""
        return min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 32))

    def delay_seconds(self, attempt: int, uniform: float) -> float:
        """Return the delay after that attempt, for a random number in [0, 1)."""
        return self.ceiling_seconds(attempt) * uniform


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


def attempts(runtime: Runtime, backoff: Backoff, deadline: Deadline | None = None) -> Iterator[int]:
    """Yield the number of each attempt, having waited before it; ends when attempts or time are used up.

    Nothing is waited for after the last attempt, nor for one that the deadline would not allow.

    Args:
        runtime: Waiting, and randomness for the delays.
        backoff: Bound of attempts, and their delays.
        deadline: When the time of all attempts together is over; None for never.
    """
    for number in range(1, backoff.attempts_max + 1):
        if number > 1 and not pause(runtime, backoff.delay_seconds(number - 1, runtime.uniform()), deadline):
            return
        if deadline is not None and deadline.left_seconds() <= 0:
            return
        yield number


def pause(runtime: Runtime, seconds: float, deadline: Deadline | None = None) -> bool:
    """Wait; False, at once, when the time would be over by then."""
    if deadline is not None and seconds >= deadline.left_seconds():
        return False
    runtime.sleep(seconds)
    return True

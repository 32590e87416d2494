"""How long to wait before the next attempt, and how many there are."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter, bounded in delay and in attempts.

    Attributes:
        attempts_max: Attempts in all, the first included.
        base_seconds: Upper bound of the first delay; doubles with each attempt.
        cap_seconds: No delay is longer.
    """

    attempts_max: int = 8
    base_seconds: float = 0.05
    cap_seconds: float = 2.0

    def ceiling_seconds(self, attempt: int) -> float:
        """Return the longest delay after that attempt (1 is the first)."""
        return min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 32))

    def delay_seconds(self, attempt: int, uniform: float) -> float:
        """Return the delay after that attempt, for a random number in [0, 1)."""
        return self.ceiling_seconds(attempt) * uniform

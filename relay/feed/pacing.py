"""How soon to ask a shard again: at once while records come, slower the longer it is quiet. Pure."""

from dataclasses import dataclass

from relay import defaults


@dataclass(frozen=True, slots=True)
class Pacing:
    """Adaptive polling of one shard.

    GetRecords costs a request whether or not it brings anything; a throttle is answered by backing off, not here.

    Attributes:
        min_seconds: Pause after a page that was not full, while records come.
        max_seconds: Longest pause on a quiet shard; what it adds to the delay of the first event after silence.
        growth: Each empty page makes the pause that much longer.
    """

    min_seconds: float = 0.05
    max_seconds: float = defaults.FEED_POLL_MAX_SECONDS
    growth: float = 1.6

    def next_pause(self, pause: float, records: int, page_max: int) -> float:
        """Return the pause after a page with that many records, given the pause before it."""
        if records >= page_max:
            return 0.0
        if records:
            return self.min_seconds
        return min(self.max_seconds, max(pause, self.min_seconds) * self.growth)

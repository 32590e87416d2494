"""What a follower has given of the range that it reads again: bounded, and pure."""

from collections.abc import Iterable

from eventstore.timeline.place import Place

SEEN_MAX_PLACES = 100_000
PAST_MAX_PLACES = 10_000
"""Places remembered beyond what the next pass meets: for a wall clock that is set back."""


class Seen:
    """Remembers places from pass to pass, so that an overlap can be read again and nothing is given twice.

    A pass reads from `low_ms` on. The next one begins at this one's horizon; what it will meet again is remembered, and
    for a clock that is set back some of what lies before. When more would have to be remembered than the bound allows,
    the next pass begins behind the last place met: nothing is given twice, and what shows up below that late is not
    given at all.

    A pass that an error ended is continued behind the last place given.
    """

    def __init__(self, low_ms: int, capacity: int = SEEN_MAX_PLACES) -> None:
        self.low_ms = low_ms
        self._first_ms = low_ms
        self._capacity = capacity
        self._known: dict[Place, None] = {}  # in the order in which they were given
        self._asked_ms = self._horizon_ms = low_ms
        self._given: Place | None = None
        self._last_ms: int | None = None
        self._overflowed = False
        self._is_within = False

    def begin_pass(self, horizon_ms: int) -> Place | None:
        """Begin a pass, or continue one; the next will begin at `horizon_ms`, or earlier when it is less than before.

        Returns:
            The place behind which the pass goes on; None for its beginning.
        """
        horizon_ms = max(self._first_ms, horizon_ms)
        if self._is_within:
            self._horizon_ms = min(self._horizon_ms, horizon_ms)
            return self._given
        if horizon_ms < self._asked_ms:  # the clock was set back
            self.low_ms = min(self.low_ms, horizon_ms)
        self._asked_ms = horizon_ms
        self._horizon_ms = max(self.low_ms, horizon_ms)
        self._given = self._last_ms = None
        self._overflowed, self._is_within = False, True
        return None

    def is_new(self, place: Place) -> bool:
        """Tell whether a place is met for the first time; places of a pass come in order, each once."""
        self._last_ms = place.timestamp_ms
        return place not in self._known

    def give(self, places: Iterable[Place]) -> None:
        """Note places that were given."""
        for place in places:
            self._given = place
            self._known[place] = None
            if len(self._known) > self._capacity:
                oldest = next(iter(self._known))
                del self._known[oldest]
                self._overflowed |= oldest.timestamp_ms >= self._horizon_ms

    def resume_ms(self, timestamp_ms: int) -> int:
        """Return from when a later follower misses nothing, once an event with this timestamp is given."""
        return max(self._first_ms, min(self._horizon_ms, timestamp_ms))

    def end_pass(self) -> None:
        """End a pass: forget what is far behind."""
        self._is_within = False
        self.low_ms = self._horizon_ms
        if self._overflowed and self._last_ms is not None:
            self.low_ms = max(self.low_ms, self._last_ms + 1)
        while len(self._known) > PAST_MAX_PLACES:  # each turn forgets one
            oldest = next(iter(self._known))
            if oldest.timestamp_ms >= self.low_ms:
                break
            del self._known[oldest]

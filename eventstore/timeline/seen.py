"""What a follower has returned of the range that it reads again: bounded, and pure."""

from eventstore.timeline.place import Place

SEEN_MAX_PLACES = 100_000


class Seen:
    """Remembers places from pass to pass, so that an overlap can be read again and nothing is given twice.

    A pass reads from `low` on. What it meets at or above its horizon will be met again by the next pass, and is
    remembered; the rest is not. When more would have to be remembered than the bound allows, the next pass begins
    behind the last place met: nothing is given twice, and what shows up below that late is not given at all.
    """

    def __init__(self, low_ms: int, capacity: int = SEEN_MAX_PLACES) -> None:
        self.low_ms = low_ms
        self._capacity = capacity
        self._known: set[Place] = set()
        self._horizon_ms = low_ms
        self._last_ms: int | None = None
        self._overflowed = False

    def begin_pass(self, horizon_ms: int) -> None:
        """Begin a pass; the next one will begin at `horizon_ms`, which only ever moves on."""
        self._horizon_ms = max(self.low_ms, horizon_ms)
        self._last_ms = None
        self._overflowed = False

    def admit(self, place: Place) -> bool:
        """Tell whether a place is met for the first time; places of a pass come in order, each once."""
        self._last_ms = place.timestamp_ms
        if place in self._known:
            return False
        if place.timestamp_ms >= self._horizon_ms:
            if len(self._known) < self._capacity:
                self._known.add(place)
            else:
                self._overflowed = True
        return True

    def end_pass(self) -> None:
        """End a pass: forget what no pass will meet again."""
        self.low_ms = self._horizon_ms
        if self._overflowed and self._last_ms is not None:
            self.low_ms = max(self.low_ms, self._last_ms + 1)
        self._known = {place for place in self._known if place.timestamp_ms >= self.low_ms}

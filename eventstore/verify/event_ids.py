"""The event ids met so far, within a bound. Pure."""

import hashlib

from eventstore.limits import VERIFY_EVENT_IDS_MAX_DEFAULT

_DIGEST_BYTES = 16


class EventIds:
    """Remembers ids exactly; beyond the bound, the older half is forgotten.

    So a second use of an id is found for certain while fewer than half the capacity of other ids were met between the
    two: always in a store with no more events than the capacity.
    """

    def __init__(self, capacity: int = VERIFY_EVENT_IDS_MAX_DEFAULT) -> None:
        assert capacity >= 1, "who remembers nothing finds nothing"
        self._capacity = capacity
        self._older: dict[bytes, str] = {}
        self._newer: dict[bytes, str] = {}
        self.has_forgotten = False

    @property
    def window(self) -> int:
        """Among how many ids a second use is found for certain, once some were forgotten."""
        return self._capacity // 2

    def meet(self, event_id: str, aggregate_id: str) -> str | None:
        """Take an event's id; return the aggregate that used it before, if one is remembered."""
        digest = hashlib.blake2b(event_id.encode(), digest_size=_DIGEST_BYTES).digest()
        earlier = self._newer.get(digest) or self._older.get(digest)
        if earlier is not None:
            return earlier
        if len(self._newer) + len(self._older) >= self._capacity:
            self.has_forgotten = True
            self._older, self._newer = self._newer, {}
            if len(self._older) >= self._capacity:  # the first time all that is remembered is in one half
                self._halve()
        self._newer[digest] = aggregate_id
        return None

    def forget(self) -> None:
        """Forget everything, where ids may be met again."""
        self.has_forgotten = True
        self._older, self._newer = {}, {}

    def _halve(self) -> None:
        kept = list(self._older.items())[len(self._older) - self._capacity // 2 :]
        self._older = dict(kept)

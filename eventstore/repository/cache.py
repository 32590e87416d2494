"""States in memory, the most recently used ones. Threads may share it."""

from collections import OrderedDict
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from eventstore.repository.folding import own
from eventstore.repository.policy import SnapshotMark

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class CachedState(Generic[S]):
    """A state in memory.

    Attributes:
        state: The state.
        version: Sequence number of the last event in it.
        epoch: The store's epoch when it was read.
        read_at: When the table was last asked, by the monotonic clock, before the question was sent.
        mark: The last snapshot that it is known to have.
    """

    state: S
    version: int
    epoch: int
    read_at: float
    mark: SnapshotMark


class StateCache(Generic[S]):
    """At most `size` states; the one that was unused for longest goes first.

    A state that can be changed is copied on its way in and out, so nobody's changes reach anybody else.
    """

    def __init__(self, size: int, lock: AbstractContextManager[object]) -> None:
        self._size = size
        self._lock = lock
        self._entries: OrderedDict[str, CachedState[S]] = OrderedDict()

    def get(self, key: str, epoch: int) -> CachedState[S] | None:
        """Return a state of this epoch."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.epoch != epoch:
                return None
            self._entries.move_to_end(key)
        return _with_own_state(entry)

    def put(self, key: str, entry: CachedState[S]) -> None:
        """Keep a state unless a newer one is there."""
        if not self._size:
            return
        entry = _with_own_state(entry)
        with self._lock:
            there = self._entries.get(key)
            if there is not None and _rank(there) > _rank(entry):
                return
            self._entries[key] = entry
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def advance(self, key: str, before: int, entry: CachedState[S]) -> None:
        """Keep the state that an append has led to, in place of the one at version `before` that it began with.

        Its mark is that of the state before; the one given is for a new aggregate, whose first state is kept by this.
        """
        if not self._size:
            return
        entry = _with_own_state(entry)
        with self._lock:
            there = self._entries.get(key)
            if there is not None and there.epoch == entry.epoch and there.version == before:
                self._entries[key] = replace(entry, mark=there.mark)
            elif there is None and before == 0:
                self._entries[key] = entry
            else:
                return
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def drop(self, key: str) -> None:
        """Forget a state."""
        with self._lock:
            self._entries.pop(key, None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)


def _rank(entry: CachedState[S]) -> tuple[int, int, float]:
    return entry.epoch, entry.version, entry.read_at


def _with_own_state(entry: CachedState[S]) -> CachedState[S]:
    return CachedState(own(entry.state), entry.version, entry.epoch, entry.read_at, entry.mark)

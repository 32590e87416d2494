"""States in memory: which one stays."""

import threading

from eventstore.repository.cache import CachedState, StateCache
from eventstore.repository.policy import SnapshotMark


def entry(version: int, epoch: int = 1, read_at: float = 0.0) -> CachedState[str]:
    return CachedState(f"state {version}", version, epoch, read_at, SnapshotMark())


def versions(*puts: CachedState[str], epoch: int = 1) -> int | None:
    cache: StateCache[str] = StateCache(5, threading.Lock())
    for each in puts:
        cache.put("item-1", each)
    found = cache.get("item-1", epoch)
    return None if found is None else found.version


def test_an_older_state_replaces_no_newer_one() -> None:
    """
    Two loads may end in another order than they began.
    """
    assert versions(entry(7), entry(5)) == 7
    assert versions(entry(5), entry(7)) == 7


def test_states_of_another_epoch_are_not_given_out() -> None:
    """
    A later epoch replaces an earlier one, whatever the numbers.
    """
    assert versions(entry(7, epoch=1), entry(2, epoch=2), epoch=2) == 2
    assert versions(entry(7, epoch=1), epoch=2) is None


def test_the_latest_look_at_the_table_counts() -> None:
    """
    The staleness bound runs from the newer of two looks at the same version.
    """
    cache: StateCache[str] = StateCache(5, threading.Lock())
    cache.put("item-1", entry(7, read_at=20.0))
    cache.put("item-1", entry(7, read_at=10.0))
    found = cache.get("item-1", 1)
    assert found is not None
    assert found.read_at == 20.0


def test_no_room_means_no_cache() -> None:
    """
    Size 0 keeps nothing.
    """
    cache: StateCache[str] = StateCache(0, threading.Lock())
    cache.put("item-1", entry(1))
    assert len(cache) == 0

"""Shards that split, end and are trimmed, a listing that is late, and the leases that are made and removed."""

from collections.abc import Sequence

from relay.feed import lineage
from relay.feed.lineage import Shard
from tests.exhaustive.explorer import Step, World


class Shards(World):
    """The feed of one table, and the leases of its shards.

    Args:
        splits: How often a shard may end, and two begin.
        late: How often a listing may lack the newest shards.
        crashes: How often a reader may be gone between the leases of children and the mark of their parent.
    """

    def __init__(self, splits: int, late: int, crashes: int) -> None:
        self.shards = [Shard("s", None)]
        self.closed: set[str] = set()
        self.trimmed: set[str] = set()
        self.leased: set[str] = set()
        self.finished: set[str] = set()
        self.ever: set[str] = set()  # read to their ends
        self.had: set[str] = set()  # had a lease
        self.missed_before: frozenset[str] = frozenset()
        self.splits, self.late, self.crashes = splits, late, crashes

    def steps(self) -> Sequence[Step]:
        """See `World`."""
        steps = [Step("discovery looks", lambda: self._discover(0))]
        for number in range(1, self._newest() + 1) if self.late else ():
            name = f"discovery looks, and the newest {number} are not listed yet"
            steps.append(Step(name, lambda number=number: self._discover(number, is_late=True), is_fault=True))
        for shard in self._there():
            if self.splits and shard.id not in self.closed:
                steps.append(Step(f"{shard.id} splits", lambda shard=shard: self._split(shard), is_fault=True))
            if shard.id in self.closed and shard.id in self.leased - self.finished:
                steps.append(Step(f"{shard.id} is read to its end", lambda shard=shard: self._finish(shard)))
                if self.crashes:
                    name = f"{shard.id} is read to its end, and its end is not noted"
                    steps.append(Step(name, lambda shard=shard: self._crash(shard), is_fault=True))
            if shard.id in self.finished:
                steps.append(Step(f"{shard.id} is trimmed", lambda s=shard: self.trimmed.add(s.id), is_fault=True))
        return steps

    def check(self) -> None:
        """See `World`."""
        for shard in self._there():
            is_early = shard.parent is not None and shard.parent not in self.ever and shard.id in self.leased
            assert not is_early, f"{shard.id} has a lease, and {shard.parent} is not read to its end"
            is_forgotten = shard.id in self.had and shard.id not in self.leased
            assert not is_forgotten, f"the lease of {shard.id} is gone, and it is there: it would be read again"

    def fingerprint(self) -> object:
        """See `World`."""
        sets = (self.closed, self.trimmed, self.leased, self.finished, self.ever, self.had)
        shards = tuple((shard.id, shard.parent) for shard in self.shards)
        return (shards, *map(frozenset, sets), self.missed_before, self.splits, self.late, self.crashes)

    def is_done(self) -> bool:
        """See `World`: what has ended is read to its end, and what has not has a lease."""
        there = self._there()
        is_read = all(shard.id in (self.finished if shard.id in self.closed else self.leased) for shard in there)
        return is_read and self.leased <= {shard.id for shard in there}

    def _there(self) -> list[Shard]:
        return [shard for shard in self.shards if shard.id not in self.trimmed]

    def _newest(self) -> int:
        """Return how many shards a listing may lack: those without children that are listed."""
        return min(2, len(self._there()) - 1)

    def _listed(self, lacking: int) -> list[Shard]:
        there = self._there()
        return there[: len(there) - lacking]

    def _discover(self, lacking: int, *, is_late: bool = False) -> None:
        self.late -= is_late
        listing = self._listed(lacking)
        listed = frozenset(shard.id for shard in listing)
        leased = frozenset(self.leased)
        self.leased |= {shard.id for shard in lineage.eligible(listing, self.finished, self.leased)}
        gone = lineage.forgettable(self.finished, sorted(leased), listed, self.missed_before)
        self.leased -= set(gone)
        self.finished -= set(gone)
        self.missed_before = leased - listed
        self.had |= self.leased

    def _split(self, shard: Shard) -> None:
        self.splits -= 1
        self.closed.add(shard.id)
        self.shards += [Shard(f"{shard.id}{side}", shard.id) for side in "12"]

    def _offer(self, shard: Shard) -> None:
        self.ever.add(shard.id)
        self.leased |= {each.id for each in self._there() if each.parent == shard.id}
        self.had |= self.leased

    def _finish(self, shard: Shard) -> None:
        self._offer(shard)
        self.finished.add(shard.id)

    def _crash(self, shard: Shard) -> None:
        self.crashes -= 1
        self._offer(shard)

"""What side pumps do: they take commits in any order, and say what became of them."""

from collections.abc import Callable, Collection

from relay.delivery.commit import OwedCommit
from relay.delivery.sides import SideQueue
from relay.delivery.work.upkeep import Upkeep
from relay.destination import Park
from relay.permit import Permit

_UNSENT_SECONDS = 0.5


class SideWork(Upkeep):
    """What side pumps do: they take commits in any order, and say what became of them."""

    def sides_have_room(self, commits: int) -> bool:
        """Tell whether so many commits could wait for each side that takes any, without driving others out."""
        most = self._settings.side_max - commits
        return all(len(side.alone) <= most for side in self._sides.values() if side.is_open)

    def take_for_side(self, name: str, commits_max: int) -> list[tuple[OwedCommit, tuple[Permit, ...]]]:
        """Return commits with their events that a side may take now, each with the permits of those who claim it."""
        with self._lock:
            taken = self._sides[name].take(commits_max)
            return [(each, self._aggregates[each.row.aggregate_id].permits(each.last)) for each in taken]

    def side_answered(
        self,
        name: str,
        *,
        taken: Collection[OwedCommit] = (),
        parked: Collection[tuple[OwedCommit, Park]] = (),
        left: Collection[OwedCommit] = (),
        unsent: Collection[OwedCommit] = (),
    ) -> None:
        """Note what became of commits that a side was handed.

        Args:
            name: The side.
            taken: It has them.
            parked: It can never take them.
            left: It did not take them now: those that the bus has are late, the others are handed to it again.
            unsent: They were not handed over, since nobody who claims them may do so for now.
        """
        now = self._runtime.monotonic()
        with self._lock:
            side = self._sides[name]
            for commit in taken:
                commit.delivered |= {name}
            for commit, verdict in parked:
                if not commit.is_gone:
                    side.under_way.discard(commit)
                    self._mark(commit, name, verdict)
            for commit in (*taken, *left):
                side.forget(commit)
                if not commit.is_gone:
                    self._settle(commit, now)
            for commit in left:
                if not commit.is_gone and name not in commit.delivered:
                    self._later(now + 1.0, self._offering(commit))
            for commit in unsent:  # nothing is wrong with the side: it goes on waiting for it
                side.under_way.discard(commit)
                if not commit.is_gone:
                    self._later(now + _UNSENT_SECONDS, self._offering_again(commit, side))

    def close_side(self, name: str) -> None:
        """Hand a side nothing for now."""
        now = self._runtime.monotonic()
        with self._lock:
            for commit in self._sides[name].close():
                self._settle(commit, now)

    def open_side(self, name: str) -> None:
        """Hand a side what is in hand and what comes."""
        with self._lock:
            side = self._sides[name]
            if not side.is_open:
                side.is_open = True
                for aggregate in self._aggregates.values():
                    for commit in aggregate.commits.values():
                        self._offer(commit, side)

    def _offering(self, commit: OwedCommit) -> Callable[[float], None]:
        """Return what offers a commit to the sides that lack it, if it is still here and the bus lacks it."""

        def offer(_now: float) -> None:
            if not commit.is_gone and commit.is_for_bus:
                for side in self._sides.values():
                    self._offer(commit, side)

        return offer

    def _offering_again(self, commit: OwedCommit, side: SideQueue) -> Callable[[float], None]:
        """Return what lets a commit wait for a side as before, unless nobody claims it any more, or it was taken."""

        def offer(now: float) -> None:
            if commit.is_gone or side.name not in commit.sides or commit in side.under_way:
                return
            aggregate = self._aggregates[commit.row.aggregate_id]
            if not aggregate.permits(commit.last) or not side.offer(commit):
                side.forget(commit)
                self._settle(commit, now)
            elif len(side.waiting) == 1:
                self._lock.ring(side.name)

        return offer

"""What waits for one destination beside the bus. In no order: a side needs none."""

from dataclasses import dataclass, field

from relay.delivery.commit import OwedCommit


@dataclass(slots=True, eq=False)
class SideQueue:
    """Commits that a side is about to take here.

    Attributes:
        name: The side's name.
        waiting: Commits with their events, oldest first.
        under_way: Those that it was handed.
        alone: Those in the flow that only sides lack, this one among them, oldest first.
        is_open: Whether it takes anything now: its breaker is closed.
    """

    name: str
    waiting: dict[OwedCommit, None] = field(default_factory=dict)
    under_way: set[OwedCommit] = field(default_factory=set)
    alone: dict[OwedCommit, None] = field(default_factory=dict)
    is_open: bool = True

    def offer(self, commit: OwedCommit) -> bool:
        """Let a commit wait for it; False when it does not take it here."""
        if not self.is_open or self.name in commit.delivered or self.name in commit.row.parked:
            return False
        if commit not in self.under_way:
            self.waiting[commit] = None
        commit.sides.add(self.name)
        return True

    def take(self, commits_max: int) -> list[OwedCommit]:
        """Return the next commits, which are under way from now on."""
        taken: list[OwedCommit] = []
        for commit in self.waiting:
            if len(taken) == commits_max:
                break
            if commit.row.events is not None:  # others' are on their way
                taken.append(commit)
        for commit in taken:
            del self.waiting[commit]
            self.under_way.add(commit)
        return taken

    def forget(self, commit: OwedCommit) -> None:
        """Let go of a commit; what is under way is answered to nobody."""
        self.waiting.pop(commit, None)
        self.under_way.discard(commit)
        self.alone.pop(commit, None)
        commit.sides.discard(self.name)

    def close(self) -> list[OwedCommit]:
        """Take nothing for now; return the commits that waited."""
        self.is_open = False
        waited = list(self.waiting)
        for commit in waited:
            del self.waiting[commit]
            commit.sides.discard(self.name)
        return waited

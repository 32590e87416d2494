"""The pages of one source, whose rows are dealt with in every order, and the position behind those that are."""

from collections.abc import Sequence
from unittest.mock import patch

from relay.delivery import page
from relay.delivery.page import CommitPage, Fate, PageTracker
from tests.exhaustive.explorer import Step, World


class Pages(World):
    """Pages come, their rows are settled or let go, and the checkpoint moves.

    Args:
        sizes: Rows of each page.
        tracked: Pages that are kept apart; beyond, the newest grows.
        let_go: Rows that may be let go undealt with.
        overdue: Whether pages may be passed for their age.
    """

    def __init__(self, sizes: Sequence[int], tracked: int, *, let_go: int = 0, overdue: bool = False) -> None:
        self.tracked = tracked
        self.to_come = list(enumerate(sizes, 1))
        self.tracker: PageTracker[int] = PageTracker()
        self.held: dict[str, CommitPage] = {}
        self.ages: dict[int, int] = {}
        self.lost: set[int] = set()
        self.position = 0
        self.left = let_go
        self.overdue = overdue
        self.now = 0

    def steps(self) -> Sequence[Step]:
        """See `World`."""
        steps = []
        if self.to_come:
            steps.append(Step(f"page {self.to_come[0][0]} comes", self._come))
        for row in self.held:
            steps.append(Step(f"row {row} is settled", lambda row=row: self._end(row, Fate.SETTLED)))
            if self.left:
                steps.append(Step(f"row {row} is let go", lambda row=row: self._let_go(row), is_fault=True))
        steps.append(Step("the checkpoint moves", lambda: self._advance(None)))
        if self.overdue and self.now < len(self.ages):
            steps.append(Step("time passes", self._age, is_fault=True))
            steps.append(Step("what is old is passed", lambda: self._advance(self.now), is_fault=True))
        return steps

    def check(self) -> None:
        """See `World`."""
        for row in self.held:
            number = int(row[0])
            is_old = self.overdue and self.ages[number] < self.now
            assert number > self.position or is_old, (
                f"row {row} is held, and the checkpoint is behind page {self.position}"
            )
        for number in self.lost:
            assert number > self.position, f"a row of page {number} was let go, and the checkpoint is behind it"
        assert len(self.tracker) <= self.tracked, f"{len(self.tracker)} pages are kept apart"

    def fingerprint(self) -> object:
        """See `World`."""
        places = [(each.held, each.is_sealed, behind, each.began_at) for each, behind in self.tracker._pages]
        fates = [each.fates[Fate.WITHDRAWN] for each, _ in self.tracker._pages]
        return (len(self.to_come), tuple(self.held), tuple(places), tuple(fates), self.position, self.left, self.now)

    def is_done(self) -> bool:
        """See `World`: everything has been passed, or waits for what was let go."""
        return not self.to_come and not self.held and (len(self.tracker) == 0 or bool(self.lost))

    def _come(self) -> None:
        number, size = self.to_come.pop(0)
        with patch.object(page, "PAGES_MAX", self.tracked):
            tracked = self.tracker.page("feed", float(self.now))
        self.ages[number] = self.now
        for place in range(size):
            tracked.hold()
            self.held[f"{number}{'abc'[place]}"] = tracked
        self.tracker.seal(number)

    def _end(self, row: str, fate: Fate) -> None:
        self.held.pop(row).release(fate)

    def _let_go(self, row: str) -> None:
        self.left -= 1
        if int(row[0]) > self.position:  # else it was passed for its age before
            self.lost.add(int(row[0]))
        self._end(row, Fate.WITHDRAWN)

    def _advance(self, overdue_since: float | None) -> None:
        position, _ = self.tracker.advance(overdue_since)
        assert position is None or position > self.position, "the checkpoint goes back"
        self.position = position or self.position

    def _age(self) -> None:
        self.now += 1

"""Pages: rows that a source handed in together, and what has become of them.

A checkpoint stands below the first page that is held.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

P = TypeVar("P")

PAGES_MAX = 64
"""Pages that are tracked one by one; beyond, the newest one grows, and the position behind it is that of its end."""


def _nobody() -> None:
    """Nobody waits."""


class Fate(StrEnum):
    """Why a row holds its page no longer."""

    SETTLED = "settled"
    """Its row went, or somebody else's hand had taken it."""
    LATE = "late"
    """The bus has it, and its row says so; another destination lacks it."""
    PARKED = "parked"
    WAITING = "waiting"
    """It waits behind a parked or an unreadable one."""
    BEYOND = "beyond"
    """Its aggregate has more waiting than is kept."""
    REFUSED = "refused"
    """The bus does not take it, or does not answer for it; it waits alone."""
    OVERDUE = "overdue"
    """It waited for too long while the bus was well."""
    VOID = "void"
    """The tables are others than when it was handed in, and its row is no more."""
    WITHDRAWN = "withdrawn"
    """The source that handed it in must not deliver it any more, and nobody else here may: it is not dealt with."""


@dataclass(slots=True, eq=False)
class CommitPage:
    """Some rows from one source.

    Attributes:
        source: Names it in logs and metrics: `feed`, `sweep` or `replay`.
        began_at: When it was handed in, by the monotonic clock.
        commits: How many rows it has.
        held: How many of them hold it.
        fates: What became of the others.
        is_sealed: Whether all of its rows were handed in.
        ring: Called when no row holds it any more, by any part.
    """

    source: str
    began_at: float
    commits: int = 0
    held: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    is_sealed: bool = False
    ring: Callable[[], object] = _nobody

    @property
    def is_over(self) -> bool:
        """Whether no row holds it any more."""
        return self.held == 0 and self.is_sealed

    @property
    def is_dealt_with(self) -> bool:
        """Whether that is because all of it was dealt with."""
        return self.is_over and not self.fates[Fate.WITHDRAWN]

    def hold(self) -> None:
        """Let a row hold it."""
        self.commits += 1
        self.held += 1

    def pass_over(self, fate: Fate, rows: int = 1) -> None:
        """Count rows that do not hold it."""
        self.commits += rows
        self.fates[fate] += rows

    def release(self, fate: Fate) -> None:
        """Let a row hold it no longer."""
        self.held -= 1
        self.fates[fate] += 1


class PageTracker(Generic[P]):
    """The pages of one source, oldest first, each with the position behind it."""

    def __init__(self) -> None:
        self._pages: deque[tuple[CommitPage, P | None]] = deque()

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def front(self) -> CommitPage | None:
        """The page that the position waits for."""
        return self._pages[0][0] if self._pages else None

    def page(self, source: str, now: float) -> CommitPage:
        """Return the page for rows that were just read: a new one, or the newest while there are many."""
        if len(self._pages) >= PAGES_MAX:
            page = self._pages[-1][0]
            page.is_sealed = False
            return page
        page = CommitPage(source, now)
        self._pages.append((page, None))
        return page

    def seal(self, position: P | None) -> None:
        """Note the position behind the newest page; None when it has none of its own."""
        page, before = self._pages[-1]
        page.is_sealed = True
        self._pages[-1] = (page, before if position is None else position)

    def advance(self, overdue_since: float | None = None) -> tuple[P | None, list[CommitPage]]:
        """Pass the pages that nothing holds; return the position behind the last of them, and them.

        Args:
            overdue_since: Pages that began before it are passed though they are held: their rows wait for too long
                while the bus is well, and the sweep finds what stays owed. None passes none of them.
        """
        position: P | None = None
        passed: list[CommitPage] = []
        while self._pages:
            page, behind = self._pages[0]
            is_overdue = overdue_since is not None and page.is_sealed and page.began_at < overdue_since
            if not page.is_dealt_with and not (is_overdue and not page.fates[Fate.WITHDRAWN]):
                break
            self._pages.popleft()
            position = position if behind is None else behind
            passed.append(page)
        return position, passed

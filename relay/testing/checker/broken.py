"""A broken promise as a value, and the count of them, which stays small however many there are."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from relay.testing.checker.promise import Promise

KEPT_MAX = 20
"""Broken promises of a kind that are kept; the others are counted."""

SHOWN_MAX_CHARACTERS = 500
"""Longest text of what was seen; payloads may have 400 KB."""


@dataclass(frozen=True, slots=True)
class BrokenPromise:
    """One promise that was seen to be broken.

    Attributes:
        promise: Which one.
        where: The event, commit, aggregate or document.
        seen: What was seen there, and what should have been; up to 500 characters.
    """

    promise: Promise
    where: str
    seen: str

    def __post_init__(self) -> None:
        """Cut what is very long."""
        if len(self.seen) > SHOWN_MAX_CHARACTERS:
            object.__setattr__(self, "seen", f"{self.seen[: SHOWN_MAX_CHARACTERS - 2]} …")

    def __str__(self) -> str:
        return f"{self.promise}: {self.where}: {self.seen}"


class BrokenPromises:
    """Counts broken promises, and keeps the first of each kind."""

    def __init__(self) -> None:
        self.counts: Counter[Promise] = Counter()
        self.kept: list[BrokenPromise] = []

    def add(self, found: Iterable[BrokenPromise]) -> list[BrokenPromise]:
        """Count some, and return them."""
        added = list(found)
        for each in added:
            self.counts[each.promise] += 1
            if self.counts[each.promise] <= KEPT_MAX:
                self.kept.append(each)
        return added

"""Deliberate bugs of the feed."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

from relay.delivery.page import CommitPage, PageTracker
from relay.feed import lineage
from relay.feed.lineage import Shard
from tests.exhaustive.area import PlantedBug


@contextmanager
def _let_go_is_dealt_with() -> Iterator[None]:
    with patch.object(CommitPage, "is_dealt_with", property(lambda page: page.is_over)):
        yield


@contextmanager
def _position_of_the_newest() -> Iterator[None]:
    honest = PageTracker.advance

    def advance(self: PageTracker[int], overdue_since: float | None = None) -> tuple[int | None, list[CommitPage]]:
        newest = self._pages[-1][1] if self._pages else None
        position, passed = honest(self, overdue_since)
        return (newest if passed else position), passed

    with patch.object(PageTracker, "advance", advance):
        yield


@contextmanager
def _children_at_once() -> Iterator[None]:
    def eligible(listing: Iterable[Shard], finished: Collection[str], leased: Collection[str]) -> list[Shard]:
        return [shard for shard in listing if shard.id not in finished and shard.id not in leased]

    with patch.object(lineage, "eligible", eligible):
        yield


@contextmanager
def _one_listing_is_enough() -> Iterator[None]:
    honest = lineage.forgettable

    def forgettable(
        finished: Collection[str], leased: Collection[str], listed: Collection[str], _before: Collection[str]
    ) -> list[str]:
        return honest(finished, leased, listed, leased)

    with patch.object(lineage, "forgettable", forgettable):
        yield


BUGS = (
    PlantedBug("what was let go counts as dealt with", _let_go_is_dealt_with, "pages of a shard", "was let go", 4),
    PlantedBug("the newest page's position", _position_of_the_newest, "pages of a shard", "is held", 6),
    PlantedBug("children before their parent's end", _children_at_once, "shards", "is not read to its end", 2),
    PlantedBug("one listing is enough to forget", _one_listing_is_enough, "shards", "is gone", 4),
)

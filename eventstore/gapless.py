"""One aggregate's rows without holes: what a transaction is still being applied to is waited for.

A Query, also a consistent one, may show some rows of a transaction and not yet the others. Numbers are contiguous and
rows say how far their commit reaches, so a reader can tell, and looks again a bounded number of times.
Source: AWS, "DynamoDB transactions: how it works", isolation levels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from eventstore.context import StoreContext
from eventstore.history_pages import Span, pages
from eventstore.item import Item

LOOKS_MAX = 6
"""Looks at the same hole before it counts as real; with the default back-off about a second and a half."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Rows that are not there although they must be.

    Attributes:
        first: Lowest number that is missing.
        last: Highest number that is missing.
    """

    first: int
    last: int


def rows(context: StoreContext, aggregate_id: str, span: Span) -> Iterator[Item | Hole]:
    """Yield the rows of a span in order, and a `Hole` where rows are missing for good."""
    walk = _backwards if span.backwards else _forwards
    yield from walk(context, aggregate_id, span)


def _forwards(context: StoreContext, aggregate_id: str, span: Span) -> Iterator[Item | Hole]:
    place = _Place(span.after, span.limit)
    while True:  # every turn moves on, or uses up one of the looks
        missing: Hole | None = None
        for item in _items(context, aggregate_id, replace(span, after=place.number, limit=place.left)):
            number = _number(item)
            if number != place.number + 1:
                missing = Hole(place.number + 1, number - 1)
                if place.looks < LOOKS_MAX:
                    break
                yield missing
                missing = None
            yield item
            place.take(item)
        if missing is None:
            if not place.is_within_commit(span.until):
                return
            missing = Hole(place.number + 1, place.commit_last)
            if place.looks >= LOOKS_MAX:
                yield missing
                return
        place.look_again(context)


def _backwards(context: StoreContext, aggregate_id: str, span: Span) -> Iterator[Item | Hole]:
    place = _Place(0, span.limit)
    until = span.until
    begun = False
    while until is None or until > span.after:  # every turn moves on, or uses up one of the looks
        missing: Hole | None = None
        for item in _items(context, aggregate_id, replace(span, until=until, limit=place.left)):
            number = _number(item)
            top = _top(item, span.until) if not begun else until
            if top is not None and number != top:
                missing = Hole(number + 1, top)
                if place.looks < LOOKS_MAX:
                    break
                yield missing
                missing = None
            yield item
            place.take(item)
            begun, until = True, number - 1
        if missing is None:
            if not begun or until is None or until <= span.after or place.left == 0:
                return
            if place.looks >= LOOKS_MAX:
                yield Hole(span.after + 1, until)
                return
        place.look_again(context)


@dataclass(slots=True)
class _Place:
    """How far a walk has come."""

    number: int
    left: int | None
    commit_last: int = 0
    looks: int = 0

    def take(self, item: Item) -> None:
        self.number, self.commit_last, self.looks = _number(item), _commit_last(item), 0
        if self.left is not None:
            self.left -= 1

    def is_within_commit(self, until: int | None) -> bool:
        """Tell whether the rows end although the last one's commit goes on, within what was asked for."""
        return self.left != 0 and self.commit_last > self.number and (until is None or until > self.number)

    def look_again(self, context: StoreContext) -> None:
        self.looks += 1
        context.runtime.sleep(context.options.read_backoff.delay_seconds(self.looks, context.runtime.uniform()))


def _items(context: StoreContext, aggregate_id: str, span: Span) -> Iterator[Item]:
    for page in pages(context, aggregate_id, span):
        yield from page


def _top(item: Item, until: int | None) -> int | None:
    """Return the number that a backwards walk must begin with, as far as the first row can say."""
    last = _commit_last(item)
    return last if until is None else min(last, until)


def _number(item: Item) -> int:
    return int(item["sequenceNumber"]["N"])


def _commit_last(item: Item) -> int:
    """Return where a row's commit ends; a row that cannot say ends its own."""
    text = item.get("commitLast", {}).get("N", "")
    return max(int(text), _number(item)) if text.isdecimal() else _number(item)

"""One aggregate's rows without gaps: rows of a transaction in progress are waited for, then read transactionally.

A Query, also a consistent one, may show some rows of a transaction and not yet the others. Numbers are contiguous and
rows say how far their commit reaches, so a reader can tell, and looks again a few times. A hole that stays is decided
by TransactGetItems, which no transaction under way can blur: rows that are there are given, others are missing for
good. Source: AWS, "DynamoDB transactions: how it works", isolation levels.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from eventstore import limits
from eventstore.backoff import pause
from eventstore.context import StoreContext
from eventstore.dynamodb import transact_get
from eventstore.read.pages import Span, pages
from eventstore.rows.item import Item, row_key

_LOG = logging.getLogger(__name__)

LOOKS_MAX = 3
"""Looks at the same hole before its rows are asked for; with the default back-off they take at most 0.35 s together."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Rows that are missing although they must exist.

    Attributes:
        first: Lowest number that is missing.
        last: Highest number that is missing.
    """

    first: int
    last: int


def rows(context: StoreContext, aggregate_id: str, span: Span, looks_max: int = LOOKS_MAX) -> Iterator[Item | Hole]:
    """Yield the rows of a span in order, and a `Hole` where rows are missing for good.

    A row whose number is not whole is yielded once, wherever it stands, and counts for nothing: its decoder refuses it.

    Args:
        context: The store.
        aggregate_id: The aggregate.
        span: What of it.
        looks_max: Looks at the same hole before its rows are asked for; 0 asks at once.

    Raises:
        TryLaterError: DynamoDB did not answer, or did not say what is in a hole.
    """
    walk = _backwards if span.backwards else _forwards
    yield from walk(context, aggregate_id, span, looks_max)


def _forwards(context: StoreContext, aggregate_id: str, span: Span, looks_max: int) -> Iterator[Item | Hole]:
    place = _Place(span.after, span.limit, looks_max)
    while True:  # every turn moves on, or uses up one of the looks
        missing: Hole | None = None
        for item in _items(context, aggregate_id, replace(span, after=place.number, limit=place.left)):
            number = _number_or_none(item)
            if number is None:
                yield from place.tell(item)
                continue
            if number != place.number + 1:
                missing = Hole(place.number + 1, number - 1)
                break
            yield item
            place.take(item, number)
        if missing is None:
            if not place.is_within_commit(span.until):
                return
            missing = Hole(place.number + 1, _lower(place.commit_last, span.until))
        if place.looks < looks_max:
            place.look_again(context)
            continue
        for found in _decided(context, aggregate_id, missing, backwards=False):
            yield found
            place.pass_by(found)
            if place.left == 0:
                return


def _backwards(context: StoreContext, aggregate_id: str, span: Span, looks_max: int) -> Iterator[Item | Hole]:
    place = _Place(0, span.limit, looks_max)
    until = span.until
    begun = False
    while until is None or until > span.after:  # every turn moves on, or uses up one of the looks
        missing: Hole | None = None
        for item in _items(context, aggregate_id, replace(span, until=until, limit=place.left)):
            number = _number_or_none(item)
            if number is None:
                yield from place.tell(item)
                continue
            top = until if begun else _lower(commit_last_of(item), span.until)
            if top is not None and number != top:
                missing = Hole(number + 1, top)
                break
            yield item
            place.take(item, number)
            begun, until = True, number - 1
        if missing is None:
            if not begun or until is None or until <= span.after or place.left == 0:
                return
            missing = Hole(span.after + 1, until)
        if place.looks < looks_max:
            place.look_again(context)
            continue
        for found in _decided(context, aggregate_id, missing, backwards=True):
            yield found
            place.pass_by(found)
            begun, until = True, (found.first if isinstance(found, Hole) else number_of(found)) - 1
            if place.left == 0:
                return


def _decided(context: StoreContext, aggregate_id: str, hole: Hole, *, backwards: bool) -> list[Item | Hole]:
    """Return what is in a hole, in the order of the walk: all of it, or as far as one request reaches.

    More than 100 rows are more than one transaction can be applied to, so when none of the next 100 is there, none is
    being applied, and the hole is real, however wide it is.
    """
    count = min(hole.last - hole.first + 1, limits.TRANSACTION_MAX_ACTIONS)
    lowest = hole.last - count + 1 if backwards else hole.first
    numbers = range(lowest, lowest + count)
    places = [(context.tables.events, row_key(aggregate_id, number)) for number in numbers]
    rows = transact_get.items(context.caller, places)
    stored = {number: row for number, row in zip(numbers, rows, strict=True) if row is not None}
    if not stored:
        return [hole]
    found: list[Item | Hole] = []
    for number in reversed(numbers) if backwards else numbers:
        before = found[-1] if found else None
        if number in stored:
            found.append(stored[number])
        elif isinstance(before, Hole):
            found[-1] = Hole(min(before.first, number), max(before.last, number))
        else:
            found.append(Hole(number, number))
    return found


@dataclass(slots=True)
class _Place:
    """The progress of a walk."""

    number: int
    left: int | None
    looks_max: int
    commit_last: int = 0
    looks: int = 0
    told: set[str] = field(default_factory=set)

    def tell(self, item: Item) -> Iterator[Item]:
        """Yield a row that stands between the numbers, unless an earlier look has."""
        text = item["sequenceNumber"]["N"]
        if text not in self.told:
            self.told.add(text)
            yield item

    def take(self, item: Item, number: int) -> None:
        """Move on behind a row; its number has been read."""
        self.number, self.commit_last, self.looks = number, commit_last_of(item, number), 0
        if self.left is not None:
            self.left -= 1

    def pass_by(self, found: Item | Hole) -> None:
        """Move on behind a row, or behind rows that are missing for good."""
        if isinstance(found, Hole):
            self.number, self.commit_last, self.looks = found.last, found.last, 0
        else:
            self.take(found, number_of(found))

    def is_within_commit(self, until: int | None) -> bool:
        """Tell whether the rows end although the last one's commit goes on, within what was asked for."""
        return self.left != 0 and self.commit_last > self.number and (until is None or until > self.number)

    def look_again(self, context: StoreContext) -> None:
        self.looks += 1
        _LOG.info("retry: look %d behind event %d, after: its commit was not seen whole", self.looks + 1, self.number)
        delay = context.options.read_backoff.delay_seconds(self.looks, context.runtime.uniform())
        if not pause(context.runtime, delay, context.deadline):
            self.looks = self.looks_max  # there is no time for another look: ask at once


def _items(context: StoreContext, aggregate_id: str, span: Span) -> Iterator[Item]:
    for page in pages(context, aggregate_id, span):
        yield from page


def _lower(commit_last: int, until: int | None) -> int:
    """Return where a commit ends within what was asked for."""
    return commit_last if until is None else min(commit_last, until)


def is_numbered(item: Item) -> bool:
    """Tell whether a row's number is whole."""
    return str(item["sequenceNumber"]["N"]).isdecimal()


def number_of(item: Item) -> int:
    """Return the number of a row that has a whole one."""
    return int(item["sequenceNumber"]["N"])


def commit_last_of(item: Item, number: int | None = None) -> int:
    """Return where a row's commit ends; a row that cannot say ends its own."""
    own = number_of(item) if number is None else number
    text = item.get("commitLast", {}).get("N", "")
    return max(int(text), own) if text.isdecimal() else own


def _number_or_none(item: Item) -> int | None:
    """Return a row's number; None when it is not whole."""
    text = str(item["sequenceNumber"]["N"])
    return int(text) if text.isdecimal() else None

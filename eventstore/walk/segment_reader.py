"""The events of one segment of the table, aggregate by aggregate, each without holes."""

from collections.abc import Iterator
from typing import Any

from eventstore.context import StoreContext
from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent
from eventstore.read import gapless, history
from eventstore.read.pages import Span
from eventstore.rows.item import Item, row_key
from eventstore.walk.place import TableSegment, WalkPlace

Read = tuple[RecordedEvent, int, WalkPlace] | CorruptRowError
"""An event, the index of its segment, and its place there; or why a row cannot be read."""


class SegmentReader:
    """Scans one segment.

    A Scan, also a consistent one, may show some rows of a transaction and not yet the others, and an eventual one may
    lack any new row. Numbers are contiguous and rows say how far their commit reaches, so what is missing is noticed,
    and read as `EventStore.read` does.

    Args:
        context: The store.
        segment: Which one.
        begin: The place behind which it goes on; None for its beginning.
        consistent: Whether all events must be seen that were stored before.
    """

    def __init__(
        self, context: StoreContext, segment: TableSegment, begin: WalkPlace | None, *, consistent: bool
    ) -> None:
        self._context = context
        self._table = context.tables.events
        self._segment = segment
        self._place = begin
        self._consistent = consistent

    def read(self) -> Iterator[Read]:
        """Yield the events, and what cannot be read; a page of at most 1 MB in memory at a time.

        Raises:
            TryLaterError: DynamoDB did not answer in time.
        """
        for item in self._rows():
            if not gapless.is_numbered(item):
                yield from self._decoded(item)
                continue
            place = self._place
            aggregate_id, number = item["aggregateId"]["S"], gapless.number_of(item)
            if place is None or place.aggregate_id != aggregate_id:
                yield from self._rest_of_commit()
                place = self._place = WalkPlace(aggregate_id, 0, 0)
            if number == place.number + 1:
                yield from self._take(item)
            elif number > place.number:
                yield from self._fill(Span(after=place.number, until=number))
        yield from self._rest_of_commit()

    def _rows(self) -> Iterator[Item]:
        request: dict[str, Any] = {"TableName": self._table, "ConsistentRead": self._consistent}
        if self._segment.count > 1:
            request |= {"Segment": self._segment.index, "TotalSegments": self._segment.count}
        if self._place is not None:
            request["ExclusiveStartKey"] = row_key(self._place.aggregate_id, self._place.number)
        for reply in self._context.caller.pages(self._context.client.scan, request, needs="Items"):
            yield from reply["Items"]

    def _rest_of_commit(self) -> Iterator[Read]:
        """Yield what the last commit of an aggregate has beyond the rows that were seen."""
        place = self._place
        if place is not None and place.commit_last > place.number:
            yield from self._fill(Span(after=place.number - 1, until=place.commit_last))

    def _fill(self, span: Span) -> Iterator[Read]:
        """Yield a stretch of the aggregate that the walk is at, read for itself."""
        assert self._place is not None, "there is an aggregate"
        aggregate_id = self._place.aggregate_id
        for found in gapless.rows(self._context, aggregate_id, span):
            if isinstance(found, gapless.Hole):
                self._place = WalkPlace(aggregate_id, found.last, found.last)
                yield history.missing(found, aggregate_id, self._table)
            elif not gapless.is_numbered(found):
                continue  # the scan comes to it by itself
            elif gapless.number_of(found) > self._place.number:
                yield from self._take(found)

    def _take(self, item: Item) -> Iterator[Read]:
        number = gapless.number_of(item)
        self._place = WalkPlace(item["aggregateId"]["S"], number, gapless.commit_last_of(item))
        yield from self._decoded(item)

    def _decoded(self, item: Item) -> Iterator[Read]:
        try:
            event = self._context.decoder.decode(item, self._table)
        except CorruptRowError as error:
            yield error
            return
        assert self._place is not None, "what can be read has a whole number"
        yield event, self._segment.index, self._place

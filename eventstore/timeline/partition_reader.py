"""The places that one partition of an index holds, in order, page by page."""

from collections.abc import Iterator
from typing import Any

from eventstore.context import StoreContext
from eventstore.errors import CorruptRowError, IndexMissingError, RequestRefusedError
from eventstore.event_codec import OnCorrupt
from eventstore.rows.item import Item, ItemReader
from eventstore.timeline.place import Place, is_behind, nearest
from eventstore.timeline.query import Partition

PAGE_MAX_PLACES = 1_000
"""Entries asked for at once."""

RUN_MAX_PLACES = PAGE_MAX_PLACES
"""Places of one timestamp that are sorted in memory."""


class PartitionReader:
    """Reads one partition of an index.

    DynamoDB keeps an index partition in the order of timestamps and promises nothing among equal ones, so runs of
    equal timestamps are sorted here. A run that is longer than a page is read several times over, each time for the
    next so many places: its order holds, and memory stays bounded.
    """

    def __init__(
        self,
        context: StoreContext,
        partition: Partition,
        *,
        backwards: bool,
        page_size: int = PAGE_MAX_PLACES,
        on_corrupt: OnCorrupt = None,
    ) -> None:
        self._context = context
        self._partition = partition
        self._backwards = backwards
        self._page_size = page_size
        self._on_corrupt = on_corrupt

    def places(self, given: Place | None) -> Iterator[Place]:
        """Yield the places after `given`; a page is read when the one before it is used up."""
        low, high = self._partition.low_ms, self._partition.high_ms
        while low <= high:  # each turn ends, or moves an edge past a timestamp with very many events
            run: list[Place] = []
            for place in self._entries(low, high):
                if not is_behind(place, given, backwards=self._backwards):
                    continue
                if run and place.timestamp_ms != run[0].timestamp_ms:
                    yield from sorted(run, reverse=self._backwards)
                    run = []
                run.append(place)
                if len(run) > RUN_MAX_PLACES:
                    break
            else:
                yield from sorted(run, reverse=self._backwards)
                return
            timestamp = run[0].timestamp_ms
            run = []
            yield from self._long_run(timestamp, given)
            low, high = (low, timestamp - 1) if self._backwards else (timestamp + 1, high)

    def _long_run(self, timestamp: int, given: Place | None) -> Iterator[Place]:
        """Yield the places of one timestamp that has more of them than are held in memory."""
        while True:  # each turn gives a page of what is finite
            behind = (
                place
                for place in self._entries(timestamp, timestamp)
                if is_behind(place, given, backwards=self._backwards)
            )
            found = nearest(behind, RUN_MAX_PLACES, backwards=self._backwards)
            yield from found
            if len(found) < RUN_MAX_PLACES:
                return
            given = found[-1]

    def _entries(self, low: int, high: int) -> Iterator[Place]:
        request: dict[str, Any] = {
            "TableName": self._context.tables.events,
            "IndexName": self._partition.index,
            "KeyConditionExpression": "#key = :key AND #time BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#key": self._partition.attribute, "#time": "timestamp"},
            "ExpressionAttributeValues": {
                ":key": {"S": self._partition.value},
                ":low": {"N": str(low)},
                ":high": {"N": str(high)},
            },
            "ScanIndexForward": not self._backwards,
            "Limit": self._page_size,
        }
        context = self._context
        try:
            for reply in context.caller.pages(context.client.query, request, needs="Items"):
                request["Limit"] = PAGE_MAX_PLACES
                for item in reply["Items"]:
                    place = self._place(item)
                    if place is not None:
                        yield place
        except RequestRefusedError as error:
            if "specified index" in str(error):
                raise IndexMissingError(context.tables.events, self._partition.index) from error
            raise

    def _place(self, item: Item) -> Place | None:
        row = ItemReader(item, self._context.tables.events)
        try:
            return Place(row.integer("timestamp"), row.text("aggregateId"), row.integer("sequenceNumber"))
        except CorruptRowError as error:
            if self._on_corrupt is None:
                raise
            self._on_corrupt(error)
            return None

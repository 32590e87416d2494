"""The places that one partition of an index holds, in order, page by page."""

from collections.abc import Iterator
from itertools import chain, groupby, islice
from typing import Any

from eventstore.context import StoreContext
from eventstore.errors import CorruptRowError, IndexMissingError, RequestRefusedError
from eventstore.event_codec import OnCorrupt
from eventstore.rows.item import Item, ItemReader
from eventstore.timeline.place import Place, is_behind, nearest
from eventstore.timeline.query import Partition

PAGE_MAX_PLACES = 1_000
"""Entries asked for at once."""

RUN_MAX_PLACES = 100_000
"""Places of one timestamp that a read holds to sort them, over all of its partitions; about 200 bytes each."""


class PartitionReader:
    """Reads one partition of an index.

    DynamoDB keeps an index partition in the order of timestamps and promises nothing among equal ones, so runs of
    equal timestamps are sorted here. A run that is longer than there is room for is read several times over, each time
    for the next so many places: its order holds, and memory stays bounded.

    Args:
        context: The store.
        partition: What is read.
        backwards: Newest first.
        page_size: Entries of the first page; further ones are as large as can be.
        room: Places of one timestamp that are held.
        on_corrupt: As for `read`.
    """

    def __init__(
        self,
        context: StoreContext,
        partition: Partition,
        *,
        backwards: bool,
        page_size: int = PAGE_MAX_PLACES,
        room: int = RUN_MAX_PLACES,
        on_corrupt: OnCorrupt = None,
    ) -> None:
        self._context = context
        self._partition = partition
        self._backwards = backwards
        self._page_size = page_size
        self._room = room
        self._on_corrupt = on_corrupt

    def places(self, given: Place | None) -> Iterator[Place]:
        """Yield the places after `given`; a page is read when the one before it is used up."""
        entries = self._entries(self._partition.low_ms, self._partition.high_ms)
        for timestamp, run in groupby(entries, key=_timestamp_of):
            found, is_whole = self._next_of(run, given)
            yield from found
            while not is_whole:  # each turn gives as many places as there is room for, of what is finite
                found, is_whole = self._next_of(self._entries(timestamp, timestamp), found[-1])
                yield from found

    def _next_of(self, run: Iterator[Place], given: Place | None) -> tuple[list[Place], bool]:
        """Return the next places of one timestamp after `given`, in order, and whether these are all."""
        behind = (place for place in run if is_behind(place, given, backwards=self._backwards))
        found = list(islice(behind, self._room + 1))
        if len(found) <= self._room:
            found.sort(reverse=self._backwards)
            return found, True
        return nearest(chain(found, behind), self._room, backwards=self._backwards), False

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
            raise_if_missing(error, context.tables.events, self._partition.index)
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


def raise_if_missing(error: RequestRefusedError, table: str, index: str) -> None:
    """Say what a refused read of an index means.

    Raises:
        IndexMissingError: That there is none.
    """
    if "specified index" in str(error):
        raise IndexMissingError(table, index) from error


def _timestamp_of(place: Place) -> int:
    return place.timestamp_ms

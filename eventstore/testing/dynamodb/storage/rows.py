"""Items in partitions, in order of their sort key: the storage of a table and of an index.

Sort values of a table are key parts; those of an index are tuples that begin with the index's sort value and end with
the base table's key, so that they are unique. `leading` says where the part lies that key conditions speak about.

Scans walk partitions in the order of a hash, as AWS does. That order is kept lazily: a new partition is only noted,
and sorted in when the next scan needs it, so writes never pay for it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from eventstore.testing.dynamodb.storage.items import StoredItem
from eventstore.testing.dynamodb.values import KeyPart

HASH_BITS = 64
_STALE_MIN = 64


def hash_of(partition: KeyPart) -> int:
    """Return where a partition key lies in the hash space, from 0 to 2**HASH_BITS - 1."""
    content = partition if isinstance(partition, bytes) else str(partition).encode()
    return int.from_bytes(blake2b(content, digest_size=HASH_BITS // 8).digest())


@dataclass(frozen=True, slots=True)
class SortBounds:
    """A range of sort values; `None` is open. A prefix excludes other bounds."""

    low: KeyPart | None = None
    high: KeyPart | None = None
    low_is_included: bool = True
    high_is_included: bool = True
    prefix: str | bytes | None = None

    def contains(self, part: Any) -> bool:
        """Tell whether a sort value lies within."""
        if self.prefix is not None:
            return bool(part.startswith(self.prefix))
        above = self.low is None or part > self.low or (self.low_is_included and part == self.low)
        below = self.high is None or part < self.high or (self.high_is_included and part == self.high)
        return bool(above and below)


@dataclass(frozen=True, slots=True)
class Segment:
    """One of `total` parts of the hash space."""

    number: int = 0
    total: int = 1

    def contains(self, position: int) -> bool:
        """Tell whether a place in the hash space lies within."""
        return position * self.total >> HASH_BITS == self.number


class _Partition:
    __slots__ = ("items", "order")

    def __init__(self) -> None:
        self.order: list[Any] = []
        self.items: dict[Any, StoredItem] = {}


class Rows:
    """The items of one table or index.

    Args:
        leading: From a sort value to the part that key conditions speak about.
    """

    def __init__(self, leading: Callable[[Any], KeyPart]) -> None:
        self._leading = leading
        self._partitions: dict[KeyPart, _Partition] = {}
        self._order: list[tuple[int, KeyPart]] = []
        self._known: set[KeyPart] = set()
        self._new: list[KeyPart] = []
        self.count = 0
        self.size_bytes = 0

    def get(self, partition: KeyPart, sort: Any) -> StoredItem | None:
        """Return the item with this key."""
        found = self._partitions.get(partition)
        return None if found is None else found.items.get(sort)

    def put(self, partition: KeyPart, sort: Any, item: StoredItem) -> None:
        """Store an item, in place of one with this key."""
        found = self._partitions.get(partition)
        if found is None:
            found = self._partitions[partition] = _Partition()
            if partition not in self._known:
                self._known.add(partition)
                self._new.append(partition)
        earlier = found.items.get(sort)
        found.items[sort] = item
        self.size_bytes += item.size_bytes
        if earlier is not None:
            self.size_bytes -= earlier.size_bytes
            return
        self.count += 1
        if not found.order or found.order[-1] < sort:
            found.order.append(sort)
        else:
            found.order.insert(bisect_left(found.order, sort), sort)

    def remove(self, partition: KeyPart, sort: Any) -> None:
        """Remove the item with this key, which is there."""
        found = self._partitions[partition]
        earlier = found.items.pop(sort)
        self.count -= 1
        self.size_bytes -= earlier.size_bytes
        if found.items:
            del found.order[bisect_left(found.order, sort)]
        else:
            del self._partitions[partition]

    def query(
        self,
        partition: KeyPart,
        bounds: SortBounds,
        *,
        after: Any | None,
        forward: bool,
    ) -> Iterator[StoredItem]:
        """Walk the items of one partition within bounds, from just after the sort value `after`."""
        found = self._partitions.get(partition)
        if found is None:
            return
        order = found.order
        low, high = self._slice(order, bounds)
        if after is not None and forward:
            low = max(low, bisect_right(order, after))
        elif after is not None:
            high = min(high, bisect_left(order, after))
        for place in range(low, high) if forward else range(high - 1, low - 1, -1):
            yield found.items[order[place]]

    def _slice(self, order: list[Any], bounds: SortBounds) -> tuple[int, int]:
        low, high = 0, len(order)
        if bounds.prefix is not None:
            prefix = bounds.prefix

            def shortened(sort: Any) -> Any:
                return self._leading(sort)[: len(prefix)]  # type: ignore[index]

            return bisect_left(order, prefix, key=shortened), bisect_right(order, prefix, key=shortened)
        if bounds.low is not None:
            bisect_low = bisect_left if bounds.low_is_included else bisect_right
            low = bisect_low(order, bounds.low, key=self._leading)
        if bounds.high is not None:
            bisect_high = bisect_right if bounds.high_is_included else bisect_left
            high = bisect_high(order, bounds.high, key=self._leading)
        return low, high

    def scan(self, after: tuple[KeyPart, Any] | None, segment: Segment) -> Iterator[StoredItem]:
        """Walk all items of one segment of the hash space, from just after the key `after`."""
        self._sort_partitions()
        start = 0
        if after is not None:
            partition, sort = after
            place = (hash_of(partition), partition)
            if segment.contains(place[0]):
                yield from self.query(partition, SortBounds(), after=sort, forward=True)
            start = bisect_right(self._order, place)
        else:
            start = bisect_left(self._order, segment.number, key=lambda entry: entry[0] * segment.total >> HASH_BITS)
        for place_in_order in range(start, len(self._order)):
            position, partition = self._order[place_in_order]
            if not segment.contains(position):
                return
            yield from self.query(partition, SortBounds(), after=None, forward=True)

    def _sort_partitions(self) -> None:
        if self._new:
            self._order.extend((hash_of(partition), partition) for partition in self._new)
            self._new.clear()
            self._order.sort()
        if len(self._order) > 2 * len(self._partitions) + _STALE_MIN:
            self._order = [entry for entry in self._order if entry[1] in self._partitions]
            self._known = {partition for _, partition in self._order}

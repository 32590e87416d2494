"""A shard: one ordered run of a feed's records, for one part of the hash space."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class HashRange:
    """A part of the hash space: `low` is within, `high` is not."""

    low: int
    high: int

    def contains(self, place: int) -> bool:
        """Tell whether a place lies within."""
        return self.low <= place < self.high

    def parts(self, count: int) -> "list[HashRange]":
        """Return `count` ranges of about one size that together make this one."""
        assert 0 < count <= self.high - self.low, "a part holds at least one place"
        edges = [self.low + (self.high - self.low) * number // count for number in range(count + 1)]
        return [HashRange(low, high) for low, high in pairwise(edges)]


class StoredShard(Generic[Record]):
    """One shard.

    A place in it is an index: how many records were ever appended before. It stays the same when records are trimmed.

    Attributes:
        shard_id: Its id; a later shard has a greater one.
        parent_id: The shard it came from.
        hash_range: Its part of the hash space.
        starting_position: No record of it has a lower position.
        ending_position: No record of it has a higher position; None while it is open.
        closed_ms: When it was closed.
        trimmed_position: The position of the last record that was trimmed; None when none was.
        listed_ms: Listings tell of it from then on.
        shown_open_until_ms: Listings say until then that it is open.
    """

    def __init__(self, *, shard_id: str, parent_id: str | None, hash_range: HashRange, starting_position: int) -> None:
        self.shard_id = shard_id
        self.parent_id = parent_id
        self.hash_range = hash_range
        self.starting_position = starting_position
        self.ending_position: int | None = None
        self.closed_ms = 0
        self.trimmed_count = 0
        self.trimmed_position: int | None = None
        self.listed_ms = 0
        self.shown_open_until_ms = 0
        self._positions: list[int] = []
        self._records: list[Record] = []

    @property
    def is_open(self) -> bool:
        """Tell whether records may still be appended."""
        return self.ending_position is None

    @property
    def end(self) -> int:
        """The place after the last record."""
        return self.trimmed_count + len(self._records)

    def append(self, position: int, record: Record) -> None:
        """Append a record."""
        assert self.is_open, "a closed shard takes no records"
        assert position >= self.starting_position
        assert not self._positions or position > self._positions[-1], "positions grow"
        self._positions.append(position)
        self._records.append(record)

    def close(self, last_position: int, now_ms: int) -> None:
        """Close it; `last_position` is the last one its feed has given away."""
        assert self.is_open
        self.closed_ms = now_ms
        self.ending_position = max(last_position, self.starting_position)

    def place_at(self, position: int) -> int:
        """Return the place of the first record at or after a position."""
        return self.trimmed_count + bisect_left(self._positions, position)

    def place_after(self, position: int) -> int:
        """Return the place of the first record after a position."""
        return self.trimmed_count + bisect_right(self._positions, position)

    @property
    def records(self) -> Sequence[Record]:
        """The records it still holds."""
        return self._records

    def trim(self, count: int) -> None:
        """Remove its oldest `count` records."""
        if count == 0:
            return
        assert 0 < count <= len(self._records)
        self.trimmed_position = self._positions[count - 1]
        self.trimmed_count += count
        del self._positions[:count], self._records[:count]

    def read(self, place: int, limit: int) -> Sequence[tuple[int, Record]]:
        """Return up to `limit` records with their positions, from a place on."""
        first = place - self.trimmed_count
        assert first >= 0, "what is trimmed cannot be read"
        return list(zip(self._positions[first : first + limit], self._records[first : first + limit], strict=True))

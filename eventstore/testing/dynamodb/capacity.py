"""Counts what a request costs, in capacity units.

A write costs one unit per started KiB of the larger of the item before and after, a consistent read one per started
4 KiB, an eventually consistent one half of that; in a transaction both cost double. Index writes are charged by what
the index keeps. A batch of statements tells its units statement by statement, and a condition that is not met has some
too. Sources: AWS, "DynamoDB read and write operations", "Using Global Secondary Indexes in DynamoDB", API reference of
BatchExecuteStatement.

Approximate, because AWS states no more: the size of a number, that statements refused for another reason have no units,
and whether an index write that follows a transaction costs double (it does here and on DynamoDB Local).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.storage.index import SecondaryIndex
from eventstore.testing.dynamodb.table import Table

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
TRANSACTION_FACTOR = 2
EVENTUAL_FACTOR = 0.5

_NONE, _TOTAL, _INDEXES = "NONE", "TOTAL", "INDEXES"


def _units(size_bytes: int, unit_bytes: int) -> int:
    return max(1, -(-size_bytes // unit_bytes))


class CapacityTally:
    """Adds up the units of one request.

    Args:
        request: Its `ReturnConsumedCapacity` says whether, and how finely, the units are told.
        factor: What every unit is multiplied by.
    """

    __slots__ = ("_detail", "_factor", "_indexes", "_local", "_tables")

    def __init__(self, request: Mapping[str, Any], factor: float = 1) -> None:
        self._detail = request.get("ReturnConsumedCapacity") or _NONE
        if self._detail not in {_NONE, _TOTAL, _INDEXES}:
            raise validation(f"Value '{self._detail}' at 'returnConsumedCapacity' failed to satisfy constraint")
        self._factor = factor
        self._tables: defaultdict[str, float] = defaultdict(float)
        self._indexes: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._local: set[tuple[str, str]] = set()

    @property
    def is_wanted(self) -> bool:
        """Tell whether the units are reported."""
        return self._detail != _NONE

    def write(self, table: Table, size_bytes: int, index_sizes: Mapping[str, list[int]]) -> None:
        """Count the write of one item, and the writes to indexes that it caused."""
        self._tables[table.name] += _units(size_bytes, WRITE_UNIT_BYTES) * self._factor
        for name, sizes in index_sizes.items():
            units = sum(_units(size, WRITE_UNIT_BYTES) for size in sizes) * self._factor
            self._count(table.name, table.indexes[name], units)

    def read(self, table: str, size_bytes: int, index: SecondaryIndex | None = None, *, factor: float = 1) -> None:
        """Count a read of that many bytes; `factor` on top of the request's own."""
        units = _units(size_bytes, READ_UNIT_BYTES) * self._factor * factor
        if index is None:
            self._tables[table] += units
        else:
            self._tables[table] += 0
            self._count(table, index, units)

    def _count(self, table: str, index: SecondaryIndex, units: float) -> None:
        self._indexes[table, index.name] += units
        if index.is_local:
            self._local.add((table, index.name))

    def report(self) -> list[dict[str, Any]]:
        """Return `ConsumedCapacity` of each table, in the order of first use."""
        return [self._report_table(table) for table in self._tables] if self.is_wanted else []

    def _report_table(self, table: str) -> dict[str, Any]:
        indexes = {index: units for (owner, index), units in self._indexes.items() if owner == table}
        report: dict[str, Any] = {"TableName": table, "CapacityUnits": self._tables[table] + sum(indexes.values())}
        if self._detail == _INDEXES:
            report["Table"] = {"CapacityUnits": self._tables[table]}
            for member, is_local in (("LocalSecondaryIndexes", True), ("GlobalSecondaryIndexes", False)):
                told = {
                    name: {"CapacityUnits": units}
                    for name, units in indexes.items()
                    if ((table, name) in self._local) == is_local
                }
                if told:
                    report[member] = told
        return report

    def add_to(self, reply: dict[str, Any]) -> dict[str, Any]:
        """Add `ConsumedCapacity` of the one table to a reply, where wanted; return the reply."""
        if self.is_wanted:
            reply["ConsumedCapacity"] = self.report()[0]
        return reply

    def add_list_to(self, reply: dict[str, Any]) -> dict[str, Any]:
        """Add the list of `ConsumedCapacity` to a reply, where wanted; return the reply."""
        if self.is_wanted:
            reply["ConsumedCapacity"] = self.report()
        return reply

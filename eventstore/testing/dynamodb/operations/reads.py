"""Query and Scan, a page at a time."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from eventstore.testing.dynamodb.capacity import EVENTUAL_FACTOR, CapacityTally
from eventstore.testing.dynamodb.engine import Engine
from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.expressions.arguments import Arguments
from eventstore.testing.dynamodb.expressions.compiled import Compiled
from eventstore.testing.dynamodb.expressions.conditions import Condition
from eventstore.testing.dynamodb.expressions.key_conditions import LABEL, KeyRange, key_range
from eventstore.testing.dynamodb.expressions.projections import ItemProjection
from eventstore.testing.dynamodb.faults.faults import Faults
from eventstore.testing.dynamodb.faults.weather import UNLIMITED_ITEMS
from eventstore.testing.dynamodb.storage.index import SecondaryIndex
from eventstore.testing.dynamodb.storage.items import StoredItem
from eventstore.testing.dynamodb.storage.rows import Rows, Segment, hash_of
from eventstore.testing.dynamodb.storage.schema import KeySchema
from eventstore.testing.dynamodb.table import Table
from eventstore.testing.dynamodb.values import Item, KeyPart, copy_item, copy_value, key_part, read_value

PAGE_MAX_BYTES = 1024 * 1024
"""A page ends with the item that reaches this. Source: AWS, API reference of Query."""

SEGMENTS_MAX = 1_000_000
SHORT_PAGE_MAX = 10
"""A page that ends early, with no limit of its own, ends before that many items."""

_SELECTS = frozenset({"ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"})

Request = Mapping[str, Any]
Reply = dict[str, Any]


class ReadSource:
    """What is read: a table, or one of its indexes."""

    def __init__(self, table: Table, index: SecondaryIndex | None) -> None:
        self.table = table
        self.index = index
        self.rows: Rows = table.rows if index is None else index.rows
        self.schema: KeySchema = table.schema if index is None else index.schema
        self.key_names = table.schema.names if index is None else index.key_names

    def place_of(self, key: Mapping[str, Any]) -> tuple[KeyPart, Any]:
        """Return the partition and sort value that an ExclusiveStartKey names."""
        if set(key) != set(self.key_names):
            raise validation("The provided starting key is invalid")
        attributes: Item = {name: read_value(value)[0] for name, value in key.items()}
        for attribute in (*self.table.schema.attributes, *self.schema.attributes):
            if attribute.kind not in attributes[attribute.name]:
                raise validation("The provided starting key is invalid")
        partition = key_part(attributes[self.schema.partition.name])
        if self.index is None:
            return self.table.schema.key_of(attributes)
        return partition, self.index.sort_of(attributes)

    def whole(self, stored: StoredItem) -> StoredItem:
        """Return the table's item behind an entry of a local index; it is there, since both change together."""
        found = self.table.get(self.table.schema.key_of(stored.attributes))
        assert found is not None, "a local index has no item that the table lacks"
        return found

    def leading(self, sort: Any) -> KeyPart:
        """Return the part of a sort value that key conditions speak about."""
        part: KeyPart = sort if self.index is None else sort[0]
        return part


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a read gives back, and when its page ends; `fetches` when items of a local index are had from the table."""

    limit: int | None
    condition: Compiled[Condition] | None
    projection: ItemProjection | None
    counts_only: bool
    fetches: bool
    arguments: Arguments


def _source(engine: Engine, request: Request) -> ReadSource:
    table = engine.table(request["TableName"])
    name = request.get("IndexName")
    if name is None:
        return ReadSource(table, None)
    index = table.index(name)
    if request.get("ConsistentRead") and not index.is_local:
        raise validation("Consistent reads are not supported on global secondary indexes")
    return ReadSource(table, index)


def _wanted(request: Request, source: ReadSource, arguments: Arguments) -> Wanted:
    limit = request.get("Limit")
    if limit is not None and limit < 1:
        raise validation("Limit must be greater than or equal to 1")
    select = request.get("Select")
    if select is not None and select not in _SELECTS:
        raise validation(f"Value '{select}' at 'select' failed to satisfy constraint")
    condition = arguments.condition("FilterExpression")
    projection = arguments.projection()
    if projection is not None and select not in {None, "SPECIFIC_ATTRIBUTES"}:
        raise validation(f"Cannot specify the ProjectionExpression or AttributesToGet when choosing to get {select}")
    if select == "SPECIFIC_ATTRIBUTES" and projection is None:
        raise validation("Must specify the ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
    if source.index is None and select == "ALL_PROJECTED_ATTRIBUTES":
        raise validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    fetches = False
    if source.index is not None and source.index.projected is not None:
        fetches = _goes_beyond(source.index, source.index.projected, select, projection)
        _check_filtered(source.index, source.index.projected, condition)
    return Wanted(limit, condition, projection, select == "COUNT", fetches, arguments)


def _goes_beyond(
    index: SecondaryIndex, projected: frozenset[str], select: str | None, projection: ItemProjection | None
) -> bool:
    """Tell whether more is asked for than the index keeps; only a local one can give that."""
    invalid = "One or more parameter values were invalid"
    missing = sorted({path.top for path in projection.paths} - projected) if projection else []
    if not index.is_local and select == "ALL_ATTRIBUTES":
        detail = f"is not supported for global secondary index {index.name} because its projection type is not ALL"
        raise validation(f"{invalid}: Select type ALL_ATTRIBUTES {detail}")
    if not index.is_local and missing:
        raise validation(f"{invalid}: Global secondary index {index.name} does not project [{', '.join(missing)}]")
    return bool(missing) or select == "ALL_ATTRIBUTES"


def _check_filtered(index: SecondaryIndex, projected: frozenset[str], condition: Compiled[Condition] | None) -> None:
    invalid = "One or more parameter values were invalid"
    missing = sorted({path.top for path in condition.paths} - projected) if condition else []
    if missing:
        detail = f"does not project one or more filter attributes: [{', '.join(missing)}]"
        raise validation(f"{invalid}: Secondary index {index.name} {detail}")


def _read_page(items: Iterator[StoredItem], source: ReadSource, wanted: Wanted, tally: CapacityTally) -> Reply:
    found: list[Item] = []
    count = scanned = size = 0
    last: StoredItem | None = None
    values = wanted.arguments.values
    for stored in items:
        scanned += 1
        size += stored.size_bytes
        if wanted.condition is None or wanted.condition.tree.test(stored.attributes, values):
            count += 1
            if not wanted.counts_only:
                attributes = stored.attributes
                if wanted.fetches:
                    whole = source.whole(stored)
                    attributes = whole.attributes
                    tally.read(source.table.name, whole.size_bytes)
                projection = wanted.projection
                found.append(copy_item(attributes) if projection is None else projection.of(attributes))
        if scanned == wanted.limit or size >= PAGE_MAX_BYTES:
            last = stored
            break
    tally.read(source.table.name, size, source.index)
    reply: Reply = {} if wanted.counts_only else {"Items": found}
    reply |= {"Count": count, "ScannedCount": scanned}
    if last is not None:
        reply["LastEvaluatedKey"] = {name: copy_value(last.attributes[name]) for name in source.key_names}
    return tally.add_to(reply)


def _tally(request: Request) -> CapacityTally:
    return CapacityTally(request, 1 if request.get("ConsistentRead") else EVENTUAL_FACTOR)


def query(engine: Engine, request: Request) -> Reply:
    """Carry out Query."""
    source = _source(engine, request)
    arguments = Arguments(request)
    condition = arguments.condition(LABEL)
    if condition is None:
        raise validation(f"Either the KeyConditions or {LABEL} parameter must be specified in the request")
    wanted = _wanted(request, source, arguments)
    arguments.finish()
    sought = key_range(condition.tree, source.schema, arguments.values)
    _check_filter(source, wanted)
    after = _start_within(source, sought, request.get("ExclusiveStartKey"))
    forward = request.get("ScanIndexForward", True)
    items = source.rows.query(sought.partition, sought.bounds, after=after, forward=forward)
    if engine.faults is None:
        return _read_page(items, source, wanted, _tally(request))
    with _seen(engine.faults, source, request, sought.partition):
        return _read_page(items, source, _shortened(engine.faults, wanted), _tally(request))


def _seen(
    faults: Faults, source: ReadSource, request: Request, partition: KeyPart | None
) -> AbstractContextManager[None]:
    """Let the items be those that this read sees; an index has ways of its own to be late."""
    if source.index is not None:
        return nullcontext()
    return faults.hiding.seen(source.table, partition, consistent=bool(request.get("ConsistentRead")))


def _shortened(faults: Faults, wanted: Wanted) -> Wanted:
    most = faults.chance.weather.page_items_max
    if most < UNLIMITED_ITEMS:
        wanted = replace(wanted, limit=min(wanted.limit or most, most))
    if wanted.limit == 1 or not faults.chance.meets("short_page"):
        return wanted
    return replace(wanted, limit=faults.chance.whole(1, (wanted.limit or SHORT_PAGE_MAX) - 1))


def _check_filter(source: ReadSource, wanted: Wanted) -> None:
    for path in wanted.condition.paths if wanted.condition else ():
        if path.top in source.schema.names:
            detail = f"Primary key attribute: {path.top}"
            raise validation(f"Filter Expression can only contain non-primary key attributes: {detail}")


def _start_within(source: ReadSource, sought: KeyRange, start: Mapping[str, Any] | None) -> Any | None:
    if start is None:
        return None
    partition, sort = source.place_of(start)
    if partition != sought.partition or not sought.bounds.contains(source.leading(sort)):
        raise validation("The provided starting key does not match the range key predicate")
    return sort


def scan(engine: Engine, request: Request) -> Reply:
    """Carry out Scan."""
    source = _source(engine, request)
    segment = _segment(request)
    arguments = Arguments(request)
    wanted = _wanted(request, source, arguments)
    arguments.finish()
    start = request.get("ExclusiveStartKey")
    after = None if start is None else source.place_of(start)
    if after is not None and not segment.contains(hash_of(after[0])):
        raise validation("The provided starting key is invalid: it does not lie in the segment")
    items = source.rows.scan(after, segment)
    if engine.faults is None:
        return _read_page(items, source, wanted, _tally(request))
    with _seen(engine.faults, source, request, None):
        return _read_page(items, source, _shortened(engine.faults, wanted), _tally(request))


def _segment(request: Request) -> Segment:
    number, total = request.get("Segment"), request.get("TotalSegments")
    if number is None and total is None:
        return Segment()
    if number is None or total is None:
        raise validation("Segment and TotalSegments must be specified together")
    if not 1 <= total <= SEGMENTS_MAX:
        raise validation(f"Value '{total}' at 'totalSegments' failed to satisfy constraint")
    if not 0 <= number < total:
        raise validation("The Segment parameter is zero-based and must be less than parameter TotalSegments")
    return Segment(number, total)

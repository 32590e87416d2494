"""BatchWriteItem and BatchGetItem."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.testing.dynamodb.capacity import EVENTUAL_FACTOR, CapacityTally
from eventstore.testing.dynamodb.engine import Engine
from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.expressions.arguments import Arguments
from eventstore.testing.dynamodb.faults.faults import Faults
from eventstore.testing.dynamodb.storage.schema import Key
from eventstore.testing.dynamodb.table import Table
from eventstore.testing.dynamodb.values import Item, copy_item
from eventstore.testing.dynamodb.writes import Delete, Put, Write

BATCH_WRITE_MAX = 25
BATCH_GET_MAX = 100
BATCH_GET_MAX_BYTES = 16 * 1024 * 1024
"""Sources: AWS, API reference of BatchWriteItem and BatchGetItem."""

Request = Mapping[str, Any]
Reply = dict[str, Any]


def _read_write(table: Table, entry: Mapping[str, Any]) -> Write:
    if len(entry) != 1 or not entry.keys() <= {"PutRequest", "DeleteRequest"}:
        raise validation("Supplied WriteRequest must contain exactly one of PutRequest and DeleteRequest")
    if "PutRequest" in entry:
        return Put(table, entry["PutRequest"])
    return Delete(table, entry["DeleteRequest"])


def batch_write_item(engine: Engine, request: Request) -> Reply:
    """Carry out BatchWriteItem; nothing stays unprocessed without a fault."""
    faults = engine.faults
    if not request["RequestItems"]:
        raise validation("BatchWriteItem must have some requests set")
    writes: list[Write] = []
    entries_of: list[tuple[str, Mapping[str, Any]]] = []
    for name, entries in request["RequestItems"].items():
        if not entries:
            raise validation(f"The batch write request list for a table cannot be null or empty: {name}")
        table = engine.table(name)
        writes.extend(_read_write(table, entry) for entry in entries)
        entries_of.extend((name, entry) for entry in entries)
    if len(writes) > BATCH_WRITE_MAX:
        raise validation("Too many items requested for the BatchWriteItem call")
    keys = [(write.table.name, write.checked_key()) for write in writes]
    if len(set(keys)) != len(keys):
        raise validation("Provided list of item keys contains duplicates")
    tally = CapacityTally(request)
    put_off: frozenset[int] = frozenset()
    if faults is not None:
        put_off = _put_off(faults, writes)
    unprocessed: dict[str, list[Mapping[str, Any]]] = {}
    for place, write in enumerate(writes):
        if place in put_off:
            name, entry = entries_of[place]
            unprocessed.setdefault(name, []).append(entry)
            continue
        change = write.change()
        (index_sizes,) = engine.commit([change])
        tally.write(write.table, change.larger_bytes, index_sizes)
    return tally.add_list_to({"UnprocessedItems": unprocessed})


def _put_off(faults: Faults, writes: Sequence[Write]) -> frozenset[int]:
    """Return which writes stay unprocessed: a part of them by chance, and those that a transaction is in the way of."""
    chosen: frozenset[int] = frozenset()
    if len(writes) > 1 and faults.chance.meets("unprocessed"):
        chosen = faults.chance.some(len(writes))
    blocked = [place for place, write in enumerate(writes) if write.checked_key() in write.table.unapplied]
    return chosen.union(blocked)


def _read_keys(table: Table, wanted: Mapping[str, Any]) -> list[Key]:
    keys = [table.schema.read_key(key) for key in wanted["Keys"]]
    if len(set(keys)) != len(keys):
        raise validation("Provided list of item keys contains duplicates")
    return keys


def _bounds(faults: Faults, count: int) -> tuple[int, frozenset[int]]:
    """Return how many items one answer has at most, and the places of those that stay unprocessed by chance."""
    is_met = count > 1 and faults.chance.meets("unprocessed")
    return faults.chance.weather.page_items_max, faults.chance.some(count) if is_met else frozenset()


def batch_get_item(engine: Engine, request: Request) -> Reply:
    """Carry out BatchGetItem; what goes beyond 16 MB stays unprocessed, as on AWS."""
    if not request["RequestItems"]:
        raise validation("BatchGetItem must have some requests set")
    for name, wanted in request["RequestItems"].items():
        if not wanted["Keys"]:
            raise validation(f"The list of keys in RequestItems for BatchGetItem is required: {name} has empty list")
    count = sum(len(wanted["Keys"]) for wanted in request["RequestItems"].values())
    if count > BATCH_GET_MAX:
        raise validation("Too many items requested for the BatchGetItem call")
    tally = CapacityTally(request)
    left_bytes = BATCH_GET_MAX_BYTES
    left_items, put_off = (count, frozenset[int]()) if engine.faults is None else _bounds(engine.faults, count)
    number = -1
    responses: dict[str, list[Item]] = {}
    unprocessed: dict[str, dict[str, Any]] = {}
    for name, wanted in request["RequestItems"].items():
        table = engine.table(name)
        arguments = Arguments(wanted)
        projection = arguments.projection()
        arguments.finish()
        found_items = responses.setdefault(name, [])
        consistent = bool(wanted.get("ConsistentRead"))
        units_factor = 1 if consistent else EVENTUAL_FACTOR
        for place, key in enumerate(_read_keys(table, wanted)):
            number += 1
            found = engine.see(table, key, consistent=consistent)
            size = 0 if found is None else found.size_bytes
            if size > left_bytes or left_items == 0 or number in put_off:
                rest = unprocessed.setdefault(name, {**wanted, "Keys": []})
                rest["Keys"].append(wanted["Keys"][place])
                continue
            left_bytes -= size
            left_items -= found is not None
            tally.read(table.name, size, factor=units_factor)
            if found is not None:
                item = copy_item(found.attributes) if projection is None else projection.of(found.attributes)
                found_items.append(item)
    return tally.add_list_to({"Responses": responses, "UnprocessedKeys": unprocessed})

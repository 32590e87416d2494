"""PutItem, UpdateItem, DeleteItem and GetItem."""

from collections.abc import Callable, Mapping
from typing import Any

from eventstore.testing.dynamodb.capacity import EVENTUAL_FACTOR, CapacityTally
from eventstore.testing.dynamodb.engine import Engine
from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.expressions.arguments import Arguments
from eventstore.testing.dynamodb.expressions.projections import ItemProjection
from eventstore.testing.dynamodb.storage.items import Change
from eventstore.testing.dynamodb.values import Item, copy_item
from eventstore.testing.dynamodb.writes import Delete, Put, Update, Write

Request = Mapping[str, Any]
Reply = dict[str, Any]


def _write(engine: Engine, request: Request, write: Write, returned: Callable[[Change], Item | None]) -> Reply:
    tally = CapacityTally(request)
    change = write.change()
    (index_sizes,) = engine.commit([change])
    tally.write(write.table, change.larger_bytes, index_sizes)
    reply: Reply = {}
    attributes = returned(change)
    if attributes:
        reply["Attributes"] = attributes
    return tally.add_to(reply)


def _nothing(_change: Change) -> Item | None:
    return None


def _all_old(change: Change) -> Item | None:
    return None if change.old is None else copy_item(change.old.attributes)


def _all_new(change: Change) -> Item | None:
    return None if change.new is None else copy_item(change.new.attributes)


def _wanted(
    request: Request, choices: Mapping[str, Callable[[Change], Item | None]]
) -> Callable[[Change], Item | None]:
    chosen = choices.get(request.get("ReturnValues") or "NONE")
    if chosen is None:
        raise validation("Return values set to invalid value")
    return chosen


def put_item(engine: Engine, request: Request) -> Reply:
    """Carry out PutItem."""
    returned = _wanted(request, {"NONE": _nothing, "ALL_OLD": _all_old})
    return _write(engine, request, Put(engine.table(request["TableName"]), request), returned)


def delete_item(engine: Engine, request: Request) -> Reply:
    """Carry out DeleteItem."""
    returned = _wanted(request, {"NONE": _nothing, "ALL_OLD": _all_old})
    return _write(engine, request, Delete(engine.table(request["TableName"]), request), returned)


def update_item(engine: Engine, request: Request) -> Reply:
    """Carry out UpdateItem; UPDATED_OLD and UPDATED_NEW give what lies at the targets, of nested ones no more."""
    update = Update(engine.table(request["TableName"]), request)
    targets = ItemProjection(update.targets)

    def updated_old(change: Change) -> Item | None:
        return None if change.old is None else targets.of(change.old.attributes)

    def updated_new(change: Change) -> Item | None:
        return None if change.new is None else targets.of(change.new.attributes)

    choices = {
        "NONE": _nothing,
        "ALL_OLD": _all_old,
        "ALL_NEW": _all_new,
        "UPDATED_OLD": updated_old,
        "UPDATED_NEW": updated_new,
    }
    return _write(engine, request, update, _wanted(request, choices))


def get_item(engine: Engine, request: Request) -> Reply:
    """Carry out GetItem."""
    table = engine.table(request["TableName"])
    key = table.schema.read_key(request["Key"])
    arguments = Arguments(request)
    projection = arguments.projection()
    arguments.finish()
    consistent = bool(request.get("ConsistentRead"))
    tally = CapacityTally(request, 1 if consistent else EVENTUAL_FACTOR)
    found = engine.see(table, key, consistent=consistent)
    tally.read(table.name, 0 if found is None else found.size_bytes)
    reply: Reply = {}
    if found is not None:
        reply["Item"] = copy_item(found.attributes) if projection is None else projection.of(found.attributes)
    return tally.add_to(reply)

"""TransactWriteItems and TransactGetItems.

A transaction is decided as a whole before anything is written: every action is tried on what is there, all refusals
are gathered as cancellation reasons, and only if there are none are the changes committed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore.testing.dynamodb.capacity import TRANSACTION_FACTOR, CapacityTally
from eventstore.testing.dynamodb.engine import Engine
from eventstore.testing.dynamodb.errors import ServiceError, reason_of, transaction_cancelled, validation
from eventstore.testing.dynamodb.expressions.arguments import Arguments
from eventstore.testing.dynamodb.expressions.projections import ItemProjection
from eventstore.testing.dynamodb.storage.items import Change
from eventstore.testing.dynamodb.storage.schema import Key
from eventstore.testing.dynamodb.table import Table
from eventstore.testing.dynamodb.tokens import TOKEN_VALID_MS, digest_of
from eventstore.testing.dynamodb.values import copy_item
from eventstore.testing.dynamodb.writes import READERS, Write

ACTIONS_MAX = 100
TRANSACTION_MAX_BYTES = 4 * 1024 * 1024
"""Sources: AWS, API reference of TransactWriteItems and TransactGetItems."""

_NO_REASON = {"Code": "None"}

Request = Mapping[str, Any]
Reply = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Get:
    """One item that a transaction reads."""

    table: Table
    key: Key
    projection: ItemProjection | None


class _UnfitKeyError(ServiceError):
    """A key that does not fit the table; a cancellation reason, as opposed to a malformed request."""


def _check_count(actions: Sequence[object]) -> None:
    if not actions:
        raise validation("Value '[]' at 'transactItems' failed to satisfy constraint: length at least 1")
    if len(actions) > ACTIONS_MAX:
        raise validation(
            f"Value at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to "
            f"{ACTIONS_MAX}"
        )


def _check_distinct(keys: Sequence[tuple[str, object]]) -> None:
    if len(set(keys)) != len(keys):
        raise validation("Transaction request cannot include multiple operations on one item")


def _read_write(engine: Engine, action: Mapping[str, Any]) -> Write:
    if len(action) != 1:
        raise validation("TransactItems can only contain one of Check, Put, Update or Delete")
    ((kind, request),) = action.items()
    reader = READERS.get(kind)
    if reader is None:
        raise validation("TransactItems can only contain one of Check, Put, Update or Delete")
    return reader(engine.table(request["TableName"]), request)


def transact_write_items(engine: Engine, request: Request) -> Reply:
    """Carry out TransactWriteItems."""
    actions = request["TransactItems"]
    _check_count(actions)
    writes = [_read_write(engine, action) for action in actions]
    _check_distinct([(write.table.name, write.key) for write in writes if write.key is not None])
    if sum(write.size_bytes for write in writes) > TRANSACTION_MAX_BYTES:
        raise validation("Transaction payload size cannot exceed 4MB")
    tally = CapacityTally(request, TRANSACTION_FACTOR)
    token = request.get("ClientRequestToken")
    if token is not None:
        digest = digest_of(actions)
        if engine.tokens.is_repeat(token, digest, engine.now_ms()):
            if engine.faults is not None:
                engine.faults.hiding.refuse_token(token)
            return _answer_repeat(writes, tally)
    changes = _decide(writes)
    written = engine.commit(changes, token=token, is_transaction=True)
    for change, index_sizes in zip(changes, written, strict=True):
        tally.write(change.table, change.larger_bytes, index_sizes)
    if token is not None:
        valid_ms = TOKEN_VALID_MS if engine.faults is None else engine.faults.chance.weather.token_valid_ms
        engine.tokens.keep(token, digest, engine.now_ms(), valid_ms)
    return tally.add_list_to({})


def _decide(writes: Sequence[Write]) -> list[Change]:
    changes: list[Change] = []
    reasons: list[Mapping[str, Any]] = []
    for write in writes:
        try:
            changes.append(write.change())
            reasons.append(_NO_REASON)
        except ServiceError as error:
            reasons.append(reason_of(error))
    if len(changes) < len(writes):
        raise transaction_cancelled(reasons)
    return changes


def _answer_repeat(writes: Sequence[Write], tally: CapacityTally) -> Reply:
    """Return the reply to a repeated request: nothing is done, and reading the items is what it costs."""
    for write in writes:
        found = write.table.get(write.checked_key())
        tally.read(write.table.name, 0 if found is None else found.size_bytes)
    return tally.add_list_to({})


def transact_get_items(engine: Engine, request: Request) -> Reply:
    """Carry out TransactGetItems."""
    actions = request["TransactItems"]
    _check_count(actions)
    tally = CapacityTally(request, TRANSACTION_FACTOR)
    wanted: list[Get] = []
    reasons: list[Mapping[str, Any]] = []
    for action in actions:
        try:
            wanted.append(_read_get(engine, action["Get"]))
            reasons.append(_NO_REASON)
        except _UnfitKeyError as error:
            reasons.append(reason_of(error))
    if len(wanted) < len(actions):
        raise transaction_cancelled(reasons)
    _check_distinct([(get.table.name, get.key) for get in wanted])
    if engine.faults is not None:
        engine.faults.hiding.read_whole([(get.table, get.key) for get in wanted])
    return tally.add_list_to({"Responses": [_answer_get(get, tally) for get in wanted]})


def _read_get(engine: Engine, request: Request) -> Get:
    table = engine.table(request["TableName"])
    arguments = Arguments(request)
    projection = arguments.projection()
    arguments.finish()
    try:
        return Get(table, table.schema.read_key(request["Key"]), projection)
    except ServiceError as error:
        if error.code != "ValidationException":  # what cannot be read is the mistake of the whole request
            raise
        raise _UnfitKeyError(error.code, error.message) from error


def _answer_get(get: Get, tally: CapacityTally) -> Reply:
    found = get.table.get(get.key)
    tally.read(get.table.name, 0 if found is None else found.size_bytes)
    if found is None:
        return {}
    return {"Item": copy_item(found.attributes) if get.projection is None else get.projection.of(found.attributes)}

"""BatchExecuteStatement, for statements that write one item each; see `partiql.statement` for what they may say.

Each statement succeeds or fails by itself, and the call succeeds all the same. Refused whole are a call of a wrong
shape and one with two statements on one item. Of the latter AWS documents nothing; DynamoDB Local refuses it too, but
only when it has carried the statements out. So nobody should send such a call, and here it shows at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore.testing.dynamodb.capacity import CapacityTally
from eventstore.testing.dynamodb.engine import Engine
from eventstore.testing.dynamodb.errors import CONDITION_FAILED, ServiceError, reason_of, validation
from eventstore.testing.dynamodb.faults.statements import refuse
from eventstore.testing.dynamodb.partiql.single_write import single_write
from eventstore.testing.dynamodb.partiql.statement import Verb, is_read, parse
from eventstore.testing.dynamodb.values import copy_item, read_value
from eventstore.testing.dynamodb.writes import ON_FAILURE, Delete, Put, Update, Write, check_on_failure

STATEMENTS_MAX = 25
STATEMENT_MAX_CHARACTERS = 8192
"""Sources: AWS, API reference of BatchExecuteStatement and BatchStatementRequest."""

_WRITES: Mapping[Verb, type[Delete | Put | Update]] = {Verb.DELETE: Delete, Verb.INSERT: Put, Verb.UPDATE: Update}
_DUPLICATE = {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"}
"""What an INSERT meets whose key is there. Source: AWS, API reference of BatchStatementError."""

Request = Mapping[str, Any]
Reply = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemWrite:
    """What one statement does."""

    write: Write
    returns_item: bool
    verb: Verb


def batch_execute_statement(engine: Engine, request: Request) -> Reply:
    """Carry out BatchExecuteStatement."""
    entries = request["Statements"]
    _check(entries)
    wants_units = CapacityTally(request).is_wanted
    read = [_read(engine, entry) for entry in entries]
    keys = [(one.write.table.name, one.write.key) for one in read if isinstance(one, ItemWrite) and one.write.key]
    if len(set(keys)) != len(keys):
        raise validation("Provided list of item keys contains duplicates")
    troubles: Mapping[int, Mapping[str, Any]] = {}
    if engine.faults is not None:
        troubles = refuse(engine.faults.chance, len(entries))
    reply: Reply = {"Responses": []}
    consumed: list[Reply] = []
    for place, one in enumerate(read):
        if isinstance(one, ServiceError):
            reply["Responses"].append({"Error": reason_of(one)})
            continue
        tally = CapacityTally(request)
        answer = {"Error": dict(troubles[place])} if place in troubles else _carry_out(engine, one, tally)
        reply["Responses"].append({**answer, "TableName": one.write.table.name})
        consumed += tally.report()
    if wants_units:
        reply["ConsumedCapacity"] = consumed
    return reply


def _check(entries: Sequence[Request]) -> None:
    """Refuse a call of a wrong shape."""
    if not 1 <= len(entries) <= STATEMENTS_MAX:
        raise validation(f"Value at 'statements' failed to satisfy constraint: 1 to {STATEMENTS_MAX} members")
    for entry in entries:
        if not 1 <= len(entry["Statement"]) <= STATEMENT_MAX_CHARACTERS:
            detail = f"1 to {STATEMENT_MAX_CHARACTERS} characters"
            raise validation(f"Value at 'statement' failed to satisfy constraint: {detail}")
        check_on_failure(entry)
        parameters = entry.get("Parameters")
        if parameters is not None and not parameters:
            raise validation("Value '[]' at 'parameters' failed to satisfy constraint: length at least 1")
        for parameter in parameters or ():
            read_value(parameter)
    if len({is_read(entry["Statement"]) for entry in entries}) > 1:
        raise validation("Read and write requests together in the same batch is not supported.")


def _read(engine: Engine, entry: Request) -> ItemWrite | ServiceError:
    """Return what a statement does, or why it does not fit."""
    try:
        statement = parse(entry["Statement"])
        table = engine.table(statement.table)
        request = single_write(statement, table.schema, entry.get("Parameters") or ())
        if ON_FAILURE in entry:
            request[ON_FAILURE] = entry[ON_FAILURE]
        write = _WRITES[statement.verb](table, request)
    except ServiceError as error:
        return error
    return ItemWrite(write, statement.returns_item, statement.verb)


def _carry_out(engine: Engine, one: ItemWrite, tally: CapacityTally) -> Reply:
    """Return the answer to a statement, without the table's name; a condition that is not met costs units too."""
    table = one.write.table
    try:
        change = one.write.change()
    except ServiceError as error:
        if error.code == CONDITION_FAILED:
            found = table.get(one.write.checked_key())
            tally.write(table, 0 if found is None else found.size_bytes, {})
            if one.verb is Verb.INSERT:
                return {"Error": dict(_DUPLICATE)}
        return {"Error": reason_of(error)}
    (index_sizes,) = engine.commit([change])
    tally.write(table, change.larger_bytes, index_sizes)
    if not one.returns_item or change.new is None:
        return {}
    return {"Item": copy_item(change.new.attributes)}

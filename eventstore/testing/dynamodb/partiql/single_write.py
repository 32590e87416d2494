"""Turns a statement into the request of the single write that does the same: DeleteItem or UpdateItem."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.partiql.statement import Statement
from eventstore.testing.dynamodb.storage.schema import KeySchema

Parameters = Sequence[Mapping[str, Any]]

_SETS = frozenset({"SS", "NS"})
"""What SET_ADD adds to. Source: AWS, "PartiQL update statements for DynamoDB"."""


def single_write(statement: Statement, schema: KeySchema, parameters: Parameters) -> dict[str, Any]:
    """Return the request, without its table.

    Args:
        statement: The statement.
        schema: The key of its table.
        parameters: Attribute values, one for each `?`.

    Raises:
        ServiceError: ValidationException; the key is not whole, or the parameters do not fit.
    """
    if len(parameters) != statement.parameter_count:
        raise validation("Number of parameters in request and statement don't match.")
    equals = {name: parameters[place] for name, place in statement.conditions.items() if place is not None}
    if not equals.keys() >= set(schema.names):
        raise validation("Where clause does not contain a mandatory equality on all key attributes")
    request: dict[str, Any] = {"Key": {name: equals[name] for name in schema.names}}
    names: dict[str, str] = {}
    values: dict[str, Mapping[str, Any]] = {}
    tests: list[str] = []
    for number, name in enumerate(name for name in statement.conditions if name not in schema.names):
        names[f"#{number}"] = name
        if name in equals:
            values[f":{number}"] = equals[name]
            tests.append(f"#{number} = :{number}")
        else:
            tests.append(f"attribute_not_exists(#{number})")
    if statement.set_add is not None:  # an UPDATE never makes an item
        tests.insert(0, "attribute_exists(#key)")
        names |= {"#key": schema.partition.name, "#set": statement.set_add.name}
        values[":set"] = parameters[statement.set_add.place]
        if not values[":set"].keys() <= _SETS:
            raise validation("The second argument to SET_ADD must be a value with type SET")
        request["UpdateExpression"] = "ADD #set :set"
    condition = " AND ".join(tests)
    if statement.set_add is None and tests:  # a DELETE of what is not there succeeds, whatever it asks for
        names["#key"] = schema.partition.name
        condition = f"attribute_not_exists(#key) OR {condition}"
    brought = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    return request | {name: member for name, member in brought.items() if member}

"""Turns a statement into the request of the single write that does the same: DeleteItem, UpdateItem or PutItem."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.partiql.statement import AttributeChange, ChangeKind, Statement, Verb
from eventstore.testing.dynamodb.storage.schema import KeySchema

Parameters = Sequence[Mapping[str, Any]]

_SETS = frozenset({"SS", "NS"})
"""What SET_ADD adds to. Source: AWS, "PartiQL update statements for DynamoDB"."""

_CLAUSES = {
    ChangeKind.SET: ("SET", "{name} = {value}"),
    ChangeKind.PLUS: ("SET", "{name} = {name} + {value}"),
    ChangeKind.SET_ADD: ("ADD", "{name} {value}"),
    ChangeKind.REMOVE: ("REMOVE", "{name}"),
}


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
    if statement.verb is Verb.INSERT:
        return {
            "Item": {each.name: parameters[each.place] for each in statement.changes if each.place is not None},
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": schema.partition.name},
        }
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
    if statement.verb is Verb.UPDATE:  # which never makes an item
        tests.insert(0, "attribute_exists(#key)")
        names["#key"] = schema.partition.name
        request["UpdateExpression"] = _update(statement.changes, parameters, names, values)
    condition = " AND ".join(tests)
    if statement.verb is Verb.DELETE and tests:  # a DELETE of what is not there succeeds, whatever it asks for
        names["#key"] = schema.partition.name
        condition = f"attribute_not_exists(#key) OR {condition}"
    brought = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    return request | {name: member for name, member in brought.items() if member}


def _update(
    changes: Sequence[AttributeChange],
    parameters: Parameters,
    names: dict[str, str],
    values: dict[str, Mapping[str, Any]],
) -> str:
    """Return an update expression, after adding the names and values that it uses."""
    clauses: dict[str, list[str]] = {}
    for number, change in enumerate(changes):
        word, text = _CLAUSES[change.kind]
        names[f"#c{number}"] = change.name
        if change.place is not None:
            values[f":c{number}"] = parameters[change.place]
            if change.kind is ChangeKind.SET_ADD and not parameters[change.place].keys() <= _SETS:
                raise validation("The second argument to SET_ADD must be a value with type SET")
        clauses.setdefault(word, []).append(text.format(name=f"#c{number}", value=f":c{number}"))
    return " ".join(f"{word} {', '.join(each)}" for word, each in clauses.items())

"""Key conditions: the partition and range that a query asks for."""

from dataclasses import dataclass

from eventstore.testing.dynamodb.errors import ServiceError, validation
from eventstore.testing.dynamodb.expressions import conditions
from eventstore.testing.dynamodb.expressions.conditions import Condition
from eventstore.testing.dynamodb.expressions.operands import Operand, Path, Placeholder, Values
from eventstore.testing.dynamodb.storage.rows import SortBounds
from eventstore.testing.dynamodb.storage.schema import SORT_KEY_MAX_BYTES, KeyAttribute, KeySchema
from eventstore.testing.dynamodb.values import KeyPart, key_part, kind_of, value_bytes

LABEL = "KeyConditionExpression"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """One partition, and the bounds of sort values within it."""

    partition: KeyPart
    bounds: SortBounds


def key_range(condition: Condition, schema: KeySchema, values: Values) -> KeyRange:
    """Return what a key condition asks for.

    Raises:
        ServiceError: ValidationException; it is not one partition with at most one range of sort values.
    """
    parts = [
        _turned(part) for part in (condition.conditions if isinstance(condition, conditions.Every) else (condition,))
    ]
    partition: KeyPart | None = None
    bounds: SortBounds | None = None
    for part in parts:
        path = _path_of(part)
        if path.parts == (schema.partition.name,) and partition is None:
            if not isinstance(part, conditions.Comparison) or part.operator != "=":
                raise validation("Query key condition not supported")
            partition = _value(part.right, schema.partition, values)
        elif schema.sort is not None and path.parts == (schema.sort.name,) and bounds is None:
            bounds = _bounds(part, schema.sort, values)
        else:
            wanted = schema.partition.name if partition is None else schema.names[-1]
            raise validation(f"Query condition missed key schema element: {wanted}")
    if partition is None:
        raise validation(f"Query condition missed key schema element: {schema.partition.name}")
    return KeyRange(partition, bounds or SortBounds())


_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}


def _turned(part: Condition) -> Condition:
    """Return a comparison with the attribute on its left: `:low <= sk` says `sk >= :low`."""
    if isinstance(part, conditions.Comparison) and isinstance(part.left, Placeholder) and isinstance(part.right, Path):
        return conditions.Comparison(_TURNED[part.operator], part.right, part.left)
    return part


def _unsupported(what: str) -> ServiceError:
    return validation(f"Invalid operator used in {LABEL}: {what}")


def _path_of(part: Condition) -> Path:
    operand: Operand
    if isinstance(part, conditions.Comparison):
        if part.operator == "<>":
            raise _unsupported("<>")
        operand = part.left
    elif isinstance(part, conditions.IsBetween | conditions.BeginsWith):
        operand = part.operand
    else:
        names = {conditions.Either: "OR", conditions.Not: "NOT", conditions.Among: "IN"}
        raise _unsupported(names.get(type(part), type(part).__name__))
    if not isinstance(operand, Path):
        raise validation("Query key condition not supported")
    return operand


def _value(operand: Operand, attribute: KeyAttribute, values: Values) -> KeyPart:
    if not isinstance(operand, Placeholder):
        raise validation("Query key condition not supported")
    value = values[operand.name]
    kind = kind_of(value)
    if kind != attribute.kind:
        raise validation(
            "One or more parameter values were invalid: Condition parameter type does not match schema type"
        )
    if kind != "N" and not value[kind]:
        detail = f"The AttributeValue for a key attribute cannot contain an empty string value. Key: {attribute.name}"
        raise validation(f"One or more parameter values are not valid. {detail}")
    if attribute.max_bytes == SORT_KEY_MAX_BYTES and kind != "N" and value_bytes(value) > attribute.max_bytes:
        detail = f"Aggregated size of all range keys has exceeded the size limit of {attribute.max_bytes} bytes"
        raise validation(f"One or more parameter values were invalid: {detail}")
    return key_part(value)


def _bounds(part: Condition, attribute: KeyAttribute, values: Values) -> SortBounds:
    if isinstance(part, conditions.IsBetween):
        return SortBounds(low=_value(part.low, attribute, values), high=_value(part.high, attribute, values))
    if isinstance(part, conditions.BeginsWith):
        prefix = _value(part.prefix, attribute, values)
        if not isinstance(prefix, str | bytes):
            raise validation("Query key condition not supported")
        return SortBounds(prefix=prefix)
    assert isinstance(part, conditions.Comparison), "other conditions were refused"
    value = _value(part.right, attribute, values)
    match part.operator:
        case "=":
            return SortBounds(low=value, high=value)
        case "<":
            return SortBounds(high=value, high_is_included=False)
        case "<=":
            return SortBounds(high=value)
        case ">":
            return SortBounds(low=value, low_is_included=False)
        case _:
            return SortBounds(low=value)

"""What callers write beside an append, in its transaction: checked, and made an action of it each. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore import limits
from eventstore.append.commit import Action, Role
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import InvalidInputError, LimitExceededError, RefusedRow
from eventstore.payload.attribute_value import attribute_value, item_of, plain_row
from eventstore.payload.plain import scalar
from eventstore.payload.row_write import RowCheck, RowDelete, RowPut, RowUpdate, RowWrite
from eventstore.rows.item import Item, item_size

_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_ARN = re.compile(r"arn:[^:]+:dynamodb:[^:]+:[^:]+:table/(?P<name>[A-Za-z0-9_.-]{3,255})")
_PLACEHOLDER = re.compile(r"[:#][A-Za-z0-9_]+")
"""In an expression, which holds no text of its own in quotes."""

_KINDS = {RowPut: "Put", RowUpdate: "Update", RowDelete: "Delete", RowCheck: "ConditionCheck"}
_GIVE = "give a list of RowPut, RowUpdate, RowDelete and RowCheck"


@dataclass(frozen=True, slots=True)
class AlsoWrite:
    """A write of the caller's, ready to be sent as often as needed.

    Attributes:
        field: Where it stands among the caller's arguments, such as `also[1]`.
        index: Its place in that list.
        table: Its table, as it was given.
        action: Its part of the transaction.
        size_bytes: What is known of its share in the transaction's size.
    """

    field: str
    index: int
    table: str
    action: Action
    size_bytes: int

    def refused(self, item: Item | None) -> RefusedRow:
        """Return what to say when its condition did not hold.

        Args:
            item: The row that DynamoDB has shown, if it has.
        """
        return RefusedRow(self.field, self.index, self.table, plain_row(item) if item else None)


def take(also: Sequence[RowWrite], field: str, tables: TableNames) -> list[AlsoWrite]:
    """Check the caller's writes, and return them as they are to be sent.

    Args:
        also: What the caller gave.
        field: Its path in the caller's arguments, such as `also`.
        tables: The store's own, which are no business of theirs.

    Raises:
        InvalidInputError: One cannot be sent; it names the field and what to change.
    """
    given: object = also
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise InvalidInputError(field, f"is a {type(given).__name__}; {_GIVE}")
    most = limits.COMMIT_MAX_EVENTS - 1
    if len(given) > most:
        raise LimitExceededError(field, limit=most, actual=len(given), unit="rows")
    return [_taken(write, f"{field}[{index}]", index, tables) for index, write in enumerate(given)]


def check_distinct(writes: Sequence[AlsoWrite]) -> None:
    """Check that no row is written twice, as far as that can be known: of a put only the table knows what its key is.

    Raises:
        InvalidInputError: One is.
    """
    places = [(write, *_place(write)) for write in writes]
    for number, (write, table, kind, row) in enumerate(places):
        for other, its_table, its_kind, its_row in places[:number]:
            if table == its_table and _is_same(kind, row, its_kind, its_row):
                raise InvalidInputError(
                    write.field, f"is about the row of {other.field}; a transaction takes one write of each row"
                )


def _place(write: AlsoWrite) -> tuple[str, str, Item]:
    ((kind, request),) = write.action.request.items()
    return _name_of(request["TableName"]), kind, request.get("Item") or request["Key"]


def _is_same(kind: str, row: Item, its_kind: str, its_row: Item) -> bool:
    if kind == its_kind == "Put":
        return row == its_row
    if "Put" in (kind, its_kind):
        item, key = (row, its_row) if kind == "Put" else (its_row, row)
        return key.items() <= item.items()
    return row == its_row


def _taken(write: RowWrite, field: str, index: int, tables: TableNames) -> AlsoWrite:
    kind = _KINDS.get(type(write))
    if kind is None:
        raise InvalidInputError(field, f"is a {type(write).__name__}; {_GIVE}")
    request: dict[str, Any] = {"TableName": _table(write.table, f"{field}.table", tables)}
    if isinstance(write, RowPut):
        request["Item"] = item_of(write.item, f"{field}.item")
        size = item_size(request["Item"])
    else:
        request["Key"] = item_of(write.key, f"{field}.key")
        size = item_size(request["Key"])
    if size > limits.ITEM_MAX_BYTES:
        name = "item" if isinstance(write, RowPut) else "key"
        raise LimitExceededError(f"{field}.{name}", limit=limits.ITEM_MAX_BYTES, actual=size, unit="bytes")
    expressions = dict(_expressions(write, field))
    request.update(expressions)
    values, names = _values(write, field), _names(write, field)
    _check_placeholders(expressions.values(), values, ":", f"{field}.values")
    _check_placeholders(expressions.values(), names, "#", f"{field}.names")
    if values:
        request["ExpressionAttributeValues"] = values
    if names:
        request["ExpressionAttributeNames"] = names
    if not isinstance(write.return_row, bool):
        raise InvalidInputError(f"{field}.return_row", f"is {write.return_row!r}; give True or False")
    if write.return_row:
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if not isinstance(write, RowPut):
        size += item_size(values)
    return AlsoWrite(field, index, request["TableName"], Action(Role.ALSO, {kind: request}), size)


def _table(table: object, field: str, tables: TableNames) -> str:
    table = scalar(table)
    if not isinstance(table, str) or not (_TABLE.fullmatch(table) or _ARN.fullmatch(table)):
        raise InvalidInputError(field, f"is {table!r}; give a table's name or ARN")
    if _name_of(table) in (tables.events, tables.outbox, tables.relay, tables.snapshots, tables.idempotency):
        raise InvalidInputError(field, f"is {table!r}, a table of the store's own; write to tables of yours alone")
    return table


def _name_of(table: str) -> str:
    found = _ARN.fullmatch(table)
    return table if found is None else found["name"]


def _expressions(write: RowWrite, field: str) -> Iterator[tuple[str, str]]:
    kind = type(write)
    if isinstance(write, RowUpdate):
        yield "UpdateExpression", _expression(write.update, f"{field}.update")
    if write.condition is not None or kind is RowCheck:
        yield "ConditionExpression", _expression(write.condition, f"{field}.condition")


def _expression(text: object, field: str) -> str:
    text = scalar(text)
    if not isinstance(text, str):
        raise InvalidInputError(field, f"is a {type(text).__name__}; give the expression as text")
    if not text.strip():
        raise InvalidInputError(field, "is empty; give an expression, such as attribute_not_exists(id)")
    return text


def _values(write: RowWrite, field: str) -> dict[str, dict[str, Any]]:
    given = _placeholders(write.values, ":", f"{field}.values")
    return {name: attribute_value(value, f"{field}.values[{name!r}]") for name, value in given.items()}


def _names(write: RowWrite, field: str) -> dict[str, str]:
    given = _placeholders(write.names, "#", f"{field}.names")
    for name, attribute in given.items():
        if not isinstance(attribute, str) or not attribute:
            raise InvalidInputError(f"{field}.names[{name!r}]", f"is {attribute!r}; give an attribute's name")
    return given


def _placeholders(given: object, sign: str, field: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidInputError(field, f"is a {type(given).__name__}; give a dict")
    plain = {scalar(name): scalar(value) for name, value in given.items()}
    for name in plain:
        if not isinstance(name, str) or name[:1] != sign or not _PLACEHOLDER.fullmatch(name):
            raise InvalidInputError(field, f"has the name {name!r}; names are {sign} and letters, digits or _")
    return plain


def _check_placeholders(expressions: Iterable[str], given: Mapping[str, Any], sign: str, field: str) -> None:
    """Check that each placeholder is given, and what is given used: DynamoDB refuses the whole transaction else."""
    used = {name for text in expressions for name in _PLACEHOLDER.findall(text) if name[0] == sign}
    for name in sorted(used - given.keys()):
        raise InvalidInputError(field, f"lacks {name}, which an expression uses")
    for name in sorted(given.keys() - used):
        raise InvalidInputError(field, f"has {name}, which no expression uses; leave it out")

"""Whether a command was carried out before: what is stored under its idempotency key, and for which command."""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import PurePath
from typing import Any
from uuid import UUID

from eventstore.append import await_delivery, key_rows
from eventstore.append.held_fields import held_fields
from eventstore.context import StoreContext
from eventstore.dynamodb import transact_get
from eventstore.errors import AggregateTypeError, InvalidInputError
from eventstore.model import AggregateRef, AppendResult
from eventstore.rows import idempotency
from eventstore.rows.idempotency import KeyRow


def fingerprint_of(command: object) -> str:
    """Return what tells a command from others: a digest of its type's name and of its fields, at any depth.

    Fields that equal their defaults do not count, so that one can be added; nor do those of a dataclass with
    `compare=False`, and nor does the module of the type.

    Raises:
        InvalidInputError: Something inside has no fields and is no plain value: give a fingerprint.
    """
    try:
        return idempotency.digest_of_content([_content_of(command, "command")])
    except RecursionError as error:
        raise InvalidInputError(
            "command_fingerprint", "cannot be made of a command that holds itself: give one"
        ) from error


def _content_of(value: Any, path: str) -> object:
    """Return plain JSON for a value, such that different values have different ones."""
    name = type(value).__qualname__
    fields = held_fields(value)
    if fields is not None:
        counted = [field for field in fields if field.is_compared and not field.is_default]
        return [name, {field.names[0]: _content_of(field.value, f"{path}.{field.names[0]}") for field in counted}]
    match value:
        case Enum():
            return [name, value.name]
        case None | bool() | int() | str():
            return value
        case list() | tuple() | deque():
            return ["list", [_content_of(each, f"{path}[{index}]") for index, each in enumerate(value)]]
        case Mapping():
            inner = [[_content_of(key, path), _content_of(each, f"{path}[{key!r}]")] for key, each in value.items()]
            return ["dict", sorted(inner, key=repr)]
        case set() | frozenset():
            return ["set", sorted((_content_of(each, path) for each in value), key=repr)]
        case float() | bytes() | bytearray() | Decimal() | date() | time() | timedelta() | UUID() | PurePath():
            return [name, repr(value) if isinstance(value, float | bytes | bytearray) else str(value)]
    if not hasattr(value, "__dict__") or callable(value):
        raise InvalidInputError("command_fingerprint", f"cannot be made of {path}, a {name}: give one")
    return [name, {each: _content_of(held, f"{path}.{each}") for each, held in vars(value).items()}]


def first_results(
    context: StoreContext, aggregates: Sequence[AggregateRef], key: str, fingerprint: str
) -> dict[str, AppendResult]:
    """Return what a command has led to under a key of one or several aggregates.

    The read is transactional: a plain one may predate a commit that is being applied.

    Returns:
        The first results by aggregate id, without aggregates of which the key was never used, or to which nothing
        happened; and without those of which an append without a command has used it: then the events have to tell
        whether it is the same.

    Raises:
        AggregateTypeError: An id belongs to another type.
        IdempotencyConflictError: The key stands for another command.
        CorruptRowError: A key's row cannot be read, or its commit is not stored: a restore has brought back the one
            without the other.
        TryLaterError: DynamoDB did not answer in time.
    """
    table = context.tables.idempotency
    places = [(table, idempotency.key_of(aggregate.id, key)) for aggregate in aggregates]
    found: dict[str, KeyRow] = {}
    for aggregate, item in zip(aggregates, transact_get.items(context.caller, places), strict=True):
        row = None if item is None else idempotency.decode(item, table)
        if row is not None and row.aggregate_type != aggregate.type:
            raise AggregateTypeError(aggregate.id, expected=aggregate.type, actual=row.aggregate_type)
        if row is not None and row.command is not None:
            key_rows.check_command(row, fingerprint)
            found[aggregate.id] = row
    key_rows.wait_readable(context, found.values())
    return {
        aggregate.id: AppendResult(
            aggregate=aggregate,
            commit_id=row.commit_id,
            first_sequence=row.first,
            version=row.last,
            already_stored=True,
            attempts=0,
            waiter=partial(await_delivery.until_settled, context),
        )
        for aggregate in aggregates
        if (row := found.get(aggregate.id)) is not None
    }

"""Whether a command was carried out before: what is stored under its idempotency key, and for which command."""

from collections import deque
from collections.abc import Mapping
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


def first_result(context: StoreContext, aggregate: AggregateRef, key: str, fingerprint: str) -> AppendResult | None:
    """Return what a command has led to under a key of an aggregate.

    The read is transactional: a plain one may predate a commit that is being applied.

    Returns:
        The first result; None when the key was never used, and when an append without a command has used it: then the
        events have to tell whether it is the same.

    Raises:
        AggregateTypeError: The id belongs to another type.
        IdempotencyConflictError: The key stands for another command.
        CorruptRowError: The key's row cannot be read, or its commit is not stored: a restore has brought back the one
            without the other.
        TryLaterError: DynamoDB did not answer in time.
    """
    table = context.tables.idempotency
    (item,) = transact_get.items(context.caller, [(table, idempotency.key_of(aggregate.id, key))])
    if item is None:
        return None
    row = idempotency.decode(item, table)
    if row.aggregate_type != aggregate.type:
        raise AggregateTypeError(aggregate.id, expected=aggregate.type, actual=row.aggregate_type)
    if row.command is None:
        return None
    key_rows.check_command(row, fingerprint)
    key_rows.wait_readable(context, [row])
    return AppendResult(
        aggregate=aggregate,
        commit_id=row.commit_id,
        first_sequence=row.first,
        version=row.last,
        already_stored=True,
        attempts=0,
        waiter=partial(await_delivery.until_settled, context),
    )

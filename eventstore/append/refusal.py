"""The errors in which an append ends, once it is decided that it is refused, or that nobody can know."""

from eventstore.append import key_rows, verdict
from eventstore.append.transaction import Transaction
from eventstore.context import StoreContext
from eventstore.dynamodb.errors import DynamoError
from eventstore.errors import (
    AggregateTypeError,
    EventStoreError,
    InvalidInputError,
    OutcomeUnknownError,
    RowConditionError,
    TableMissingError,
    WrongExpectedVersionError,
)
from eventstore.read import history
from eventstore.rows.item import describe_key

Refusal = verdict.OtherType | verdict.LeftOver | verdict.Moved | verdict.RowsRefused | verdict.RowUnfit
"""Verdicts that an error words; of another version the caller's expectation decides what follows."""


def error_of(context: StoreContext, judged: Refusal, sent: Transaction) -> EventStoreError:
    """Return the error for a refused type or row, chained to what it was read from."""
    match judged:
        case verdict.OtherType(index, actual):
            aggregate = sent.commits[index].aggregate
            return AggregateTypeError(aggregate.id, expected=aggregate.type, actual=actual)
        case verdict.LeftOver(_, item):
            return key_rows.left_over(context, item, describe_key(item))
        case verdict.Moved(index, reached):
            read = sent.beside.unchanged[index]
            return other_version(context, read.aggregate_id, read.version, reached)
        case verdict.RowsRefused(items):
            return RowConditionError([sent.beside.also[index].refused(item) for index, item in items.items()])
        case verdict.RowUnfit(index, message):
            field = "also" if index is None else sent.beside.also[index].field
            return InvalidInputError(field, f"is refused by DynamoDB, and nothing was stored: {message}")


def other_version(context: StoreContext, aggregate_id: str, expected: int, at_least: int) -> WrongExpectedVersionError:
    """Return the error for a version that was refused, which is certain, whatever becomes of the read that words it.

    Args:
        context: Within the call's time.
        aggregate_id: The aggregate.
        expected: What the caller believed.
        at_least: What the refusal has shown.
    """
    actual, cause = None, None
    try:
        actual = history.current_version(context, aggregate_id)
    except EventStoreError as error:
        cause = error
    made = WrongExpectedVersionError(aggregate_id, expected=expected, actual=actual, at_least=at_least)
    made.__cause__ = cause
    return made


def set_up(context: StoreContext, error: DynamoError, sent: Transaction) -> EventStoreError:
    """Return the error for an operator; a table of the caller's own that is missing is no business of `init`."""
    public = context.caller.public(error, sent.request)
    if isinstance(public, TableMissingError) and public.table in {each.table for each in sent.beside.also}:
        return TableMissingError(public.table, is_own=False)
    return public


def unknown(sent: Transaction, error: Exception) -> OutcomeUnknownError:
    """Return the error for commits that are stored or not; what to do about it depends on whether they have keys."""
    first = sent.commits[0]
    cure = (
        "repeat the call with the same idempotency key, which is safe"
        if first.key is not None
        else "load the aggregate, and decide again if no event carries this commit_id"
    )
    return OutcomeUnknownError(
        f"whether commit {first.commit_id} of aggregate {first.aggregate.id!r} is stored is unknown ({error}): {cure}",
        aggregate_id=first.aggregate.id,
        commit_id=first.commit_id,
    )

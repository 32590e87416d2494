"""Rows of events, asked for in the one way that a transaction under way cannot blur: TransactGetItems.

GetItem, Query and BatchGetItem may answer from before a transaction that is still being applied, consistent reads too.
TransactGetItems sees all of it or nothing, or is in conflict with it. Source: AWS, "Isolation levels" in "DynamoDB
transactions: how it works".
"""

from collections.abc import Sequence

from eventstore import limits
from eventstore.context import StoreContext
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import (
    DynamoError,
    NotAppliedError,
    OutcomeLostError,
    RefusedError,
    TransactionCancelledError,
)
from eventstore.errors import ThrottledError
from eventstore.rows.item import Item, row_key

_TOO_MUCH = "ValidationError"
"""Reason of a cancelled TransactGetItems that time does not heal: its items are together larger than 4 MB. Source: AWS,
API reference of TransactGetItems."""


def read(context: StoreContext, aggregate_id: str, numbers: Sequence[int]) -> dict[int, Item]:
    """Return an aggregate's events of these numbers, those that are stored; a number left out is not.

    Args:
        context: The open store.
        aggregate_id: The aggregate.
        numbers: 1 to 100 different ones.

    Raises:
        TryLaterError: In conflict, refused for load or out of reach at every attempt: nothing is known.
        SetUpError: As any read.
    """
    assert 0 < len(numbers) <= limits.TRANSACTION_MAX_ACTIONS, "one transaction asks for them"
    backoff, runtime = context.options.read_backoff, context.runtime
    last: DynamoError = OutcomeLostError("never asked")
    for attempt in range(1, backoff.attempts_max + 1):
        if attempt > 1:
            runtime.sleep(backoff.delay_seconds(attempt - 1, runtime.uniform()))
        try:
            return _ask(context, aggregate_id, numbers)
        except (NotAppliedError, OutcomeLostError) as error:
            last = error
        except (TransactionCancelledError, RefusedError) as error:
            if _is_too_much(error):
                if len(numbers) == 1:
                    raise calls.public_error(error, table=context.tables.events) from error
                middle = len(numbers) // 2
                return {
                    **read(context, aggregate_id, numbers[:middle]),
                    **read(context, aggregate_id, numbers[middle:]),
                }
            last = error
        except DynamoError as error:
            raise calls.public_error(error, table=context.tables.events) from error
    if isinstance(last, TransactionCancelledError):
        reason = f"DynamoDB did not say whether {len(numbers)} events of {aggregate_id} are stored: {last}"
        raise ThrottledError(reason, retry_after_seconds=backoff.cap_seconds) from last
    raise calls.public_error(last, table=context.tables.events, backoff=backoff) from last


def _ask(context: StoreContext, aggregate_id: str, numbers: Sequence[int]) -> dict[int, Item]:
    table = context.tables.events
    reply = calls.call(
        context.client.transact_get_items,
        TransactItems=[{"Get": {"TableName": table, "Key": row_key(aggregate_id, number)}} for number in numbers],
    )
    responses = reply.get("Responses")
    if responses is None or len(responses) != len(numbers):
        raise OutcomeLostError("the reply does not answer every key")
    return {
        number: response["Item"] for number, response in zip(numbers, responses, strict=True) if response.get("Item")
    }


def _is_too_much(error: TransactionCancelledError | RefusedError) -> bool:
    """Tell whether fewer rows at once may do what these cannot."""
    return isinstance(error, RefusedError) or any(reason.code == _TOO_MUCH for reason in error.reasons)

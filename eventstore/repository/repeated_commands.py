"""Whether a command was carried out before: what is stored under its idempotency key."""

from functools import partial

from eventstore.append import await_delivery
from eventstore.context import StoreContext
from eventstore.dynamodb import transact_get
from eventstore.errors import AggregateTypeError
from eventstore.model import AggregateRef, AppendResult
from eventstore.rows import idempotency


def first_result(context: StoreContext, aggregate: AggregateRef, key: str) -> AppendResult | None:
    """Return what was stored under a key of an aggregate; None when it was never used.

    The read is transactional: a plain one may predate a commit that is being applied.

    Raises:
        AggregateTypeError: The id belongs to another type.
        CorruptRowError: The key's row cannot be read.
        TryLaterError: DynamoDB did not answer in time.
    """
    table = context.tables.idempotency
    (item,) = transact_get.items(context.caller, [(table, idempotency.key_of(aggregate.id, key))])
    if item is None:
        return None
    row = idempotency.decode(item, table)
    if row.aggregate_type != aggregate.type:
        raise AggregateTypeError(aggregate.id, expected=aggregate.type, actual=row.aggregate_type)
    return AppendResult(
        aggregate=aggregate,
        commit_id=row.commit_id,
        first_sequence=row.first,
        version=row.last,
        already_stored=True,
        attempts=0,
        waiter=partial(await_delivery.until_settled, context),
    )

"""Counts a store by one walk over its tables."""

from eventstore.context import StoreContext
from eventstore.verify import scan
from eventstore.verify.counts import Counts, StoreStats
from eventstore.verify.verifier import OnWalked, WalkProgress


def count(context: StoreContext, progress: OnWalked) -> StoreStats:
    """Return the counts of a store; in memory are one page of rows and the sums.

    Raises:
        TryLaterError: DynamoDB did not answer in time.
    """
    counts = Counts(context.tables.events)

    def tell(_: int) -> None:
        progress(WalkProgress(counts.events, counts.aggregates, 0))

    for item in scan.rows(context, context.tables.events, consistent=False, each_page=tell):
        counts.take(item)
    outbox_rows = scan.count(context, context.tables.outbox)
    idempotency_rows = scan.count(context, context.tables.idempotency)
    progress(WalkProgress(counts.events, counts.aggregates, outbox_rows + idempotency_rows))
    return counts.result(outbox_rows=outbox_rows, idempotency_rows=idempotency_rows)

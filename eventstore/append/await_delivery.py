"""Waiting until destinations have a commit, so that a caller can read its own writes there."""

import logging
from typing import Any

from eventstore.backoff import Deadline
from eventstore.context import StoreContext
from eventstore.dynamodb import transact_get
from eventstore.errors import InvalidInputError, NotSettledError, ParkedError, TryLaterError
from eventstore.model import AppendResult
from eventstore.payload.plain import scalar
from eventstore.ports import Flag
from eventstore.rows import outbox as outbox_row
from eventstore.rows.item import row_key
from eventstore.rows.outbox import OutboxRow

_LOG = logging.getLogger(__name__)

INDEX = "index"
"""The destination that shows what it has taken only after its next refresh."""


def until_settled(
    context: StoreContext,
    result: AppendResult,
    timeout_seconds: float,
    destination: str | None = None,
    stop: Flag | None = None,
) -> None:
    """Return when the destinations have a commit; see `EventStore.wait_settled`.

    Args:
        context: The store.
        result: Of the append.
        timeout_seconds: In all.
        destination: Its name; None for all.
        stop: Ends the wait with the look that is under way, since nobody waits any more.
    """
    deadline, destination = Deadline(context.runtime, timeout_seconds), scalar(destination)
    context = context.until(deadline)
    backoff, polls = context.options.settle_backoff, 0
    delivered: frozenset[str] = frozenset()
    last: TryLaterError | None = None
    while True:  # until the deadline
        try:
            row = _owed(context, result)
            if _is_settled(row, result, destination):
                break
            delivered = row.delivered if row is not None else delivered
        except TryLaterError as error:
            last = error
            _LOG.info("retry: look for the delivery of commit %s, after: %s", result.commit_id, error)
        polls += 1
        left = deadline.left_seconds()
        if left <= 0 or (stop is not None and stop.is_set()):
            raise NotSettledError(
                result.aggregate.id,
                commit_id=result.commit_id,
                delivered=delivered,
                reason=f"{destination or 'some destination'} did not have it within {timeout_seconds:g} s",
            ) from last
        # At least half of the ceiling: this is a wait for somebody else, not a collision to be spread.
        delay = backoff.ceiling_seconds(polls) * (0.5 + context.runtime.uniform() / 2)
        _pause(context, min(delay, left), stop)
    if destination in (None, INDEX):
        _wait_out_refresh(context, result, deadline, timeout_seconds, stop)


def stored_commit_id(context: StoreContext, aggregate_id: str, sequence_number: int) -> str | None:
    """Return the commit that stored an event, None when there is none; nothing that was committed is missed."""
    event, _ = _read_together(context, aggregate_id, sequence_number)
    return None if event is None else str(event["commitId"]["S"])


def _owed(context: StoreContext, result: AppendResult) -> OutboxRow | None:
    """Return the commit's outbox row, None when it is gone.

    Both rows are read in one transaction: a plain read of the outbox row may come from before the commit, and would
    then say that nothing is owed.
    """
    event, outbox = _read_together(context, result.aggregate.id, result.version)
    stored = None if event is None else event["commitId"]["S"]
    if stored != result.commit_id:
        raise InvalidInputError(
            "result",
            f"names commit {result.commit_id}, which is not in {context.tables.events}: it belongs to another store,"
            " or to a history that a restore has replaced",
        )
    return None if outbox is None else outbox_row.decode(outbox, context.tables.outbox)


def _is_settled(row: OutboxRow | None, result: AppendResult, destination: str | None) -> bool:
    if row is None or destination in row.delivered:
        return True
    for name, reason in sorted(row.parked.items()):
        if destination in (None, name) and name not in row.delivered:
            raise ParkedError(result.aggregate.id, commit_id=result.commit_id, destination=name, reason=reason)
    return False


def _wait_out_refresh(
    context: StoreContext,
    result: AppendResult,
    deadline: Deadline,
    timeout_seconds: float,
    stop: Flag | None,
) -> None:
    """Wait until the index has shown what it took: one refresh interval, since nobody says when the last one was."""
    refresh, left = context.options.index_refresh_seconds, deadline.left_seconds()
    _pause(context, min(refresh, left), stop)
    if left < refresh:
        raise NotSettledError(
            result.aggregate.id,
            commit_id=result.commit_id,
            delivered=(INDEX,),
            reason=f"the index took it too late within {timeout_seconds:g} s to be sure that searches show it",
        )


def _pause(context: StoreContext, seconds: float, stop: Flag | None) -> None:
    if stop is None:
        context.runtime.sleep(seconds)
    else:
        stop.wait(seconds)


def _read_together(context: StoreContext, aggregate_id: str, sequence_number: int) -> tuple[Any, Any]:
    """Return an event's row and the outbox row of the same number, each None when absent."""
    key = row_key(aggregate_id, sequence_number)
    event, outbox = transact_get.items(context.caller, [(context.tables.events, key), (context.tables.outbox, key)])
    return event, outbox

"""Sends one commit's frozen request until it is decided, and says what it came to."""

from eventstore import dynamo, history, verdict
from eventstore.commit import PreparedCommit
from eventstore.context import StoreContext
from eventstore.errors import (
    AggregateTypeError,
    OutcomeUnknownError,
    RequestRefusedError,
    ThrottledError,
    TryLaterError,
    UnreachableError,
    WrongExpectedVersionError,
)
from eventstore.model import AppendResult
from eventstore.outcomes import DynamoError, NotAppliedError, OutcomeLostError, TransactionCancelledError


def send(context: StoreContext, prepared: PreparedCommit) -> AppendResult:
    """Send a commit until it is stored or refused, or the attempts are used up.

    Raises:
        As `EventStore.append`, once the arguments are checked.
    """
    backoff, runtime = context.options.append_backoff, context.runtime
    maybe_stored = False
    last: DynamoError | None = None
    for attempt in range(1, backoff.attempts_max + 1):
        if attempt > 1:
            runtime.sleep(backoff.delay_seconds(attempt - 1, runtime.uniform()))
        try:
            dynamo.call(context.client.transact_write_items, **prepared.request)
            return _result(prepared, attempt, already_stored=False)
        except OutcomeLostError as error:
            maybe_stored, last = True, error
        except NotAppliedError as error:
            last = error
        except TransactionCancelledError as error:
            last = error
            if _says_stored(context, error, prepared):
                return _result(prepared, attempt, already_stored=True)
        except DynamoError as error:
            raise dynamo.public_error(error, table=context.tables.events) from error
    raise _undecided(context, prepared, last, maybe_stored=maybe_stored) from last


def _says_stored(context: StoreContext, error: TransactionCancelledError, prepared: PreparedCommit) -> bool:
    """Tell whether the refusal says that our commit is stored; raise when it says that it never will be."""
    aggregate = prepared.aggregate
    match verdict.judge(error.reasons, prepared):
        case verdict.AlreadyStored():
            return True
        case verdict.Retry():
            return False
        case verdict.OtherType(actual):
            raise AggregateTypeError(aggregate.id, expected=aggregate.type, actual=actual) from error
        case verdict.OtherVersion():
            raise WrongExpectedVersionError(
                aggregate.id,
                expected=prepared.expected_version,
                actual=history.current_version(context, aggregate.id),
            ) from error
        case verdict.Defect(code, message):
            raise RequestRefusedError(code, message) from error


def _undecided(
    context: StoreContext,
    prepared: PreparedCommit,
    last: DynamoError | None,
    *,
    maybe_stored: bool,
) -> TryLaterError:
    """Return what is known when no attempt was decided."""
    backoff = context.options.append_backoff
    if maybe_stored:
        return OutcomeUnknownError(prepared.aggregate.id, commit_id=prepared.commit_id)
    if isinstance(last, NotAppliedError) and not last.reached:
        return UnreachableError(f"DynamoDB was not reached: {last}. Check the endpoint, or run `make up`")
    return ThrottledError(
        f"the append to aggregate {prepared.aggregate.id!r} was refused {backoff.attempts_max} times ({last})",
        retry_after_seconds=backoff.cap_seconds,
    )


def _result(prepared: PreparedCommit, attempts: int, *, already_stored: bool) -> AppendResult:
    return AppendResult(
        aggregate=prepared.aggregate,
        commit_id=prepared.commit_id,
        first_sequence=prepared.events[0].sequence_number,
        version=prepared.events[-1].sequence_number,
        already_stored=already_stored,
        attempts=attempts,
    )

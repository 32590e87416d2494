"""The one way to repeat a call to DynamoDB: reads, conditional writes, pages; bounded in attempts and in time."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventstore import backoff as bounds
from eventstore.backoff import Backoff, Deadline
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import (
    CancellationReason,
    ConditionFailedError,
    DynamoError,
    NotAppliedError,
    NotFoundError,
    OutcomeLostError,
    TransactionCancelledError,
)
from eventstore.errors import (
    EventStoreError,
    OutcomeUnknownError,
    RequestRefusedError,
    ThrottledError,
    TryLaterError,
    UnreachableError,
)
from eventstore.ports import DynamoClient, Runtime

Operation = Callable[..., Mapping[str, Any]]
"""Method of a client."""

_LOG = logging.getLogger(__name__)

_CONDITION = "ConditionalCheckFailed"
_PASSING = frozenset({"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons of a cancelled transaction that time heals. Source: AWS, API reference of TransactWriteItems."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A write happened.

    Attributes:
        reply: DynamoDB's.
    """

    reply: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """The condition of a write did not hold.

    Attributes:
        item: The row that is there, when the write asked for it.
        reasons: Of a transaction, one for each action.
        maybe_ours: The reply to an earlier attempt was lost, so that what is in the way may be this very write.
    """

    item: Mapping[str, Any] | None
    reasons: tuple[CancellationReason, ...]
    maybe_ours: bool


@dataclass(frozen=True, slots=True)
class Caller:
    """Makes calls, again and again within bounds. An exception of the client library never leaves it.

    Attributes:
        client: The DynamoDB client.
        runtime: Clock, waiting, and randomness for the delays.
        backoff: Bound of attempts, and their delays.
        deadline: When the time of the call that these serve is over; None for never.
    """

    client: DynamoClient
    runtime: Runtime
    backoff: Backoff
    deadline: Deadline | None = None

    def until(self, deadline: Deadline | None) -> "Caller":
        """Return the same with another deadline."""
        return replace(self, deadline=deadline)

    def attempts(self) -> Iterator[int]:
        """Yield the number of each attempt, having waited before it."""
        return bounds.attempts(self.runtime, self.backoff, self.deadline)

    def note_retry(self, attempt: int, what: str, last: object) -> None:
        """Log that something is about to be tried again; nothing before the first attempt.

        Args:
            attempt: Its number, from 1.
            what: That which is tried, in words without payloads.
            last: How the attempt before it ended.
        """
        if attempt > 1:
            _LOG.info("retry: attempt %d of %d at %s, after: %s", attempt, self.backoff.attempts_max, what, last)

    def once(self, operation: Operation, /, *, needs: str | None = None, **request: Any) -> Mapping[str, Any]:
        """Make one attempt within the time that is left, and return its reply.

        Args:
            operation: Method of a client.
            needs: Key that a whole reply has; one without it was cut short, and counts as lost.
            request: Arguments of the call.

        Raises:
            DynamoError: One of its kinds.
        """
        left = None if self.deadline is None else self.deadline.left_seconds()
        reply = calls.call(operation, within_seconds=left, **request)
        if needs is not None and needs not in reply:
            raise OutcomeLostError(f"the reply lacks {needs}")
        return reply

    def read(self, operation: Operation, /, *, needs: str | None = None, **request: Any) -> Mapping[str, Any]:
        """Make a call that is safe to repeat, until it is answered, and return its reply.

        Args:
            operation: Method of a client.
            needs: Key that a whole reply has; one without it was cut short, and counts as lost.
            request: Arguments of the call.

        Raises:
            ThrottledError: Refused for load at the last attempt.
            UnreachableError: No answer at the last attempt.
            TryLaterError: The deadline had passed before the first.
            TableMissingError: The table does not exist.
            AccessDeniedError: Credentials are missing, wrong, or not allowed to do this.
            RequestRefusedError: A defect.
        """
        last: DynamoError | None = None
        for attempt in self.attempts():
            self.note_retry(attempt, _called(operation), last)
            try:
                return self.once(operation, needs=needs, **request)
            except (NotAppliedError, OutcomeLostError, TransactionCancelledError) as error:
                last = error  # a cancelled TransactGetItems: only conflicts and throttles can cause it
            except DynamoError as error:
                raise self.public(error, request) from error
        raise self.gave_up(last) from last

    def write(
        self,
        operation: Operation,
        /,
        *,
        what: str,
        needs: str | None = None,
        is_repeatable: bool = False,
        if_unknown: str = "look before doing it again",
        **request: Any,
    ) -> Taken | Refused:
        """Make a write until it is taken or its condition refuses it.

        Args:
            operation: Method of a client.
            what: The write in words, for errors: `the release of commit a-1 7`.
            needs: Key that a whole reply has; one without it was cut short, and counts as lost.
            is_repeatable: Doing it twice does no harm and shows no difference, so that a lost reply is no news: the
                caller may simply do it again.
            if_unknown: What the caller should do when the outcome is unknown, for the error.
            request: Arguments of the call.

        Raises:
            ThrottledError: Refused for load or conflicts at the last attempt; it did not happen.
            UnreachableError: It never reached DynamoDB, so it did not happen; or it is repeatable, and got no answer.
            OutcomeUnknownError: The reply to an attempt was lost, and no other decided it: it happened or not.
            TryLaterError: The deadline had passed before the first attempt.
            TableMissingError: The table does not exist.
            AccessDeniedError: Credentials are missing, wrong, or not allowed to do this.
            RequestRefusedError: A defect.
        """
        last: DynamoError | None = None
        lost = False
        for attempt in self.attempts():
            self.note_retry(attempt, what, last)
            try:
                return Taken(self.once(operation, needs=needs, **request))
            except ConditionFailedError as error:
                return Refused(error.item, (), lost)
            except TransactionCancelledError as error:
                if any(reason.code == _CONDITION for reason in error.reasons):
                    return Refused(None, error.reasons, lost)
                _raise_unless_passing(error)
                last = error
            except OutcomeLostError as error:
                last, lost = error, True
            except NotAppliedError as error:
                last = error
            except DynamoError as error:
                last = error
                if not lost or is_repeatable:
                    raise self.public(error, request) from error
                break  # it is of this attempt, and an earlier one may have happened
        if lost and not is_repeatable:
            raise OutcomeUnknownError(f"whether {what} has happened is unknown; {if_unknown} ({last})") from last
        raise self.gave_up(last, what) from last

    def pages(self, operation: Operation, request: dict[str, Any], *, needs: str) -> Iterator[Mapping[str, Any]]:
        """Yield the replies of a Query or Scan, as many as there are; each moves on.

        Args:
            operation: `query` or `scan` of a client.
            request: Its arguments, which get the place of the next page as they go; what the caller changes in them
                between two pages, such as `Limit`, holds from the next one on.
            needs: Key that a whole reply has.

        Raises:
            As `read`.
        """
        while True:
            reply = self.read(operation, needs=needs, **request)
            yield reply
            if "LastEvaluatedKey" not in reply:
                return
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def public(self, error: DynamoError, request: Mapping[str, Any]) -> EventStoreError:
        """Return the library's error for a call that repeating cannot help."""
        tables = calls.tables_of(request)
        return calls.public_error(error, table=self._missing(tables) if isinstance(error, NotFoundError) else "")

    def gave_up(self, last: DynamoError | None, what: str = "") -> TryLaterError:
        """Return the library's error for a call that no attempt decided.

        Args:
            last: How the last attempt ended; None when there was none.
            what: The call in words; for a read it needs none.
        """
        if last is None:
            return TryLaterError(f"the time was over before DynamoDB was asked{what and f' for {what}'}: allow more")
        if isinstance(last, TransactionCancelledError) or (isinstance(last, NotAppliedError) and last.reached):
            subject = f"DynamoDB refused {what}: {last}" if what else f"DynamoDB: {last}"
            return ThrottledError(subject, retry_after_seconds=self.backoff.cap_seconds)
        subject = f"{what} got no answer from DynamoDB" if what else "DynamoDB did not answer"
        return UnreachableError(f"{subject}: {last}. Check the endpoint, or run `make up`")

    def _missing(self, tables: Sequence[str]) -> str:
        """Return which of some tables is absent; all of them when that cannot be found out."""
        if len(tables) == 1:
            return tables[0]
        missing = []
        for table in tables:
            try:
                self.once(self.client.describe_table, TableName=table)
            except NotFoundError:
                missing.append(table)
            except DynamoError:
                return " or ".join(tables)
        return ", ".join(missing) or " or ".join(tables)


def _called(operation: Operation) -> str:
    return getattr(operation, "__name__", type(operation).__name__)


def _raise_unless_passing(error: TransactionCancelledError) -> None:
    for reason in error.reasons:
        if reason.code not in _PASSING:
            raise RequestRefusedError(reason.code, reason.message) from error

"""What an answer to an append's transaction means. Pure: the outcome of one attempt in, a verdict out.

The rows of the decision table are in `docs/reference/append-decisions.md`. Of a cancelled transaction all reasons are
looked at, since DynamoDB reports one per action and the telling one may stand anywhere: first those of key rows, whose
answer holds whatever else has changed; then our own commit; then what can never succeed; then the others, the caller's
own rows last: whether they may be written is asked again once the aggregate is at the expected version.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from eventstore.append.commit import Role
from eventstore.append.transaction import Transaction
from eventstore.dynamodb.errors import (
    CancellationReason,
    DynamoError,
    NotAppliedError,
    OutcomeLostError,
    RefusedError,
    TransactionCancelledError,
)

_THROTTLED = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"})
_CONFLICT = "TransactionConflict"
_CONDITION = "ConditionalCheckFailed"
_KNOWN = _THROTTLED | {_CONFLICT, _CONDITION, "None"}
_BESIDE = (Role.UNCHANGED, Role.ALSO)


class Cause(Enum):
    """Why an attempt decided nothing."""

    THROTTLED = "throttled"
    CONFLICT = "in conflict with another transaction"
    IN_PROGRESS = "an earlier attempt is still under way"
    LOST = "the reply was lost"
    UNREACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Again:
    """Nothing was decided; the same request may succeed later."""

    cause: Cause

    @property
    def maybe_stored(self) -> bool:
        """Whether the attempt may have stored the commits all the same."""
        return self.cause in (Cause.LOST, Cause.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class OwnCommit:
    """An earlier attempt of this very transaction succeeded."""


@dataclass(frozen=True, slots=True)
class KeysUsed:
    """Keys have rows of earlier commits: the answer is with them.

    Attributes:
        items: The rows that were in the way, by index of the commit.
    """

    items: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Look:
    """The token was used for other bytes: whether the commits are stored must be read from the table."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class OtherType:
    """An id belongs to another aggregate type.

    Attributes:
        index: Of the commit.
        actual: The type found.
    """

    index: int
    actual: str


@dataclass(frozen=True, slots=True)
class OtherVersion:
    """Aggregates are not at the expected version.

    Attributes:
        reached: By index of the commit, a version that its aggregate has reached; 0 when none was shown.
    """

    reached: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class LeftOver:
    """The event's place is free and its outbox row is there: left over from a history that is gone.

    Attributes:
        index: Of the commit.
        item: The outbox row.
    """

    index: int
    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Moved:
    """An aggregate that nothing is appended to is not as it was read.

    Attributes:
        index: Among those of the transaction.
        reached: A version that it has reached; 0 when none was shown.
    """

    index: int
    reached: int


@dataclass(frozen=True, slots=True)
class RowsRefused:
    """Conditions of the caller's own rows do not hold.

    Attributes:
        items: By index of the row what is there, when it was asked for and there is anything.
    """

    items: Mapping[int, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class RowUnfit:
    """DynamoDB cannot take what the caller wants of a row of its own.

    Attributes:
        index: Of the row; None when DynamoDB does not say which.
        message: DynamoDB's words.
    """

    index: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Defect:
    """DynamoDB found the request malformed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SetUp:
    """An operator must act: a table is missing, or credentials."""


Verdict = (
    Again
    | OwnCommit
    | KeysUsed
    | Look
    | OtherType
    | OtherVersion
    | Moved
    | LeftOver
    | RowsRefused
    | RowUnfit
    | Defect
    | SetUp
)

_MALFORMED = frozenset({"ValidationException", "ParamValidationError", "SerializationException"})
"""What a whole request is refused with that cannot be read; ours are known to be readable."""


def judge(error: DynamoError, transaction: Transaction) -> Verdict:
    """Return what the failure of an attempt means."""
    match error:
        case TransactionCancelledError(reasons=reasons):
            return _judge_reasons(reasons, transaction)
        case OutcomeLostError():
            return Again(Cause.LOST)
        case NotAppliedError(reached=False):
            return Again(Cause.UNREACHED)
        case NotAppliedError(code="TransactionInProgressException"):
            return Again(Cause.IN_PROGRESS)
        case NotAppliedError(code="TransactionConflictException"):
            return Again(Cause.CONFLICT)
        case NotAppliedError():
            return Again(Cause.THROTTLED)
        case RefusedError(code="IdempotentParameterMismatchException"):
            return Look(error.code, error.message)
        case RefusedError() if transaction.beside.also and error.code in _MALFORMED:
            return RowUnfit(0 if len(transaction.beside.also) == 1 else None, error.message)
        case RefusedError():
            return Defect(error.code, error.message)
        case _:
            return SetUp()


@dataclass(frozen=True, slots=True)
class _Failed:
    """An action whose condition did not hold."""

    index: int
    role: Role
    item: Mapping[str, Any] | None


def _judge_reasons(reasons: Sequence[CancellationReason], transaction: Transaction) -> Verdict:
    failed = [
        _Failed(index, role, reason.item)
        for reason, (index, role) in zip(reasons, transaction.roles, strict=False)
        if reason.code == _CONDITION
    ]
    ours = [each for each in failed if each.role not in _BESIDE]
    own = any(_text(each.item, "commitId") == transaction.commits[each.index].commit_id for each in ours)
    keys = {each.index: each.item or {} for each in ours if each.role is Role.KEY}
    if keys and not own:
        return KeysUsed(keys)
    if own:
        return OwnCommit()
    for reason, (index, role) in zip(reasons, transaction.roles, strict=False):
        if reason.code not in _KNOWN:
            return RowUnfit(index, reason.message) if role is Role.ALSO else Defect(reason.code, reason.message)
    if failed:
        undecided = {
            index
            for reason, (index, role) in zip(reasons, transaction.roles, strict=False)
            if reason.code not in {_CONDITION, "None"} and role not in _BESIDE
        }
        return _judge_conditions(failed, undecided, transaction)
    throttled = any(reason.code in _THROTTLED for reason in reasons)
    return Again(Cause.THROTTLED if throttled else Cause.CONFLICT)


def _judge_conditions(failed: Sequence[_Failed], undecided: Collection[int], transaction: Transaction) -> Verdict:
    """Judge conditions that do not hold; `undecided` are commits with an action that was in conflict or throttled."""
    by_events = [each for each in failed if each.role in (Role.PREDECESSOR, Role.EVENT)]
    for each in by_events:
        actual = _text(each.item, "aggregateType")
        if actual is not None and actual != transaction.commits[each.index].aggregate.type:
            return OtherType(each.index, actual)
    reached: dict[int, int] = {}
    for each in by_events:
        reached[each.index] = max(reached.get(each.index, 0), _sequence_number(each.item))
    if reached:
        return OtherVersion(dict(sorted(reached.items())))
    for each in failed:
        if each.role is Role.UNCHANGED:
            return Moved(each.index, _sequence_number(each.item))
    for each in failed:
        if each.role is Role.OUTBOX and each.index not in undecided:
            return LeftOver(each.index, each.item or {})
    rows = {each.index: each.item for each in failed if each.role is Role.ALSO}
    if rows and not undecided:
        return RowsRefused(rows)
    return Again(Cause.CONFLICT)  # somebody, or an earlier attempt of ours, is just storing what is in the way


def _sequence_number(item: Mapping[str, Any] | None) -> int:
    """Return the number of a row that was in the way, 0 when none was shown."""
    return int((item or {}).get("sequenceNumber", {}).get("N", 0))


def _text(item: Mapping[str, Any] | None, attribute: str) -> str | None:
    value: str | None = (item or {}).get(attribute, {}).get("S")
    return value

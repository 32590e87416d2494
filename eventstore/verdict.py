"""What the refusal of an append's transaction means. Pure: the reasons in, a verdict out.

    | any reason is                | and                                | verdict        |
    | ---------------------------- | ---------------------------------- | -------------- |
    | a validation error           |                                    | `Defect`       |
    | a failed condition           | a row there is of our own commit   | `AlreadyStored`|
    |                              | a row there has another type       | `OtherType`    |
    |                              | otherwise                          | `OtherVersion` |
    | only conflicts and throttles |                                    | `Retry`        |

All reasons are looked at, in this order, since DynamoDB reports one per action and the telling one may stand anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventstore.commit import PreparedCommit
from eventstore.outcomes import CancellationReason

_RETRYABLE = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


@dataclass(frozen=True, slots=True)
class AlreadyStored:
    """An earlier attempt of this very commit succeeded."""


@dataclass(frozen=True, slots=True)
class OtherType:
    """The id belongs to another aggregate type."""

    actual: str


@dataclass(frozen=True, slots=True)
class OtherVersion:
    """The aggregate is not at the expected version."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Nothing was decided; the same request may succeed later."""

    code: str


@dataclass(frozen=True, slots=True)
class Defect:
    """DynamoDB found the request malformed."""

    code: str
    message: str


Verdict = AlreadyStored | OtherType | OtherVersion | Retry | Defect


def judge(reasons: Sequence[CancellationReason], commit: PreparedCommit) -> Verdict:
    """Return what the cancellation of a commit's transaction means."""
    for reason in reasons:
        if reason.code not in _RETRYABLE and reason.code not in ("None", "ConditionalCheckFailed"):
            return Defect(reason.code, reason.message)
    failed = [reason for reason in reasons if reason.code == "ConditionalCheckFailed"]
    if failed:
        return _judge_conditions([reason.item for reason in failed if reason.item], commit)
    return Retry(next((reason.code for reason in reasons if reason.code in _RETRYABLE), "unknown"))


def _judge_conditions(rows: Sequence[dict[str, Any]], commit: PreparedCommit) -> Verdict:
    if any(row.get("commitId", {}).get("S") == commit.commit_id for row in rows):
        return AlreadyStored()
    types = {row["aggregateType"]["S"] for row in rows if "aggregateType" in row}
    others = types - {commit.aggregate.type}
    if others:
        return OtherType(min(others))
    return OtherVersion()

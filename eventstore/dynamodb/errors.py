"""What a call to DynamoDB can end in, apart from success. Each class says what is known of the call's effect."""

from dataclasses import dataclass
from typing import Any


class DynamoError(Exception):
    """A call did not do what it was asked; what is known of its effect is the class's meaning."""


class NotAppliedError(DynamoError):
    """Throttled, in conflict, or never sent: nothing happened, and the same call may succeed later."""

    def __init__(self, code: str, message: str, *, reached: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.reached = reached


class OutcomeLostError(DynamoError):
    """The reply was lost or broken: a write may have happened or not."""


class ConditionFailedError(DynamoError):
    """The condition of a single write did not hold; `item` is the row that is there, when the call asked for it."""

    def __init__(self, message: str, item: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.item = item


@dataclass(frozen=True, slots=True)
class CancellationReason:
    """Why one action of a transaction was refused; `None` when it was not the one.

    Attributes:
        code: DynamoDB's code, such as `ConditionalCheckFailed`.
        message: DynamoDB's words.
        item: The row that was in the way, when there was one.
    """

    code: str
    message: str
    item: dict[str, Any] | None


class TransactionCancelledError(DynamoError):
    """A transaction was refused as a whole; nothing of it happened."""

    def __init__(self, reasons: tuple[CancellationReason, ...]) -> None:
        super().__init__(", ".join(reason.code for reason in reasons))
        self.reasons = reasons


class NotFoundError(DynamoError):
    """The table, stream or shard named in the call does not exist."""


class RefusedError(DynamoError):
    """DynamoDB refused the call for good: it is malformed, or an iterator is of no more use."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class DeniedError(DynamoError):
    """Credentials are missing, wrong, or not allowed to do this."""

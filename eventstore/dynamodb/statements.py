"""Many conditional writes by one call: BatchExecuteStatement, of which each statement has an answer of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore import limits
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.errors import (
    ConditionFailedError,
    DynamoError,
    NotAppliedError,
    OutcomeLostError,
    of_statement,
)

Outcome = Mapping[str, Any] | ConditionFailedError | NotAppliedError | OutcomeLostError
"""What became of one write: the row as it is now, where it was asked for, else nothing in it; or why it did not happen,
or why that is unknown."""


@dataclass(frozen=True, slots=True)
class WriteStatement:
    """A PartiQL statement that writes one row.

    Attributes:
        text: With a `?` for each value.
        parameters: The values, as attribute values.
        shows_obstacle: Whether the row that does not meet the condition is asked for.
    """

    text: str
    parameters: Sequence[Mapping[str, Any]]
    shows_obstacle: bool = False

    @property
    def is_insert(self) -> bool:
        """Whether it is on the condition that no row is there."""
        return self.text.startswith("INSERT ")

    def request(self) -> dict[str, Any]:
        """Return it as DynamoDB wants it."""
        shown = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"} if self.shows_obstacle else {}
        return {"Statement": self.text, "Parameters": list(self.parameters), **shown}


def execute(caller: Caller, table: str, statements: Sequence[WriteStatement]) -> list[Outcome]:
    """Make one attempt at some writes, and return what became of each, in their order.

    One that is refused changes nothing about the others. The answers are told apart by their place: one to a statement
    that could not be read names no table.

    Args:
        caller: Its deadline holds; its bound of attempts does not, since there is one.
        table: The table that they are about.
        statements: At most 25, no two of them on one row: DynamoDB refuses such a call.

    Raises:
        NotAppliedError: The whole call was refused for load, or not sent; nothing happened.
        OutcomeLostError: The reply was lost or cut short: each write has happened or not.
        TableMissingError: The table does not exist.
        AccessDeniedError: Credentials are missing, wrong, or not allowed to do this.
        RequestRefusedError: A defect. The writes that were not refused have happened, here as above.
    """
    assert len(statements) <= limits.BATCH_MAX_STATEMENTS, "the caller cuts it into calls"
    if not statements:
        return []
    request = [one.request() for one in statements]
    try:
        reply = caller.once(caller.client.batch_execute_statement, needs="Responses", Statements=request)
    except (NotAppliedError, OutcomeLostError):
        raise
    except DynamoError as error:
        raise caller.public(error, {"TableName": table}) from error
    answers = reply["Responses"]
    if len(answers) != len(statements):
        raise OutcomeLostError(f"the reply has {len(answers)} answers to {len(statements)} statements")
    return [_outcome(caller, table, one, answer) for one, answer in zip(statements, answers, strict=True)]


def _outcome(caller: Caller, table: str, statement: WriteStatement, answer: Mapping[str, Any]) -> Outcome:
    if "Error" not in answer:
        item: Mapping[str, Any] = answer.get("Item", {})
        return item
    if statement.is_insert and answer["Error"].get("Code") == "DuplicateItem":
        return ConditionFailedError("a row is there")
    error = of_statement(answer["Error"])
    if isinstance(error, ConditionFailedError | NotAppliedError | OutcomeLostError):
        return error
    raise caller.public(error, {"TableName": table}) from error

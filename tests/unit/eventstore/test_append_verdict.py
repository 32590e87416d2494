"""What an answer to an append's transaction means, by values: which reason counts, and what is told of it."""

from typing import Any

import pytest

from eventstore.append.also import AlsoWrite
from eventstore.append.commit import Action, PreparedCommit, Role
from eventstore.append.transaction import Beside, Transaction
from eventstore.append.verdict import (
    Again,
    Cause,
    Defect,
    KeysUsed,
    LeftOver,
    Look,
    Moved,
    OtherType,
    OtherVersion,
    OwnCommit,
    RowsRefused,
    RowUnfit,
    SetUp,
    Verdict,
    judge,
)
from eventstore.dynamodb.errors import (
    CancellationReason,
    DeniedError,
    DynamoError,
    NotAppliedError,
    OutcomeLostError,
    RefusedError,
    TransactionCancelledError,
)
from eventstore.model import AggregateRef

CONDITION, CONFLICT, NOT_IT = "ConditionalCheckFailed", "TransactionConflict", "None"
ITEMS = "ITEM"
ROLES = (Role.PREDECESSOR, Role.EVENT, Role.OUTBOX, Role.KEY)


def prepared(index: int) -> PreparedCommit:
    return PreparedCommit(AggregateRef(ITEMS, f"item-{index}"), 1, f"commit-{index}", (), None, (), 0)


def transaction(commits: int = 1, unchanged: int = 0, also: int = 0) -> Transaction:
    """Return a transaction whose commits have an action of each role."""
    roles = [(index, role) for index in range(commits) for role in ROLES]
    roles += [(index, Role.UNCHANGED) for index in range(unchanged)]
    roles += [(index, Role.ALSO) for index in range(also)]
    row = AlsoWrite("also[0]", 0, "emails", Action(Role.ALSO, {}), 0)
    return Transaction(tuple(map(prepared, range(commits))), tuple(roles), {}, Beside(also=[row] * also))


def event_row(number: int, *, commit_id: str = "another", aggregate_type: str = ITEMS) -> dict[str, Any]:
    return {
        "commitId": {"S": commit_id},
        "aggregateType": {"S": aggregate_type},
        "sequenceNumber": {"N": str(number)},
    }


def judged(given: Transaction, *told: str | tuple[str, dict[str, Any] | None]) -> Verdict:
    """Judge a cancellation; reasons that are not given are those of actions that were not it."""
    reasons = [
        CancellationReason(*((each, "no", None) if isinstance(each, str) else (each[0], "no", each[1])))
        for each in told
    ]
    reasons += [CancellationReason(NOT_IT, "", None)] * (len(given.roles) - len(told))
    return judge(TransactionCancelledError(tuple(reasons)), given)


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (OutcomeLostError("gone"), Again(Cause.LOST)),
        (NotAppliedError("EndpointConnectionError", "no", reached=False), Again(Cause.UNREACHED)),
        (NotAppliedError("TransactionInProgressException", "no", reached=True), Again(Cause.IN_PROGRESS)),
        (NotAppliedError("TransactionConflictException", "no", reached=True), Again(Cause.CONFLICT)),
        (NotAppliedError("ThrottlingException", "no", reached=True), Again(Cause.THROTTLED)),
        (
            RefusedError("IdempotentParameterMismatchException", "no"),
            Look("IdempotentParameterMismatchException", "no"),
        ),
        (RefusedError("ValidationException", "no"), Defect("ValidationException", "no")),
        (DeniedError("no"), SetUp()),
    ],
)
def test_a_request_that_failed_as_a_whole(error: DynamoError, wanted: Verdict) -> None:
    """
    The kind of the failure says whether the same request may succeed later.
    """
    assert judge(error, transaction()) == wanted


@pytest.mark.parametrize("cause", Cause)
def test_what_may_have_been_stored_all_the_same(cause: Cause) -> None:
    """
    A reply that was lost, and an attempt that is under way: nobody can say that nothing was stored.
    """
    assert Again(cause).maybe_stored is (cause in (Cause.LOST, Cause.IN_PROGRESS))


@pytest.mark.parametrize("code", ["ValidationException", "ParamValidationError", "SerializationException"])
def test_a_request_that_cannot_be_read_is_the_fault_of_a_row_of_the_callers(code: str) -> None:
    """
    Ours are known to be readable. Of one row it is said which; of several nobody knows.
    """
    assert judge(RefusedError(code, "no"), transaction(also=1)) == RowUnfit(0, "no")
    assert judge(RefusedError(code, "no"), transaction(also=2)) == RowUnfit(None, "no")
    assert judge(RefusedError("SomethingElse", "no"), transaction(also=1)) == Defect("SomethingElse", "no")


def test_the_row_of_a_key_answers_before_all_else() -> None:
    """
    Whatever else has changed: the first append under the key is the answer, also when its row was not shown.
    """
    row = {"key": {"S": "k"}}
    given = transaction(commits=2)

    assert judged(given, "ValidationError", (CONDITION, event_row(2)), NOT_IT, (CONDITION, row)) == KeysUsed({0: row})
    assert judged(given, NOT_IT, NOT_IT, NOT_IT, (CONDITION, None)) == KeysUsed({0: {}})
    assert judged(given, *[NOT_IT] * 7, (CONDITION, row)) == KeysUsed({1: row})


@pytest.mark.parametrize("place", range(4))
def test_our_own_commit_answers_wherever_it_shows(place: int) -> None:
    """
    An earlier attempt has stored it, and that it shows in the row of the key is no use of the key by others.
    """
    told: list[Any] = [NOT_IT] * 4
    told[3] = CONDITION, event_row(2)
    told[place] = CONDITION, event_row(2, commit_id="commit-0")

    assert judged(transaction(), *told) == OwnCommit()


def test_another_commit_of_the_transaction_is_not_our_own() -> None:
    """
    Ids are compared aggregate by aggregate, and the rows beside the commits prove nothing.
    """
    given = transaction(commits=2, unchanged=1, also=1)
    other = event_row(2, commit_id="commit-1")

    assert judged(given, NOT_IT, (CONDITION, other)) == OtherVersion({0: 2})
    assert judged(given, *[NOT_IT] * 8, (CONDITION, event_row(2, commit_id="commit-0"))) == Moved(0, 2)
    row = event_row(2, commit_id="commit-0")
    assert judged(given, *[NOT_IT] * 9, (CONDITION, row)) == RowsRefused({0: row})


def test_what_can_never_succeed_is_told_before_what_might() -> None:
    """
    An action that is malformed, or a row of the caller's that is, comes before conditions.
    """
    given = transaction(also=2)

    assert judged(given, (CONDITION, event_row(2)), "ValidationError") == Defect("ValidationError", "no")
    assert judged(given, *[NOT_IT] * 5, "ValidationError") == RowUnfit(1, "no")


@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"])
def test_load_is_told_before_a_conflict(code: str) -> None:
    """
    Whoever is throttled should ask for less, whatever else was in the way.
    """
    assert judged(transaction(), CONFLICT, code) == Again(Cause.THROTTLED)
    assert judged(transaction(), CONFLICT) == Again(Cause.CONFLICT)


@pytest.mark.parametrize("place", [0, 1])
def test_an_id_of_another_type(place: int) -> None:
    """
    The predecessor or the event's place shows whose the id is; that comes before its version.
    """
    given = transaction(commits=2)
    told: list[Any] = [NOT_IT] * 8
    told[1] = CONDITION, event_row(7)
    told[4 + place] = CONDITION, event_row(2, aggregate_type="ORDER")

    assert judged(given, *told) == OtherType(1, "ORDER")


def test_other_versions_are_told_of_all_aggregates_at_their_highest() -> None:
    """
    What a row shows has been reached at least; nothing shown is 0.
    """
    given = transaction(commits=3)
    told: list[Any] = [NOT_IT] * 12
    told[9] = CONDITION, event_row(5)
    told[0] = CONDITION, event_row(3)
    told[1] = CONDITION, event_row(2)
    told[4] = CONDITION, None

    verdict = judged(given, *told)

    assert verdict == OtherVersion({0: 3, 1: 0, 2: 5})
    assert isinstance(verdict, OtherVersion)
    assert list(verdict.reached) == [0, 1, 2]


def test_an_aggregate_beside_that_has_moved() -> None:
    """
    It is told which one, and what it has reached.
    """
    given = transaction(unchanged=2)

    assert judged(given, *[NOT_IT] * 5, (CONDITION, event_row(9))) == Moved(1, 9)
    assert judged(given, *[NOT_IT] * 4, (CONDITION, None)) == Moved(0, 0)


def test_an_outbox_row_without_its_events_is_left_over() -> None:
    """
    Unless the commit's other actions were in conflict or throttled: then somebody is just storing it.
    """
    row = {"commitId": {"S": "another"}}
    given = transaction(commits=2)

    assert judged(given, NOT_IT, NOT_IT, (CONDITION, row)) == LeftOver(0, row)
    assert judged(given, *[NOT_IT] * 6, (CONDITION, None)) == LeftOver(1, {})
    assert judged(given, NOT_IT, CONFLICT, (CONDITION, row)) == Again(Cause.CONFLICT)
    assert judged(given, NOT_IT, "ThrottlingError", (CONDITION, row)) == Again(Cause.CONFLICT)
    assert judged(given, NOT_IT, NOT_IT, (CONDITION, row), NOT_IT, CONFLICT) == LeftOver(0, row)


def test_rows_of_the_callers_are_refused_last() -> None:
    """
    All that were refused are told, with what is there; while a commit is undecided, none is.
    """
    given = transaction(also=3)
    row = {"email": {"S": "ann@example.com"}}

    assert judged(given, *[NOT_IT] * 4, (CONDITION, row), NOT_IT, (CONDITION, None)) == RowsRefused({0: row, 2: None})
    assert judged(given, *[NOT_IT] * 4, (CONDITION, row), CONFLICT) == RowsRefused({0: row})
    assert judged(given, CONFLICT, *[NOT_IT] * 3, (CONDITION, row)) == Again(Cause.CONFLICT)

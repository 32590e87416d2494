"""What a refusal of DynamoDB means: by its code, where that is unknown by its status; and of a statement of many."""

import pytest

from eventstore.dynamodb.errors import (
    CancellationReason,
    ConditionFailedError,
    DeniedError,
    DynamoError,
    NotAppliedError,
    NotFoundError,
    OutcomeLostError,
    RefusedError,
    TransactionCancelledError,
    of_refusal,
    of_statement,
)


def refused(code: str, status: int = 400) -> DynamoError:
    return of_refusal({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}})


@pytest.mark.parametrize(
    ("code", "is_throttle"),
    [
        ("ProvisionedThroughputExceededException", True),
        ("ThrottlingException", True),
        ("RequestLimitExceeded", True),
        ("LimitExceededException", True),
        ("TransactionConflictException", False),
        ("TransactionInProgressException", False),
    ],
)
def test_what_happened_not_and_may_succeed_later(code: str, is_throttle: bool) -> None:  # noqa: FBT001 - a case
    """
    For load, or since another transaction is in the way.
    """
    error = refused(code)

    assert isinstance(error, NotAppliedError)
    assert (error.code, error.reached, error.is_throttle, str(error)) == (code, True, is_throttle, f"{code}: no")
    assert not NotAppliedError(code, "no", reached=False).is_throttle


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "AccessDenied",
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
    ],
)
def test_what_the_credentials_do_not_allow(code: str) -> None:
    """
    Codes of DynamoDB, and those that all services of AWS have in common.
    """
    error = refused(code)

    assert isinstance(error, DeniedError)
    assert str(error) == f"{code}: no"


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("SomethingElse", 401, DeniedError),
        ("SomethingElse", 403, DeniedError),
        ("SomethingElse", 400, RefusedError),
        ("SomethingElse", 499, RefusedError),
        ("SomethingElse", 500, OutcomeLostError),
        ("SomethingElse", 503, OutcomeLostError),
        ("ThrottlingException", 500, NotAppliedError),
        ("ResourceNotFoundException", 400, NotFoundError),
        ("ConditionalCheckFailedException", 400, ConditionFailedError),
    ],
)
def test_where_the_code_is_unknown_the_status_says_it(code: str, status: int, kind: type[DynamoError]) -> None:
    """
    A known code outranks it.
    """
    error = refused(code, status)

    assert type(error) is kind
    assert "no" in str(error)
    if isinstance(error, RefusedError):
        assert (error.code, error.message, str(error)) == (code, "no", f"{code}: no")
    if isinstance(error, OutcomeLostError):
        assert str(error) == f"{code}: no"


def test_a_row_that_was_in_the_way_comes_along() -> None:
    """
    When the call asked for it.
    """
    row = {"a": {"S": "b"}}
    error = of_refusal({"Error": {"Code": "ConditionalCheckFailedException", "Message": "no"}, "Item": row})

    assert isinstance(error, ConditionFailedError)
    assert (error.item, str(error)) == (row, "no")
    assert ConditionFailedError("no").item is None


def test_a_cancelled_transaction_has_a_reason_for_each_action() -> None:
    """
    What a reason does not say is nothing.
    """
    row = {"a": {"S": "b"}}
    error = of_refusal(
        {
            "Error": {"Code": "TransactionCanceledException"},
            "CancellationReasons": [
                {"Code": "ConditionalCheckFailed", "Message": "no", "Item": row},
                {},
                {"Code": "TransactionConflict"},
            ],
        }
    )

    assert isinstance(error, TransactionCancelledError)
    assert error.reasons == (
        CancellationReason("ConditionalCheckFailed", "no", row),
        CancellationReason("None", "", None),
        CancellationReason("TransactionConflict", "", None),
    )
    assert str(error) == "ConditionalCheckFailed, None, TransactionConflict"
    without = of_refusal({"Error": {"Code": "TransactionCanceledException"}})
    assert isinstance(without, TransactionCancelledError)
    assert without.reasons == ()


def test_a_refusal_that_says_nothing_is_final() -> None:
    """
    It is known as `Unknown`.
    """
    error = of_refusal({})

    assert isinstance(error, RefusedError)
    assert (error.code, error.message) == ("Unknown", "")


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        ("TransactionConflict", NotAppliedError, "TransactionConflict: no"),
        ("ThrottlingError", NotAppliedError, "ThrottlingError: no"),
        ("ProvisionedThroughputExceeded", NotAppliedError, "ProvisionedThroughputExceeded: no"),
        ("RequestLimitExceeded", NotAppliedError, "RequestLimitExceeded: no"),
        ("InternalServerError", OutcomeLostError, "InternalServerError: no"),
        ("ResourceNotFound", NotFoundError, "no"),
        ("AccessDenied", DeniedError, "AccessDenied: no"),
        ("ValidationError", RefusedError, "ValidationError: no"),
        ("ConditionalCheckFailed", ConditionFailedError, "no"),
    ],
)
def test_why_one_statement_of_many_did_not_happen(code: str, kind: type[DynamoError], text: str) -> None:
    """
    Codes of statements are others than those of calls.
    """
    error = of_statement({"Code": code, "Message": "no", "Item": {"a": {"S": "b"}}})

    assert type(error) is kind
    assert str(error) == text
    if isinstance(error, NotAppliedError):
        assert (error.code, error.reached) == (code, True)
    if isinstance(error, RefusedError):
        assert (error.code, error.message) == (code, "no")
    if isinstance(error, ConditionFailedError):
        assert error.item == {"a": {"S": "b"}}


def test_a_statement_that_says_nothing_is_refused() -> None:
    """
    It is known as `Unknown`.
    """
    error = of_statement({})

    assert isinstance(error, RefusedError)
    assert (error.code, error.message) == ("Unknown", "")

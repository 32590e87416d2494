"""The one way to repeat a call: how often, how long, and what it can end in."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from eventstore import (
    AccessDeniedError,
    OutcomeUnknownError,
    RequestRefusedError,
    TableMissingError,
    ThrottledError,
    UnreachableError,
)
from eventstore.backoff import Backoff, Deadline
from eventstore.dynamodb import batches, transact_get
from eventstore.dynamodb.caller import Caller, Refused, Taken
from eventstore.errors import TryLaterError
from eventstore.testing import InMemoryDynamoDB, ManualRuntime

BACKOFF = Backoff(attempts_max=3, base_seconds=1.0, cap_seconds=4.0)


class Script:
    """An operation of a client that does as it is told, call by call; the last instruction holds for ever."""

    def __init__(self, *steps: Exception | Mapping[str, Any]) -> None:
        self.steps = list(steps)
        self.requests: list[dict[str, Any]] = []

    def __call__(self, **request: Any) -> Mapping[str, Any]:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step


class Client:
    """A client whose operations are scripts."""

    def __init__(self, **operations: Callable[..., Any]) -> None:
        vars(self).update(operations)


def refusal(code: str, **more: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}, **more}, "any")


def cancelled(*codes: str) -> ClientError:
    return refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def lost() -> Exception:
    return ReadTimeoutError(endpoint_url="http://db:8000")


def unreached() -> Exception:
    return EndpointConnectionError(endpoint_url="http://db:8000")


def throttle() -> ClientError:
    return refusal("ThrottlingException")


def caller(runtime: ManualRuntime, client: Any = None, seconds: float | None = None) -> Caller:
    deadline = None if seconds is None else Deadline(runtime, seconds)
    return Caller(client or Client(), runtime, BACKOFF, deadline)


@pytest.fixture
def runtime() -> ManualRuntime:
    return ManualRuntime()


def test_a_read_is_made_again_until_it_is_answered(runtime: ManualRuntime) -> None:
    """
    A throttle, a lost reply and a body that was cut short are no answers.
    """
    operation = Script(throttle(), {"Nothing": 1}, {"Items": []})
    assert caller(runtime).read(operation, needs="Items", TableName="t") == {"Items": []}
    assert operation.requests == [{"TableName": "t"}] * 3


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (throttle, ThrottledError, "ThrottlingException"),
        (lost, UnreachableError, "http://db:8000"),
        (unreached, UnreachableError, "http://db:8000"),
    ],
)
def test_a_read_that_is_never_answered_says_why(
    runtime: ManualRuntime, fault: Callable[[], Exception], error: type[Exception], says: str
) -> None:
    """
    Refused for load is another error than out of reach, which names the endpoint; the cause is chained.
    """
    operation = Script(fault())
    with pytest.raises(error, match=says) as caught:
        caller(runtime).read(operation, TableName="t")
    assert len(operation.requests) == BACKOFF.attempts_max
    assert caught.value.__cause__ is not None


def test_nothing_is_waited_for_after_the_last_attempt(runtime: ManualRuntime) -> None:
    """
    Three attempts have two delays between them: at most 1 s and 2 s.
    """
    began = runtime.monotonic()
    with pytest.raises(ThrottledError):
        caller(runtime).write(Script(throttle()), what="a write", TableName="t")
    assert runtime.monotonic() - began <= 3.0


def test_a_deadline_ends_the_attempts_before_a_delay_that_would_pass_it(runtime: ManualRuntime) -> None:
    """
    The first attempt is made, the delay before the second would be too long.
    """
    operation = Script(throttle())
    began = runtime.monotonic()
    patient = Caller(Client(), runtime, Backoff(attempts_max=9, base_seconds=8.0, cap_seconds=8.0), None)  # type: ignore[arg-type]
    with pytest.raises(ThrottledError):
        patient.until(Deadline(runtime, 0.001)).read(operation, TableName="t")
    assert len(operation.requests) == 1
    assert runtime.monotonic() - began < 0.001


def test_a_deadline_that_has_passed_asks_nobody(runtime: ManualRuntime) -> None:
    """
    Nothing is known then, and repeating does no harm.
    """
    operation = Script({})
    late = caller(runtime, seconds=1.0)
    runtime.sleep(1.0)
    with pytest.raises(TryLaterError, match="time was over"):
        late.read(operation, TableName="t")
    assert operation.requests == []


def test_a_write_is_taken_or_refused_with_the_item(runtime: ManualRuntime) -> None:
    """
    Both are values: the caller decides what they mean.
    """
    row = {"aggregateId": {"S": "a"}}
    assert caller(runtime).write(Script({"Attributes": row}), what="w", TableName="t") == Taken({"Attributes": row})
    refused = Script(refusal("ConditionalCheckFailedException", Item=row))
    assert caller(runtime).write(refused, what="w", TableName="t") == Refused(row, (), maybe_ours=False)


def test_a_refusal_after_a_lost_reply_may_be_our_own_doing(runtime: ManualRuntime) -> None:
    """
    The lost attempt may have happened, and its effect stands in the way of the repeat.
    """
    operation = Script(lost(), refusal("ConditionalCheckFailedException"))
    assert caller(runtime).write(operation, what="w", TableName="t") == Refused(None, (), maybe_ours=True)


@pytest.mark.parametrize("steps", [(lost(),), (lost(), throttle()), (throttle(), lost(), unreached())])
def test_a_write_with_a_lost_reply_that_nothing_decided_is_unknown(
    runtime: ManualRuntime, steps: tuple[Exception, ...]
) -> None:
    """
    Whatever came after the lost reply: it happened or not, and no error may say that nothing happened.
    """
    with pytest.raises(OutcomeUnknownError, match="the drop of a 7") as caught:
        caller(runtime).write(Script(*steps), what="the drop of a 7", TableName="t")
    assert not isinstance(caught.value, TryLaterError)


def test_a_lost_reply_to_a_repeatable_write_is_only_no_answer(runtime: ManualRuntime) -> None:
    """
    Doing it again does no harm, so the caller may.
    """
    with pytest.raises(UnreachableError, match="the note"):
        caller(runtime).write(Script(lost()), what="the note", is_repeatable=True, TableName="t")


def test_a_transaction_in_conflict_is_made_again_and_one_that_can_never_be_taken_is_not(
    runtime: ManualRuntime,
) -> None:
    """
    DynamoDB says per action whether time heals it.
    """
    again = Script(cancelled("None", "TransactionConflict"), {})
    assert caller(runtime).write(again, what="w", TransactItems=[]) == Taken({})
    never = Script(cancelled("None", "ValidationError"))
    with pytest.raises(RequestRefusedError):
        caller(runtime).write(never, what="w", TransactItems=[])
    assert len(never.requests) == 1
    refused = caller(runtime).write(Script(cancelled("TransactionConflict", "ConditionalCheckFailed")), what="w")
    assert isinstance(refused, Refused)
    assert [reason.code for reason in refused.reasons] == ["TransactionConflict", "ConditionalCheckFailed"]


def test_a_missing_table_is_named_also_when_a_request_is_about_several(runtime: ManualRuntime) -> None:
    """
    DynamoDB does not say which of a transaction's tables is missing: they are looked at.
    """
    client = InMemoryDynamoDB().client()
    client.create_table(
        TableName="there",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    key = {"id": {"S": "1"}}
    asking = caller(runtime, client)
    with pytest.raises(TableMissingError) as one:
        asking.read(client.get_item, TableName="gone", Key=key)
    with pytest.raises(TableMissingError) as several:
        transact_get.items(asking, [("there", key), ("gone", key)])
    with pytest.raises(TableMissingError) as batch:
        batches.get(asking, "gone", [key])
    assert [caught.value.table for caught in (one, several, batch)] == ["gone", "gone", "gone"]


def test_pages_follow_the_key_and_heed_a_changed_limit(runtime: ManualRuntime) -> None:
    """
    What the caller changes in the request between two pages holds from the next one on.
    """
    last = {"id": {"S": "1"}}
    operation = Script({"Items": [1], "LastEvaluatedKey": last}, {"Items": [2]})
    request: dict[str, Any] = {"TableName": "t", "Limit": 5}
    seen = []
    for reply in caller(runtime).pages(operation, request, needs="Items"):
        seen += reply["Items"]
        request["Limit"] = 4
    assert seen == [1, 2]
    assert operation.requests == [
        {"TableName": "t", "Limit": 5},
        {"TableName": "t", "Limit": 4, "ExclusiveStartKey": last},
    ]


def places(count: int) -> list[transact_get.Place]:
    return [("t", {"id": {"N": str(number)}}) for number in range(count)]


class Answering:
    """TransactGetItems: answers each key with itself, unless a rule refuses the question."""

    def __init__(self, rule: Callable[[list[int]], Exception | None]) -> None:
        self.rule = rule
        self.questions: list[list[int]] = []

    def __call__(self, TransactItems: list[Any]) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        numbers = [int(each["Get"]["Key"]["id"]["N"]) for each in TransactItems]
        self.questions.append(numbers)
        fault = self.rule(numbers)
        if fault is not None:
            raise fault
        return {"Responses": [{"Item": {"id": {"N": str(number)}}} if number % 2 else {} for number in numbers]}


def test_rows_in_conflict_are_asked_for_again_alone(runtime: ManualRuntime) -> None:
    """
    One busy key delays no other key's answer.
    """
    busy = [2]

    def rule(numbers: list[int]) -> Exception | None:
        if 1 in numbers and busy:
            busy.pop()
            return cancelled(*("TransactionConflict" if number == 1 else "None" for number in numbers))
        return None

    asked = Answering(rule)
    found = transact_get.items(caller(runtime, Client(transact_get_items=asked)), places(4))
    assert found == [None, {"id": {"N": "1"}}, None, {"id": {"N": "3"}}]
    assert asked.questions == [[0, 1, 2, 3], [0, 2, 3], [1]]


def test_rows_that_are_together_too_large_are_asked_for_in_halves(runtime: ManualRuntime) -> None:
    """
    4 MB at most come back together; a single row is never too large.
    """
    asked = Answering(lambda numbers: cancelled(*["ValidationError"] * len(numbers)) if len(numbers) > 1 else None)
    found = transact_get.items(caller(runtime, Client(transact_get_items=asked)), places(3))
    assert found == [None, {"id": {"N": "1"}}, None]


def test_an_answer_that_lacks_a_key_is_no_answer(runtime: ManualRuntime) -> None:
    """
    A reply that was cut short must not look like absence.
    """
    client = Client(transact_get_items=Script({"Responses": [{}]}, {"Responses": [{}, {"Item": {"x": {"S": "y"}}}]}))
    assert transact_get.items(caller(runtime, client), places(2)) == [None, {"x": {"S": "y"}}]


def test_more_than_a_hundred_rows_are_asked_for_by_several_questions(runtime: ManualRuntime) -> None:
    """
    A transaction takes 100 actions.
    """
    asked = Answering(lambda _: None)
    found = transact_get.items(caller(runtime, Client(transact_get_items=asked)), places(205))
    assert [len(question) for question in asked.questions] == [100, 100, 5]
    assert len(found) == 205
    assert found[203] == {"id": {"N": "203"}}


def test_what_a_batch_leaves_undone_is_asked_for_again_while_it_brings_something(runtime: ManualRuntime) -> None:
    """
    Only replies in a row that bring nothing count against the bound.
    """
    one, two = {"id": {"N": "1"}}, {"id": {"N": "2"}}
    left = {"t": {"Keys": [two]}}
    reads = Script(
        {"Responses": {"t": [one]}, "UnprocessedKeys": left},
        {"Responses": {}, "UnprocessedKeys": left},
        {"Responses": {"t": [two]}},
    )
    assert batches.get(caller(runtime, Client(batch_get_item=reads)), "t", [one, two]) == [one, two]
    never = Script({"Responses": {}, "UnprocessedKeys": left})
    with pytest.raises(ThrottledError, match="1 rows of t"):
        batches.get(caller(runtime, Client(batch_get_item=never)), "t", [two])
    assert len(never.requests) == BACKOFF.attempts_max


def test_a_write_that_is_denied_after_a_lost_reply(runtime: ManualRuntime) -> None:
    """
    The refusal is of the last attempt; the one before it may have happened. A repeatable write has nothing to hide.
    """
    for is_repeatable, error in ((False, OutcomeUnknownError), (True, AccessDeniedError)):
        operation = Script(lost(), refusal("AccessDeniedException"))
        with pytest.raises(error, match="AccessDeniedException"):
            caller(runtime).write(operation, what="a write", is_repeatable=is_repeatable, TableName="t")
        assert len(operation.requests) == 2

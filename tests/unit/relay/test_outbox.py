"""The outbox, read and changed while DynamoDB does half of what it is asked."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from eventstore import TableNames
from eventstore.backoff import Backoff
from eventstore.errors import RequestRefusedError, ThrottledError, UnreachableError
from eventstore.testing.dynamodb.errors import ServiceError, transaction_cancelled, validation
from relay.outbox.reader import OutboxReader
from relay.outbox.row import Absent, Present
from relay.outbox.writer import OutboxWriter

from .conftest import Bench

QUICK = Backoff(attempts_max=3, base_seconds=0.001, cap_seconds=0.001)


def writer(bench: Bench) -> OutboxWriter:
    return OutboxWriter(bench.client, TableNames(), bench.runtime, QUICK)


def reader(bench: Bench) -> OutboxReader:
    return OutboxReader(bench.client, TableNames(), bench.runtime, QUICK)


def test_deletes_that_go_one_by_one_are_progress(bench: Bench) -> None:
    """
    Each reply leaves all but one row unprocessed: more replies than attempts, and none of them in vain.
    """
    for _ in range(10):
        bench.append("a")

    def only_one(operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation != "BatchWriteItem":
            return effect()
        ((table, requests),) = request["RequestItems"].items()
        bench.way.trap = None
        bench.client.delete_item(TableName=table, Key=requests[0]["DeleteRequest"]["Key"])
        bench.way.trap = only_one
        return {"UnprocessedItems": {table: requests[1:]} if requests[1:] else {}}

    bench.way.trap = only_one
    writer(bench).delete([("a", number) for number in range(1, 11)])
    bench.way.trap = None

    assert bench.outbox() == []


def test_a_server_out_of_reach_is_no_throttle(bench: Bench) -> None:
    """
    Who reads the error at night must look at the endpoint, not at the capacity: it names the cause, and chains it.
    """

    class Away:
        """A client whose server is away."""

        def __getattr__(self, _operation: str) -> Callable[..., Any]:
            def call(**_request: Any) -> Any:
                raise EndpointConnectionError(endpoint_url="http://db.example:8000")

            return call

    away: Any = Away()
    for change in (
        lambda: OutboxWriter(away, TableNames(), bench.runtime, QUICK).delete([("a", 1)]),
        lambda: OutboxWriter(away, TableNames(), bench.runtime, QUICK).add_delivered(("a", 1), ["bus"]),
        lambda: OutboxReader(away, TableNames(), bench.runtime, QUICK).ask([("a", 1)]),
    ):
        with pytest.raises(UnreachableError, match=r"http://db\.example:8000") as caught:
            change()
        assert caught.value.__cause__ is not None


def test_deletes_that_are_not_taken_end(bench: Bench) -> None:
    """
    The bound of attempts holds when nothing goes.
    """
    bench.append("a")

    def nothing(_operation: str, request: Mapping[str, Any], _effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return {"UnprocessedItems": request["RequestItems"]}

    bench.way.trap = nothing
    with pytest.raises(ThrottledError):
        writer(bench).delete([("a", 1)])

    assert bench.way.count("BatchWriteItem") == 3


@pytest.mark.parametrize("in_words", ["cancelled", "refused"])
def test_rows_too_large_for_one_transaction_are_asked_for_in_parts(bench: Bench, in_words: str) -> None:
    """
    Rows that carry large events may together exceed what one TransactGetItems returns.
    """
    for _ in range(10):
        bench.append("a")
    bench.client.delete_item(
        TableName="inventory_outbox", Key={"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "4"}}
    )

    def too_much(operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "TransactGetItems" and len(request["TransactItems"]) > 3:
            if in_words == "refused":
                raise validation("too large")
            reasons = [{"Code": "ValidationError", "Message": "too large"} for _ in request["TransactItems"]]
            raise transaction_cancelled(reasons)
        return effect()

    bench.way.trap = too_much
    answers = reader(bench).ask(("a", number) for number in range(1, 11))

    assert {key for key, answer in answers.items() if isinstance(answer, Absent)} == {("a", 4)}
    assert sum(1 for answer in answers.values() if isinstance(answer, Present)) == 9


def test_a_question_that_is_refused_on_its_own_is_an_error(bench: Bench) -> None:
    """
    Parts cannot get smaller than one row; the caller hears of it.
    """

    def refuse(_operation: str, _request: Mapping[str, Any], _effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        raise validation("no")

    bench.way.trap = refuse
    with pytest.raises(RequestRefusedError):
        reader(bench).ask([("a", 1), ("a", 2)])


def test_earlier_commits_are_those_owed_to_the_bus(bench: Bench) -> None:
    """
    Within both bounds, lowest first, and it is said whether there are more.
    """
    for _ in range(8):
        bench.append("a")
    bench.break_row("a", 4, delivered={"SS": ["bus"]})
    bench.break_row("a", 5, delivered={"SS": ["index"]})

    everything, nothing_more = reader(bench).earlier("a", above=1, below=8, limit=10)
    some, more = reader(bench).earlier("a", above=1, below=8, limit=2)

    assert [row.last for row in everything] == [2, 3, 5, 6, 7]
    assert not nothing_more
    assert [row.last for row in some] == [2, 3]
    assert more
    assert reader(bench).earlier("a", above=7, below=8, limit=2) == ([], False)


def test_throttles_in_the_middle_of_a_question_lose_no_answer(bench: Bench) -> None:
    """
    Of 150 rows the second hundred is throttled once; each row is answered for.
    """
    for _ in range(150):
        bench.append("a")
    throttles = iter([False, True])

    def throttle(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "TransactGetItems" and next(throttles, False):
            raise ServiceError("ThrottlingException", "slow down")
        return effect()

    bench.way.trap = throttle
    answers = reader(bench).ask(("a", number) for number in range(1, 151))

    assert {type(answer) for answer in answers.values()} == {Present}
    assert len(answers) == 150

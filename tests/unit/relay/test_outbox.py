"""The outbox, read and changed while DynamoDB does half of what it is asked."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from eventstore import TableNames
from eventstore.backoff import Backoff
from eventstore.errors import (
    AccessDeniedError,
    RequestRefusedError,
    TableMissingError,
    ThrottledError,
    UnreachableError,
)
from eventstore.testing.dynamodb.errors import ServiceError, transaction_cancelled, validation
from relay.destination import Park
from relay.outbox.insisting import InsistingWriter
from relay.outbox.reader import OutboxReader
from relay.outbox.row import Absent, Present, RowId, row_id
from relay.outbox.writer import OutboxWriter, calls_of
from relay.outbox.written import Done, Foreign, Later

from .conftest import Bench

QUICK = Backoff(attempts_max=3, base_seconds=0.001, cap_seconds=0.001)


def writer(bench: Bench) -> OutboxWriter:
    return OutboxWriter(bench.client, TableNames(), bench.runtime, QUICK)


def reader(bench: Bench) -> OutboxReader:
    return OutboxReader(bench.client, TableNames(), bench.runtime, QUICK)


def insisting(bench: Bench) -> InsistingWriter:
    return InsistingWriter(bench.client, TableNames(), bench.runtime, QUICK)


def ids(bench: Bench) -> list[RowId]:
    return [row_id(row) for row in bench.outbox()]


def answer(code: str) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": "no"}, "TableName": "inventory_outbox"}


def answering(bench: Bench, *answers: dict[str, Any]) -> None:
    """Let statements be answered so, without effect."""

    def told(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return {"Responses": list(answers)} if operation == "BatchExecuteStatement" else effect()

    bench.way.trap = told


# One attempt, an answer per row


def test_a_row_of_the_commit_goes_and_one_that_is_gone_is_gone(bench: Bench) -> None:
    """
    A repeat says the same.
    """
    bench.append("a")
    rows = ids(bench)

    assert writer(bench).delete(rows) == {rows[0]: Done(None)}
    assert bench.outbox() == []
    assert writer(bench).delete(rows) == {rows[0]: Done(None)}


def test_a_row_of_another_commit_is_not_touched(bench: Bench) -> None:
    """
    The tables were remade: under the key stands a row of a commit that nobody has.
    """
    bench.append("a")
    former = RowId("a", 1, "a commit of the former tables")

    assert writer(bench).delete([former]) == {former: Foreign()}
    assert writer(bench).note({former: {"bus"}}) == {former: Foreign()}
    assert not writer(bench).park(former, "bus", Park("a reason", "a_class"))
    (row,) = bench.outbox()
    assert (row.delivered, row.parked) == (frozenset(), {})


def test_a_note_says_who_has_the_commit_by_now(bench: Bench) -> None:
    """
    Whoever sees the set complete deletes the row.
    """
    bench.append("a")
    bench.append("b")
    one, other = ids(bench)
    assert writer(bench).note({one: {"index"}}) == {one: Done(frozenset({"index"}))}

    both, alone = Done(frozenset({"bus", "index"})), Done(frozenset({"bus"}))
    assert writer(bench).note({one: {"bus"}, other: {"bus"}}) == {one: both, other: alone}
    assert [row.delivered for row in bench.outbox()] == [both.delivered, alone.delivered]


def test_a_note_does_not_bring_a_row_back(bench: Bench) -> None:
    """
    The row is gone, so the commit is settled: there is nothing to note.
    """
    bench.append("a")
    rows = ids(bench)
    writer(bench).delete(rows)

    assert writer(bench).note({rows[0]: {"index"}}) == {rows[0]: Foreign()}
    assert bench.outbox() == []


def test_26_rows_take_two_calls(bench: Bench) -> None:
    """
    25 statements are the most that one call takes.
    """
    for _ in range(26):
        bench.append("a")
    rows = ids(bench)
    bench.way.calls.clear()

    noted = writer(bench).note(dict.fromkeys(rows, ("bus",)))
    assert noted == dict.fromkeys(rows, Done(frozenset({"bus"})))
    assert writer(bench).delete(rows) == dict.fromkeys(rows, Done(None))
    assert bench.way.count("BatchExecuteStatement") == 4
    assert bench.outbox() == []


def test_two_commits_under_one_key_are_not_in_one_call(bench: Bench) -> None:
    """
    DynamoDB refuses a call with two statements on one row; each of them gets its answer all the same.
    """
    bench.append("a")
    (row,) = ids(bench)
    former = row._replace(commit_id="former")

    assert writer(bench).delete([former, row, row]) == {former: Foreign(), row: Done(None)}
    assert [[row.commit_id for row in call] for call in calls_of(iter([former, row, row]))] == [
        ["former"],
        [row.commit_id],
    ]


@pytest.mark.parametrize(
    ("code", "is_throttle"),
    [
        ("TransactionConflict", False),
        ("InternalServerError", False),
        ("ThrottlingError", True),
        ("ProvisionedThroughputExceeded", True),
        ("RequestLimitExceeded", True),
    ],
)
def test_what_time_heals_is_for_later(bench: Bench, code: str, is_throttle: bool) -> None:  # noqa: FBT001 - a case
    """
    Each statement has its own answer, by its place: the others count.
    """
    rows = [RowId("a", number, "c") for number in (1, 2, 3)]
    answering(bench, {}, answer(code), answer("ConditionalCheckFailed"))

    assert writer(bench).delete(rows) == {
        rows[0]: Done(None),
        rows[1]: Later(f"{code}: no", is_throttle),
        rows[2]: Foreign(),
    }


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ResourceNotFound", TableMissingError),
        ("AccessDenied", AccessDeniedError),
        ("ValidationError", RequestRefusedError),
        ("DuplicateItem", RequestRefusedError),
        ("ItemCollectionSizeLimitExceeded", RequestRefusedError),
        ("SomethingNew", RequestRefusedError),
    ],
)
def test_what_time_does_not_heal_is_an_error(bench: Bench, code: str, error: type[Exception]) -> None:
    """
    The answer to a statement that could not be read names no table; it is an answer to the same row.
    """
    answering(bench, {}, {"Error": answer(code)["Error"]})

    with pytest.raises(error):
        writer(bench).delete([RowId("a", 1, "c"), RowId("a", 2, "c")])


@pytest.mark.parametrize("responses", [{}, {"Responses": [{}]}], ids=["no answers", "too few"])
def test_a_reply_that_is_cut_short_answers_for_no_row(bench: Bench, responses: dict[str, Any]) -> None:
    """
    Which statements the others are the answers to is not known.
    """
    bench.way.trap = lambda _operation, _request, _effect: dict(responses)
    rows = [RowId("a", 1, "c"), RowId("a", 2, "c")]

    written = writer(bench).delete(rows)

    assert list(written) == rows
    assert all(isinstance(answer, Later) and not answer.is_throttle for answer in written.values())


def test_a_note_whose_row_does_not_come_along_is_for_later(bench: Bench) -> None:
    """
    Without it nobody knows whether the row is complete.
    """
    answering(bench, {"TableName": "inventory_outbox"})

    (written,) = writer(bench).note({RowId("a", 1, "c"): {"bus"}}).values()

    assert isinstance(written, Later)


def test_when_a_whole_call_fails_no_further_one_is_made(bench: Bench) -> None:
    """
    A server that hangs is met once, not once for each 25 rows; what was answered before stays answered.
    """
    rows = [RowId("a", number, "c") for number in range(1, 61)]

    def second_is_throttled(
        operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        if bench.way.count(operation) == 1:
            raise ServiceError("ThrottlingException", "slow down")
        return effect()

    bench.way.trap = second_is_throttled
    written = writer(bench).delete(rows)

    assert [written[row] for row in rows[:25]] == [Done(None)] * 25
    assert [written[row] for row in rows[25:]] == [Later("ThrottlingException: slow down", is_throttle=True)] * 35
    assert bench.way.count("BatchExecuteStatement") == 1


# A mark whose reply is lost


@pytest.mark.parametrize("before", [(), ("bus",)], ids=["the first mark", "beside another"])
def test_a_mark_whose_reply_was_lost_is_ones_own(bench: Bench, before: tuple[str, ...]) -> None:
    """
    The repeat finds the mark there and says that it was set: it is logged and counted as any other.
    """
    bench.append("a")
    (row,) = ids(bench)
    for name in before:
        assert writer(bench).park(row, name, Park("another reason", "a_class"))
    lost: list[str] = []

    def lose(operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        reply = effect()
        if operation == "UpdateItem" and not lost:
            lost.append(request["UpdateExpression"])
            raise ConnectionClosedError(endpoint_url="https://dynamodb.invalid")
        return reply

    bench.way.trap = lose
    assert writer(bench).park(row, "index", Park("a reason", "a_class")) == Done(frozenset())
    assert lost
    assert bench.outbox()[0].parked == {**dict.fromkeys(before, "another reason"), "index": "a reason"}
    assert not writer(bench).park(row, "index", Park("a later reason", "a_class"))


# Rows that do not say whose they are


@pytest.mark.parametrize("stored", [None, {"N": "7"}, {"S": ""}], ids=["missing", "a number", "empty"])
def test_a_row_without_a_commit_id_has_a_condition_of_its_own(bench: Bench, stored: Any) -> None:
    """
    It is changed and deleted as long as it says no more than before.
    """
    bench.append("a")
    bench.break_row("a", 1, commitId=stored)
    (row,) = ids(bench)

    assert row == RowId("a", 1, None)
    assert writer(bench).note({row: {"bus"}}) == {row: Done(frozenset({"bus"}))}
    assert writer(bench).park(row, "index", Park("a reason", "a_class"))
    assert writer(bench).delete([row]) == {row: Done(None)}
    assert bench.outbox() == []
    assert writer(bench).delete([row]) == {row: Done(None)}
    assert writer(bench).note({row: {"bus"}}) == {row: Foreign()}


def test_a_row_without_a_commit_id_is_not_one_with_a_question_mark(bench: Bench) -> None:
    """
    Neither is taken for the other.
    """
    bench.append("a")
    bench.append("b")
    bench.break_row("a", 1, commitId=None)
    bench.break_row("b", 1, commitId={"S": "?"})
    nameless, asking = ids(bench)
    swapped = [nameless._replace(commit_id="?"), asking._replace(commit_id=None)]

    assert (nameless.commit_id, asking.commit_id) == (None, "?")
    assert writer(bench).delete(swapped) == dict.fromkeys(swapped, Foreign())
    assert writer(bench).note(dict.fromkeys(swapped, ("bus",))) == dict.fromkeys(swapped, Foreign())
    assert [row.delivered for row in bench.outbox()] == [frozenset(), frozenset()]
    assert writer(bench).delete([nameless, asking]) == dict.fromkeys([nameless, asking], Done(None))
    assert bench.outbox() == []


# Again, until it is answered


def test_deletes_that_go_one_by_one_are_progress(bench: Bench) -> None:
    """
    Each reply puts off all but one row: more replies than attempts, and none of them in vain.
    """
    for _ in range(10):
        bench.append("a")

    def only_one(operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation != "BatchExecuteStatement":
            return effect()
        bench.way.trap = None
        first = bench.client.batch_execute_statement(Statements=request["Statements"][:1])["Responses"]
        bench.way.trap = only_one
        return {"Responses": [*first, *[answer("ThrottlingError") for _ in request["Statements"][1:]]]}

    rows = ids(bench)
    bench.way.trap = only_one
    insisting(bench).delete(rows)
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
        lambda: InsistingWriter(away, TableNames(), bench.runtime, QUICK).delete([RowId("a", 1, "c")]),
        lambda: InsistingWriter(away, TableNames(), bench.runtime, QUICK).note({RowId("a", 1, "c"): ["bus"]}),
        lambda: InsistingWriter(away, TableNames(), bench.runtime, QUICK).delete([RowId("a", 1, None)]),
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

    rows = ids(bench)
    bench.way.calls.clear()
    answering(bench, answer("ProvisionedThroughputExceeded"))
    with pytest.raises(ThrottledError):
        insisting(bench).delete(rows)

    assert bench.way.count("BatchExecuteStatement") == 3


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

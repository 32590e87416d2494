"""Appends, where fake and real server must agree: what is refused, what is shown of it, and what a token remembers."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from eventstore import (
    ANY,
    EXISTS,
    AggregateRef,
    AggregateTypeError,
    Append,
    EventStore,
    IdempotencyConflictError,
    NewEvent,
    NotSettledError,
    RequestRefusedError,
    TableNames,
    WrongExpectedVersionError,
    init_tables,
)


@pytest.fixture(scope="module")
def names(client: Any) -> Iterator[TableNames]:
    """Give tables that the tests of this module share."""
    made = TableNames(f"t{uuid.uuid4().hex[:12]}")
    init_tables(client, made, protect=False)
    yield made
    for table in (made.events, made.outbox, made.relay, made.snapshots, made.idempotency):
        client.delete_table(TableName=table)


@pytest.fixture
def aggregate_id() -> str:
    """Give an id that no other test uses."""
    return f"item-{uuid.uuid4().hex}"


class Rewritten:
    """A client whose requests come under tokens given by a test, and whose first reply is lost on request."""

    def __init__(self, inner: Any, *tokens: str, loses_first_reply: bool = False) -> None:
        self._inner, self._tokens, self._loses = inner, list(tokens), loses_first_reply

    def transact_write_items(self, **request: Any) -> Any:
        if self._tokens:
            request["ClientRequestToken"] = self._tokens.pop(0)
        reply = self._inner.transact_write_items(**request)
        if self._loses:
            self._loses = False
            raise ReadTimeoutError(endpoint_url="lost")
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def event(number: int) -> NewEvent:
    return NewEvent("COUNTED", {"number": number})


def numbers(store: EventStore, aggregate_id: str) -> list[int]:
    return [each.data["number"] for each in store.load(aggregate_id)]


def test_lost_reply_under_the_same_token(client: Any, names: TableNames, aggregate_id: str) -> None:
    """
    The server answers the repeat as it did, and stores nothing twice.
    """
    store = EventStore.open(Rewritten(client, loses_first_reply=True), names)  # type: ignore[arg-type]

    result = store.append(AggregateRef("ITEM", aggregate_id), [event(1)], expected_version=0)

    assert (result.version, result.attempts, result.already_stored) == (1, 2, False)
    assert numbers(store, aggregate_id) == [1]


def test_own_commit_is_shown_when_the_token_is_forgotten(client: Any, names: TableNames, aggregate_id: str) -> None:
    """
    The rows in the way come back with the refusal, and carry our commit id.
    """
    rewritten = Rewritten(client, f"a{aggregate_id[-30:]}", f"b{aggregate_id[-30:]}", loses_first_reply=True)
    store = EventStore.open(rewritten, names)  # type: ignore[arg-type]

    result = store.append(AggregateRef("ITEM", aggregate_id), [event(1), event(2)], expected_version=0)

    assert (result.version, result.attempts, result.already_stored) == (2, 2, True)
    assert numbers(store, aggregate_id) == [1, 2]


def test_a_token_of_other_bytes_is_refused(client: Any, names: TableNames, aggregate_id: str) -> None:
    """
    Something between us and the server would have to change requests for this.
    """
    token = f"t{aggregate_id[-30:]}"
    store = EventStore.open(Rewritten(client, token, token), names)  # type: ignore[arg-type]
    store.append(AggregateRef("ITEM", aggregate_id), [event(1)], expected_version=0)

    with pytest.raises(RequestRefusedError) as caught:
        store.append(AggregateRef("ITEM", aggregate_id), [event(2)], expected_version=1)

    assert caught.value.code == "IdempotentParameterMismatchException"


def test_keys_answer_for_ever(client: Any, names: TableNames, aggregate_id: str) -> None:
    """
    At the same version, at a later one, and never with other content.
    """
    store, aggregate = EventStore.open(client, names), AggregateRef("ITEM", aggregate_id)
    first = store.append(aggregate, [event(1)], expected_version=0, idempotency_key="k")
    store.append(aggregate, [event(2)], expected_version=EXISTS)

    for expected in (0, 2, ANY):
        repeat = EventStore.open(client, names).append(
            aggregate, [event(1)], expected_version=expected, idempotency_key="k"
        )
        assert (repeat.commit_id, repeat.version, repeat.already_stored) == (first.commit_id, 1, True)
    with pytest.raises(IdempotencyConflictError):
        store.append(aggregate, [event(3)], expected_version=2, idempotency_key="k")
    assert numbers(store, aggregate_id) == [1, 2]


def test_a_refusal_says_which_aggregate_and_which_type(client: Any, names: TableNames, aggregate_id: str) -> None:
    """
    Reasons stand in the order of the actions; the row in the way says the type.
    """
    store = EventStore.open(client, names)
    one, two = AggregateRef("ITEM", f"{aggregate_id}-1"), AggregateRef("ITEM", f"{aggregate_id}-2")
    store.append_many([Append(one, [event(1)], 0, "k"), Append(two, [event(2)], 0, "k")])

    with pytest.raises(WrongExpectedVersionError) as version:
        store.append_many([Append(one, [event(3)], 1), Append(two, [event(4)], 0)])
    with pytest.raises(AggregateTypeError) as other:
        store.append_many([Append(one, [event(3)], 1), Append(AggregateRef("ORDER", two.id), [event(4)], ANY)])
    repeat = store.append_many([Append(one, [event(1)], ANY, "k"), Append(two, [event(2)], 1, "k")])

    assert (version.value.aggregate_id, version.value.actual) == (two.id, 1)
    assert (other.value.aggregate_id, other.value.actual) == (two.id, "ITEM")
    assert [each.already_stored for each in repeat] == [True, True]
    assert numbers(store, one.id) == [1]


def test_writers_that_expect_anything_get_through(client: Any, names: TableNames, aggregate_id: str) -> None:
    """
    Four threads, five appends each: twenty events, none twice.
    """
    store, aggregate = EventStore.open(client, names), AggregateRef("ITEM", aggregate_id)

    def write(writer: int) -> None:
        for number in range(5):
            store.append(aggregate, [event(writer * 5 + number)], expected_version=ANY)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)

    assert sorted(numbers(store, aggregate_id)) == list(range(20))
    assert store.metrics().counts.appends == 20


def test_settled_is_seen_by_a_transactional_read(client: Any, names: TableNames, aggregate_id: str) -> None:
    """
    Owed while the row is there; settled for the bus when it is in `delivered`.
    """
    store = EventStore.open(client, names)
    result = store.append(AggregateRef("ITEM", aggregate_id), [event(1)], expected_version=0)
    with pytest.raises(NotSettledError):
        result.wait_settled(0.05, "bus")

    client.update_item(
        TableName=names.outbox,
        Key={"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": "1"}},
        UpdateExpression="ADD delivered :bus",
        ExpressionAttributeValues={":bus": {"SS": ["bus"]}},
    )

    result.wait_settled(5.0, "bus")

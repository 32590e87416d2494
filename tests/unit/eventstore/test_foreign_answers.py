"""
A reply that is about other rows than those asked for is never given to a reader as if it were about these.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from eventstore import AggregateRef, EventStore, NewEvent, Repository, SnapshotPolicy, StoreOptions, UnreachableError
from eventstore.dynamodb import answers
from eventstore.dynamodb.errors import OutcomeLostError
from eventstore.timeline.query import ByType
from tests.unit.eventstore.conftest import ITEM, QUICK, FaultyClient

OTHER = AggregateRef("ITEM", "item-2")


def _row(aggregate_id: str, number: int = 1) -> dict[str, Any]:
    return {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": str(number)}, "eventType": {"S": "COUNTED"}}


def _key(aggregate_id: str, number: int = 1) -> dict[str, Any]:
    return {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": str(number)}}


QUERY = {
    "KeyConditionExpression": "aggregateId = :id AND sequenceNumber BETWEEN :from AND :until",
    "ExpressionAttributeValues": {":id": {"S": "item-1"}, ":from": {"N": "1"}, ":until": {"N": "9"}},
}
INDEX_QUERY = {
    "KeyConditionExpression": "#key = :key AND #time BETWEEN :low AND :high",
    "ExpressionAttributeNames": {"#key": "eventTypeShard", "#time": "timestamp"},
    "ExpressionAttributeValues": {":key": {"S": "COUNTED#1"}},
}
GET = {"TableName": "t", "Key": _key("item-1")}
TRANSACTION = {"TransactItems": [{"Get": {"TableName": "t", "Key": _key("item-1", number)}} for number in (1, 2)]}
BATCH = {"RequestItems": {"t": {"Keys": [_key("item-1", 1), _key("item-1", 2)]}}}


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (QUERY, {"Items": [_row("item-1"), _row("item-1", 2)]}),
        (QUERY, {"Items": []}),
        (QUERY, {"Items": [{"sequenceNumber": {"N": "1"}}]}),
        (QUERY, {"Count": 4}),
        (INDEX_QUERY, {"Items": [{"eventTypeShard": {"S": "COUNTED#1"}}]}),
        (GET, {"Item": _row("item-1")}),
        (GET, {}),
        (TRANSACTION, {"Responses": [{"Item": _row("item-1", 1)}, {}]}),
        (BATCH, {"Responses": {"t": [_row("item-1", 2), _row("item-1", 1)]}}),
        (BATCH, {"Responses": {}, "UnprocessedKeys": BATCH["RequestItems"]}),
        ({"TableName": "t"}, {"Items": [_row("item-9")]}),
        ({"TableName": "t"}, {}),
    ],
)
def test_an_answer_to_what_was_asked(request_: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
    """
    Rows of the keys that were asked for are an answer, in any number and order that the call permits.
    """
    answers.check(request_, reply)


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (QUERY, {"Items": [_row("item-1"), _row("item-2", 2)]}),
        (INDEX_QUERY, {"Items": [{"eventTypeShard": {"S": "COUNTED#2"}}]}),
        (GET, {"Item": _row("item-2")}),
        (GET, {"Item": _row("item-1", 2)}),
        (GET, {"Attributes": _row("item-2")}),
        (TRANSACTION, {"Responses": [{"Item": _row("item-1", 2)}, {"Item": _row("item-1", 1)}]}),
        (BATCH, {"Responses": {"t": [_row("item-1", 1), _row("item-1", 3)]}}),
        (BATCH, {"Responses": {"t": [_row("item-2", 1)]}}),
        (BATCH, {"Responses": {"other": [_row("item-1", 1)]}}),
    ],
)
def test_an_answer_to_something_else(request_: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
    """
    One row with another key makes the whole reply somebody else's.
    """
    with pytest.raises(OutcomeLostError, match="other rows than those that were asked for"):
        answers.check(request_, reply)


class Crossed:
    """Gives some calls the reply of another caller's request.

    Args:
        inner: The client behind it.

    Attributes:
        turns: How many calls of each reading operation are still answered so.
        crossed: Those that were.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.turns = 0
        self.crossed: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation: Callable[..., Any] = getattr(self._inner, name)

        def call(**request: Any) -> Any:
            if name.startswith(("query", "get", "transact_get", "batch_get")) and self.crossed.count(name) < self.turns:
                self.crossed.append(name)
                return operation(**_of_another(request))
            return operation(**request)

        return call


def _of_another(value: Any) -> Any:
    """Return a request about the other aggregate, and about another type."""
    if isinstance(value, dict):
        return {name: _of_another(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_of_another(each) for each in value]
    if isinstance(value, str):
        return re.sub("item-[12]", _swapped, value).replace("COUNTED#", "WEIGHED#")
    return value


def _swapped(aggregate_id: re.Match[str]) -> str:
    return {"item-1": "item-2", "item-2": "item-1"}[aggregate_id[0]]


@pytest.fixture
def crossed(client: FaultyClient) -> Crossed:
    """A client over a store in which both aggregates have an event of each type."""
    store = EventStore.open(client.inner)
    for aggregate in (ITEM, OTHER):
        for version, kind in enumerate(("COUNTED", "WEIGHED")):
            store.append(aggregate, [NewEvent(kind, {"of": aggregate.id})], expected_version=version)
    return Crossed(client.inner)


READS: dict[str, tuple[Callable[[EventStore], object], object]] = {
    "load": (lambda store: [event.data["of"] for event in store.load("item-1")], ["item-1", "item-1"]),
    "backwards": (lambda store: [event.data["of"] for event in store.read("item-1", backwards=True)], ["item-1"] * 2),
    "version": (lambda store: store.current_version("item-1"), 2),
    "type": (lambda store: [event.type for event in store.read_type("COUNTED")], ["COUNTED", "COUNTED"]),
    "page": (lambda store: {event.type for event in store.read_page(ByType("COUNTED")).events}, {"COUNTED"}),
    "verify": (lambda store: [finding.kind for finding in store.verify("item-1")], []),
}


@pytest.mark.parametrize("what", READS)
def test_an_answer_of_another_is_asked_for_again(crossed: Crossed, what: str) -> None:
    """
    A read that gets another's answer asks once more, and gives its own rows.
    """
    read, expected = READS[what]
    store = EventStore.open(crossed, options=StoreOptions(read_backoff=QUICK))  # type: ignore[arg-type]
    crossed.turns = 1

    assert read(store) == expected
    assert crossed.crossed


def test_answers_of_others_alone_are_no_answer(crossed: Crossed) -> None:
    """
    When each attempt is answered with another's rows, the read fails as one that was not answered.
    """
    store = EventStore.open(crossed, options=StoreOptions(read_backoff=QUICK))  # type: ignore[arg-type]
    crossed.turns = 4

    with pytest.raises(UnreachableError, match="other rows than those that were asked for"):
        store.load("item-1")


def test_a_snapshot_of_another_aggregate_is_not_used(crossed: Crossed) -> None:
    """
    A snapshot read that gets another's row counts as unread, and the state comes from the aggregate's own events.
    """
    store = EventStore.open(crossed)  # type: ignore[arg-type]
    repository = Repository(
        store,
        aggregate_type="ITEM",
        initial=(),
        evolve=lambda state, event: (*state, event.data["of"]),
        fold_name="owners",
        snapshots=SnapshotPolicy(every_events=1),
        state_type=tuple[str, ...],
    )
    repository.load("item-2")
    crossed.turns = 1

    assert repository.load("item-1").state == ("item-1", "item-1")
    assert crossed.crossed[0] == "get_item"

"""Decisions over several aggregates: loaded each, decided once, stored together; conflicts, repeats, limits."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from eventstore import (
    AggregateRef,
    AggregateTypeError,
    Append,
    CachePolicy,
    CorruptRowError,
    Decision,
    EventStore,
    IdempotencyConflictError,
    InvalidInputError,
    LimitExceededError,
    NewEvent,
    Repository,
    RowConditionError,
    RowPut,
    WrongExpectedVersionError,
)
from eventstore.testing import InMemoryDynamoDB

from .conftest import CountingClient, Stock, changed, evolve

Fill = Callable[..., None]
States = Mapping[str, Stock]


@dataclass(frozen=True)
class Move:
    source: str
    target: str
    quantity: int


class SoldOutError(Exception):
    """The domain's own refusal."""


def move(stocks: States, command: Move) -> Any:
    if not command.quantity:
        return None
    if stocks[command.source].quantity < command.quantity:
        raise SoldOutError
    return {command.source: changed(-command.quantity), command.target: [changed(command.quantity)]}


def items_of(store: EventStore, **arguments: Any) -> Repository[Stock]:
    return Repository(store, aggregate_type="ITEM", initial=Stock(), evolve=evolve, **arguments)


def quantities(store: EventStore, *names: str) -> list[int]:
    return [items_of(store).load(name).state.quantity for name in names]


def test_a_decision_over_two_is_stored_together(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    One query each, one transaction; states before and after, versions, and one result per aggregate.
    """
    fill(5, item="a")

    done = items_of(stocks).transact_many(["a", "b"], move, Move("a", "b", 2))

    assert counting.calls == {"query": 2, "transact_write_items": 1}
    assert {name: each.state.quantity for name, each in done.before.items()} == {"a": 5, "b": 0}
    assert {name: state.quantity for name, state in done.states.items()} == {"a": 3, "b": 2}
    assert (done.versions, done.attempts, done.answer) == ({"a": 2, "b": 1}, 1, None)
    assert done.events == {"a": (changed(-2),), "b": (changed(2),)}
    assert [(name, result.version) for name, result in done.results.items()] == [("a", 2), ("b", 1)]
    assert quantities(stocks, "a", "b") == [3, 2]


def test_nothing_to_store_is_a_no_op(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    None, an empty dict, empty events: nothing is sent, and the states are as they were.
    """
    fill(5, item="a")
    for nothing in (None, {}, {"a": []}, {"a": None, "b": ()}, Decision(), Decision({"b": None}, answer="x")):
        done = items_of(stocks).transact_many(["a", "b"], lambda *_, made=nothing: made, None)
        assert (done.results, done.events, done.versions) == ({}, {}, {"a": 1, "b": 0})
        assert done.states["a"].quantity == 5
        assert done.answer == ("x" if isinstance(nothing, Decision) and nothing.answer else None)
    assert "transact_write_items" not in counting.calls


def test_a_conflict_at_either_is_decided_anew(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    All are loaded again, and the decision sees them as they are now.
    """
    fill(5, item="a")
    for number, name in enumerate(("a", "b")):
        counting.before["transact_write_items"] = lambda _, name=name: (counting.before.clear(), fill(1, item=name))
        done = items_of(stocks).transact_many(["a", "b"], move, Move("a", "b", 1))
        assert done.attempts == 2, number
    assert quantities(stocks, "a", "b") == [4, 3]


def test_what_is_only_read_must_be_as_it_was_read(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    The decision rests on it as well: a new aggregate that is none any more, and one with more events.
    """
    fill(5, item="a")
    for read in ("new", "a"):

        def decide(states: States, _: None, read: str = read) -> Any:
            return {"log": changed(states[read].quantity)}

        counting.before["transact_write_items"] = lambda _, read=read: (counting.before.clear(), fill(7, item=read))
        done = items_of(stocks).transact_many(["log", read], decide, None)
        assert (done.attempts, done.before[read].version) == (2, done.versions[read])
        assert list(done.results) == ["log"]
    assert [event.data["by"] for event in stocks.load("log")] == [7, 12]


def test_two_that_rest_on_each_other(stocks: EventStore, database: InMemoryDynamoDB, fill: Fill) -> None:
    """
    At least one doctor stays on call: both see two, each would let one go, and one of them is refused.
    """
    fill(1, item="ann")
    fill(1, item="bob")
    start, outcomes = threading.Barrier(2), []

    def leave(states: States, name: str) -> Any:
        if sum(stock.quantity for stock in states.values()) < 2:
            raise SoldOutError
        return {name: changed(-1)}

    def work(name: str) -> None:
        items = items_of(EventStore.open(database.client()))
        start.wait(timeout=10)
        try:
            outcomes.append(items.transact_many(["ann", "bob"], leave, name).versions)
        except SoldOutError as refused:
            outcomes.append(refused)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert sum(quantities(stocks, "ann", "bob")) == 1
    assert sorted(type(each).__name__ for each in outcomes) == ["SoldOutError", "dict"]


def test_attempts_are_bounded(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    Where others are quicker each time, the last conflict is raised, and says at which aggregate.
    """
    fill(5, item="a")
    counting.before["transact_write_items"] = lambda _: fill(1, item="b")

    with pytest.raises(WrongExpectedVersionError) as caught:
        items_of(stocks).transact_many(["a", "b"], move, Move("a", "b", 1), attempts_max=3)
    assert caught.value.aggregate_id == "b"
    assert counting.calls["transact_write_items"] == 3
    assert stocks.current_version("a") == 1


def test_moves_in_both_directions_lose_nothing(stocks: EventStore, database: InMemoryDynamoDB, fill: Fill) -> None:
    """
    Threads move pieces between three items at the same time: none is lost, none appears.
    """
    names = ["a", "b", "c"]
    for name in names:
        fill(20, item=name)
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        items = items_of(EventStore.open(database.client()))
        start.wait(timeout=10)
        try:
            for turn in range(6):
                source, target = names[(number + turn) % 3], names[(number + turn + 1) % 3]
                items.transact_many([target, source], move, Move(source, target, 1), attempts_max=200)
        except BaseException as failure:  # noqa: BLE001 - told to the test
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert failures == []
    assert sum(quantities(stocks, *names)) == 60
    assert sum(stocks.current_version(name) for name in names) == 3 + 2 * 24


def test_a_repeat_under_a_key_decides_nothing(stocks: EventStore, fill: Fill) -> None:
    """
    The first results, as `append_many` gives them, also where the states have moved on.
    """
    fill(5, item="a")
    first = items_of(stocks).transact_many(["a", "b"], move, Move("a", "b", 5), idempotency_key="k")
    fill(1, item="b")

    again = items_of(stocks).transact_many(["a", "b"], move, Move("a", "b", 5), idempotency_key="k")

    assert {name: result.commit_id for name, result in again.results.items()} == {
        name: result.commit_id for name, result in first.results.items()
    }
    assert all(result.already_stored for result in again.results.values())
    assert (again.versions, again.attempts, again.events) == ({"a": 2, "b": 1}, 0, {})
    assert again.states["b"].quantity == 6, "the state now"
    assert quantities(stocks, "a", "b") == [0, 6]


def test_a_repeat_of_a_decision_about_some(stocks: EventStore, fill: Fill) -> None:
    """
    An aggregate to which nothing happened the first time has no result the second time, and gets nothing.
    """
    fill(5, item="b")
    both: list[Any] = [{"b": changed(-1)}, {"a": changed(1), "b": changed(-2)}]
    items = items_of(stocks)
    for made in both:
        done = items.transact_many(["a", "b"], lambda *_, made=made: made, "c", idempotency_key="k")
        assert list(done.results) == ["b"]
    assert quantities(stocks, "a", "b") == [0, 4]


def test_the_same_command_that_decides_about_others(
    stocks: EventStore, database: InMemoryDynamoDB, counting: CountingClient, fill: Fill
) -> None:
    """
    The quicker one decided about "a", the slower one about "b" alone, where no key is in its way: stored once.
    """
    fill(5, item="a")
    quick = items_of(EventStore.open(database.client()))

    def decide(name: str) -> Any:
        return lambda *_: {name: changed(-1)}

    def overtake(_: Any) -> None:
        counting.before.clear()
        quick.transact_many(["a", "b"], decide("a"), "c", idempotency_key="k")

    counting.before["transact_write_items"] = overtake
    slow = items_of(stocks).transact_many(["a", "b"], decide("b"), "c", idempotency_key="k", attempts_max=1)

    assert list(slow.results) == ["a"]
    assert (slow.results["a"].already_stored, slow.events, slow.attempts) == (True, {}, 1)
    assert slow.states["a"].quantity == 4
    assert quantities(stocks, "a", "b") == [4, 0]


@pytest.mark.parametrize("quicker", [{"a": [changed(-1)]}, {"a": changed(-2)}, {"a": changed(-2), "b": changed(2)}])
def test_two_at_once_under_one_key_are_stored_once(
    stocks: EventStore, database: InMemoryDynamoDB, counting: CountingClient, fill: Fill, quicker: Any
) -> None:
    """
    The slower one gets the quicker one's result, whether both have decided the same or not.
    """
    fill(5, item="a")
    quick = items_of(EventStore.open(database.client()))
    stored: list[Any] = []

    def overtake(_: Any) -> None:
        counting.before.clear()
        stored.append(quick.transact_many(["a", "b"], lambda *_: quicker, "c", idempotency_key="k"))

    counting.before["transact_write_items"] = overtake
    slow = items_of(stocks).transact_many(
        ["a", "b"], lambda *_: {"a": changed(-2), "b": changed(2)}, "c", idempotency_key="k"
    )

    assert {name: each.commit_id for name, each in slow.results.items()} == {
        name: each.commit_id for name, each in stored[0].results.items()
    }
    assert slow.states == {name: items_of(stocks).load(name).state for name in ("a", "b")}
    assert stocks.current_version("a") == 2


def test_another_command_or_other_aggregates_are_refused(stocks: EventStore, fill: Fill) -> None:
    """
    A key stands for the command and for the aggregates in their order; the caller's own fingerprint in place of both.
    """
    fill(5, item="a")
    items = items_of(stocks)
    items.transact_many(["a", "b"], move, Move("a", "b", 1), idempotency_key="k")
    for names, command in (
        (["a", "b"], Move("a", "b", 2)),
        (["b", "a"], Move("a", "b", 1)),
        (["a", "b", "c"], Move("a", "b", 1)),
    ):
        with pytest.raises(IdempotencyConflictError, match="another command"):
            items.transact_many(names, move, command, idempotency_key="k")
    with pytest.raises(IdempotencyConflictError, match="another command"):
        items.transact("a", lambda *_: changed(1), Move("a", "b", 1), idempotency_key="k")

    items.transact_many(["a"], lambda *_: {"a": changed(1)}, 1, idempotency_key="m", command_fingerprint="message 7")
    again = items.transact_many(["a", "c"], move, 2, idempotency_key="m", command_fingerprint="message 7")
    assert list(again.results) == ["a"]
    assert quantities(stocks, "a", "b") == [5, 1]


def test_a_key_that_appends_have_used_says_nothing_of_commands(stocks: EventStore) -> None:
    """
    Their events decide, as in `append_many`: the same are a repeat, others and parts are refused.
    """
    appends = [Append(AggregateRef("ITEM", name), [changed(by)], 0, "k") for name, by in (("a", 1), ("b", 2))]
    first = stocks.append_many(appends)
    items = items_of(stocks)

    same = items.transact_many(["a", "b"], lambda *_: {"a": changed(1), "b": changed(2)}, "c", idempotency_key="k")
    assert [each.commit_id for each in same.results.values()] == [each.commit_id for each in first]
    assert same.states["b"].quantity == 2
    for made in ({"a": changed(1), "b": changed(3)}, {"a": changed(1), "c": changed(2)}):
        with pytest.raises(IdempotencyConflictError):
            items.transact_many([*made, "x"], lambda *_, made=made: made, "c", idempotency_key="k")


def test_a_key_without_its_events_is_corrupt(stocks: EventStore, database: InMemoryDynamoDB) -> None:
    """
    Of any of the aggregates.
    """
    items = items_of(stocks)
    items.transact_many(["a", "b"], lambda *_: {"a": changed(1), "b": changed(2)}, "c", idempotency_key="k")
    for table in ("inventory_events", "inventory_outbox"):
        database.client().delete_item(TableName=table, Key={"aggregateId": {"S": "b"}, "sequenceNumber": {"N": "1"}})

    with pytest.raises(CorruptRowError, match="not stored up to event 1"):
        items.transact_many(["a", "b"], lambda *_: {}, "c", idempotency_key="k")


def test_a_lost_reply_is_asked_again(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    Also where what is only read has moved on since: the commits are stored, and known by their ids.
    """
    fill(5, item="a")
    inner = counting.inner
    tokens = iter(("first", "second"))

    class Losing:
        def transact_write_items(self, **request: Any) -> Any:
            sent_as = next(tokens)
            inner.transact_write_items(**{**request, "ClientRequestToken": sent_as})
            if sent_as == "first":
                fill(1, item="b")
                raise ReadTimeoutError(endpoint_url="lost")

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    counting.inner = Losing()
    done = items_of(stocks).transact_many(["a", "b"], lambda *_: {"a": changed(-1)}, None)

    assert (done.attempts, done.results["a"].already_stored, done.states["a"].quantity) == (1, True, 4)


def test_rows_and_answers(stocks: EventStore, database: InMemoryDynamoDB, fill: Fill) -> None:
    """
    Rows of other tables go along with all; the answer is that of the decision that was stored.
    """
    database.client().create_table(
        TableName="labels",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    fill(5, item="a")
    row = RowPut("labels", {"id": "m-1"}, "attribute_not_exists(id)")

    def decide(stocks: States, command: Move) -> Decision:
        return Decision(move(stocks, command), answer=stocks["a"].quantity, also=[row])

    items = items_of(stocks)
    assert items.transact_many(["a", "b"], decide, Move("a", "b", 1)).answer == 5
    with pytest.raises(RowConditionError) as caught:
        items.transact_many(["a", "b"], decide, Move("a", "b", 1))
    assert caught.value.field == "also[0]"
    with pytest.raises(InvalidInputError, match="also: is decided without events"):
        items.transact_many(["a", "b"], decide, Move("a", "b", 0))
    assert quantities(stocks, "a", "b") == [4, 1]


def test_what_the_domain_refuses_reaches_the_caller(stocks: EventStore, counting: CountingClient) -> None:
    """
    As it is; nothing is stored.
    """
    with pytest.raises(SoldOutError):
        items_of(stocks).transact_many(["a", "b"], move, Move("a", "b", 1))
    assert "transact_write_items" not in counting.calls


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ([changed(1)], "returned a list; of several aggregates return a dict"),
        (changed(1), "returned a NewEvent"),
        (Decision([changed(1)]), "returned a list"),
        ({"c": changed(1)}, "returned events of 'c', which is not among aggregate_ids"),
        ({"a": Decision()}, "a Decision inside of a Decision"),
        ({"a": "RESERVED"}, r"decided\['a'\].events\[0\]: is a str"),
        ({"a": changed(1), "b": [NewEvent("X", {"at": object()})]}, r"decided\['b'\].events\[0\].data.at"),
        ({"a": [changed(1)] * 99}, r"decided\['a'\].events: 99 events, at most 98"),
    ],
)
def test_what_cannot_be_stored_is_named(stocks: EventStore, counting: CountingClient, made: Any, says: str) -> None:
    """
    Whose event it is; nothing is sent.
    """
    with pytest.raises(InvalidInputError, match=says):
        items_of(stocks).transact_many(["a", "b"], lambda *_: made, None)
    assert "transact_write_items" not in counting.calls


@pytest.mark.parametrize(
    ("names", "field"),
    [
        ("ab", "aggregate_ids"),
        ({"a", "b"}, "aggregate_ids"),
        ([], "aggregate_ids"),
        (["a", ""], "aggregate_ids[1]"),
        (["a", 7], "aggregate_ids[1]"),
        (["a", "b", "a"], "aggregate_ids[2]"),
        ([str(number) for number in range(100)], "aggregate_ids"),
    ],
)
def test_bad_aggregates_are_named(stocks: EventStore, counting: CountingClient, names: Any, field: str) -> None:
    """
    Nothing is asked.
    """
    with pytest.raises(InvalidInputError) as caught:
        items_of(stocks).transact_many(names, move, None)
    assert caught.value.field == field
    assert not counting.calls


def test_99_have_room_and_the_transaction_a_limit(stocks: EventStore, counting: CountingClient) -> None:
    """
    A new one with its outbox row, and 98 that are read; one more event is one action too many.
    """
    names = [str(number) for number in range(99)]
    items = items_of(stocks)

    assert items.transact_many(names, lambda *_: {"7": changed(1)}, None).versions["7"] == 1
    with pytest.raises(LimitExceededError) as caught:
        items.transact_many(names, lambda *_: {"8": [changed(1)] * 2}, None)
    assert (caught.value.field, caught.value.actual, caught.value.unit) == ("decided", 101, "actions")


def test_another_type_is_refused(stocks: EventStore) -> None:
    """
    Before anything is decided.
    """
    stocks.append(AggregateRef("ORDER", "b"), [changed(1)], expected_version=0)

    with pytest.raises(AggregateTypeError):
        items_of(stocks).transact_many(["a", "b"], move, Move("a", "b", 1))


def test_a_state_from_a_store_that_was_replaced_is_dropped(
    stocks: EventStore, database: InMemoryDynamoDB, fill: Fill
) -> None:
    """
    Memory knows events that exist no more: the conflict shows it, and the events decide.
    """
    fill(5, item="a")
    for _ in range(2):
        fill(5, item="b")
    items = items_of(stocks, cache=CachePolicy(max_staleness_seconds=60))
    items.load("a")
    items.load("b")
    for table in ("inventory_events", "inventory_outbox"):
        key = {"aggregateId": {"S": "b"}, "sequenceNumber": {"N": "2"}}
        database.client().delete_item(TableName=table, Key=key)

    done = items.transact_many(["a", "b"], move, Move("a", "b", 1))

    assert (done.before["b"].state.quantity, done.attempts) == (5, 2)

"""What a decision may return, what goes along with it, and what the caller gets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import pytest

from eventstore import (
    AggregateRef,
    CachePolicy,
    Decision,
    EventStore,
    EventTypes,
    InvalidInputError,
    JsonText,
    NewEvent,
    NotJsonError,
    Projection,
    RecordedEvent,
    Repository,
    RowConditionError,
    RowPut,
    SnapshotPolicy,
    WrongExpectedVersionError,
)
from eventstore.testing import InMemoryDynamoDB

from .conftest import CountingClient, SteppedRuntime, Stock, changed, evolve

Fill = Callable[..., None]

types = EventTypes()


@types.register("TAKEN")
@dataclass(frozen=True)
class Taken:
    number: int


@types.register("NAMED")
class Named(pydantic.BaseModel):
    name: str


@types.register("MOVED")
class Moved(msgspec.Struct):
    to: str


def items_of(store: EventStore, **arguments: Any) -> Repository[Stock]:
    return Repository(store, aggregate_type="ITEM", initial=Stock(), evolve=evolve, **arguments)


def generated() -> Iterator[NewEvent]:
    yield changed(1)
    yield changed(2)


@pytest.mark.parametrize(
    ("made", "amounts"),
    [
        (lambda: None, []),
        (list, []),
        (tuple, []),
        (Decision, []),
        (lambda: Decision(None), []),
        (lambda: changed(1), [1]),
        (lambda: [changed(1), changed(2)], [1, 2]),
        (lambda: (changed(1),), [1]),
        (generated, [1, 2]),
        ({1: changed(1)}.values, [1]),
        (lambda: NewEvent.of(NewEvent("X", {})), None),
        (lambda: Decision(changed(1)), [1]),
        (lambda: Decision([changed(1), changed(2)]), [1, 2]),
        (lambda: Decision(generated()), [1, 2]),
    ],
)
def test_events_in_every_form(stocks: EventStore, made: Callable[[], Any], amounts: list[int] | None) -> None:
    """
    A sequence, a generator, one event, None.
    """
    items = items_of(stocks)
    if amounts is None:
        with pytest.raises(InvalidInputError, match=r"events\[0\]"):
            items.transact("item-1", lambda *_: made(), None)
        return
    done = items.transact("item-1", lambda *_: made(), None)
    assert [event.data["by"] for event in done.events] == amounts
    assert [event.data["by"] for event in stocks.load("item-1")] == amounts


@pytest.mark.parametrize("one", [Taken(1), Named(name="a"), Moved("b"), NewEvent.of(Taken(2))])
@pytest.mark.parametrize("is_list", [True, False])
def test_one_object_of_a_registered_class(database: InMemoryDynamoDB, one: Any, is_list: bool) -> None:  # noqa: FBT001
    """
    Alone or in a list; a pydantic model, which can be iterated over, is one event as well.
    """
    store = EventStore.open(database.client(), events=types)
    repository = Repository(
        store, aggregate_type="ITEM", initial=(), evolve=lambda state, event: (*state, event.payload)
    )

    done = repository.transact("item-1", lambda *_: [one] if is_list else one, None, metadata={"user": "u"})

    assert done.events == (one,)
    assert done.state == (getattr(one, "payload", one),)
    assert repository.load("item-1").state == done.state
    assert store.load("item-1")[0].metadata == {"user": "u"}


async def in_vain(*_: Any) -> list[Any]:
    return []


async def in_pieces(*_: Any) -> Any:
    yield changed(1)


@pytest.mark.parametrize(
    ("decide", "says"),
    [
        (in_vain, "decide: returned a coroutine; it is a plain function"),
        (in_pieces, "decide: returned a async_generator"),
        (lambda *_: Decision(Decision()), "a Decision inside of a Decision"),
        (lambda *_: "RESERVED", r"events\[0\]: is a str"),
        (lambda *_: {"type": "X"}, r"events\[0\]: is a dict"),
        (lambda *_: True, r"events\[0\]: is a bool"),
        (lambda *_: 7, r"events\[0\]: is a int"),
        (lambda *_: [None], r"events\[0\]: is a NoneType"),
        (lambda *_: Decision(also=[RowPut("emails", {"a": 1})]), "also: is decided without events"),
        (lambda *_: Decision(changed(1), also=RowPut("emails", {"a": 1})), "also: is a RowPut; give a list"),
        (lambda *_: [changed(1)] * 99, "events: 99 events, at most 98"),
    ],
)
def test_what_is_no_decision_is_named(stocks: EventStore, counting: CountingClient, decide: Any, says: str) -> None:
    """
    Nothing is sent, and nothing is left that was never awaited.
    """
    with pytest.raises(InvalidInputError, match=says):
        items_of(stocks).transact("item-1", decide, None)
    assert "transact_write_items" not in counting.calls


def test_an_answer_is_the_callers(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    Of the decision that was stored, and of a no-op; a repeat under a key has none, since it decides nothing.
    """
    fill(5)
    counting.before["transact_write_items"] = lambda _: (counting.before.clear(), fill(2))
    items = items_of(stocks)

    def decide(stock: Stock, by: int) -> Decision:
        return Decision(changed(by) if by else None, answer=f"there were {stock.quantity}")

    assert items.transact("item-1", decide, 1, idempotency_key="k").answer == "there were 7"
    assert items.transact("item-1", decide, 1, idempotency_key="k").answer is None
    assert items.transact("item-1", decide, 0).answer == "there were 8"
    assert items.transact("item-1", lambda *_: [changed(1)], 0).answer is None


def test_the_state_after_it(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    Without a further read; it is what a load gives, numbers and times of the events included.
    """
    fill(5)
    items = items_of(stocks)
    done = items.transact("item-1", lambda *_: [changed(1), changed(2)], None)

    assert (done.before.state.quantity, done.state) == (5, Stock(8, (1, 2, 3)))
    assert counting.calls == {"query": 1, "transact_write_items": 1}
    assert items_of(stocks).load("item-1").state == done.state
    assert items.transact("item-1", lambda *_: None, None).state == done.state


def test_the_state_of_a_repeat_is_that_of_now(stocks: EventStore, database: InMemoryDynamoDB, fill: Fill) -> None:
    """
    Seen at once, or at the append of the same events.
    """
    items = items_of(stocks)
    items.transact("item-1", lambda *_: changed(1), "c", idempotency_key="k")
    fill(5)

    again = items.transact("item-1", lambda *_: changed(1), "c", idempotency_key="k")
    assert (again.state.quantity, again.before.state.quantity, again.version) == (6, 6, 1)
    stocks.append(AggregateRef("ITEM", "item-2"), [changed(3)], expected_version=0, idempotency_key="k")
    fill(4, item="item-2")
    same = items.transact("item-2", lambda *_: changed(3), "c", idempotency_key="k")
    assert (same.state.quantity, same.version, same.events) == (7, 1, (changed(3),))


def test_states_that_can_be_changed_are_nobody_elses(stocks: EventStore, fill: Fill) -> None:
    """
    A decision that works on the state, and a fold that changes it, leave `before` and memory as they were.
    """
    fill(5)

    def add(state: dict[str, int], event: RecordedEvent) -> dict[str, int]:
        state["quantity"] = state.get("quantity", 0) + event.data["by"]
        return state

    def decide(state: dict[str, int], by: int) -> NewEvent:
        state["quantity"] -= by
        return changed(-by)

    items: Repository[dict[str, int]] = Repository(stocks, aggregate_type="ITEM", initial=dict, evolve=add)
    done = items.transact("item-1", decide, 2)
    done.state["quantity"] = 100

    assert done.before.state == {"quantity": 5}
    assert items.load("item-1").state == {"quantity": 3}
    assert items.transact("item-1", decide, 1).state == {"quantity": 2}


def test_what_cannot_be_folded_is_never_stored(stocks: EventStore, counting: CountingClient) -> None:
    """
    It would make the aggregate unreadable until a release; the fold's own error says what is wrong.
    """
    with pytest.raises(KeyError, match="by"):
        items_of(stocks).transact("item-1", lambda *_: NewEvent("CHANGED", {"of": 1}), None)
    assert stocks.current_version("item-1") == 0
    assert "transact_write_items" not in counting.calls


def test_memory_has_what_was_just_stored(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    Within the staleness bound a caller reads its own writes; the next load reads no event again.
    """
    fill(5)
    items = items_of(stocks, cache=CachePolicy(max_staleness_seconds=60))
    for by in (1, 2):
        items.transact("item-1", lambda _, by: changed(by), by)
    items.transact("new", lambda *_: changed(1), None)
    counting.calls.clear()

    assert items.load("item-1").state.quantity == 8
    assert items.load("new").state.quantity == 1
    assert not counting.calls
    fill(1)
    newest = items.load("item-1", max_staleness_seconds=0)
    assert (newest.state.quantity, newest.events_read) == (9, 1)


def test_memory_keeps_its_size_and_what_is_newer(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    A state that another thread has brought further stays; a size of 0 keeps nothing.
    """
    fill(5)
    items, none = items_of(stocks), items_of(stocks, cache=CachePolicy(size=0))
    one = items_of(stocks, cache=CachePolicy(size=1, max_staleness_seconds=60))

    def overtake(_: Any) -> None:
        counting.before.clear()
        fill(1, item="item-1")
        items.load("item-1")

    counting.before["transact_write_items"] = overtake
    with pytest.raises(WrongExpectedVersionError):
        items.transact("item-1", lambda *_: changed(1), None, attempts_max=1)
    assert items.load("item-1").events_read == 0

    assert none.transact("item-1", lambda *_: changed(1), None).state.quantity == 7
    assert none.load("item-1").origin == "events"
    one.transact("a", lambda *_: changed(1), None)
    one.transact("b", lambda *_: changed(1), None)
    assert (one.load("b").origin, one.load("a").origin) == ("cache", "events")


def test_snapshots_are_written_as_before(stocks: EventStore, counting: CountingClient) -> None:
    """
    The load that finds one due writes it, also where memory has got the events without a load.
    """
    items = items_of(stocks, snapshots=SnapshotPolicy.every(2))
    for by in (1, 2, 3, 4):
        items.transact("item-1", lambda _, by: changed(by), by)
    assert items.load("item-1").state.quantity == 10
    assert counting.calls["put_item"] == 2
    assert items_of(stocks, snapshots=SnapshotPolicy.every(2)).load("item-1").origin == "snapshot"


def test_metadata_goes_to_every_event(stocks: EventStore) -> None:
    """
    What an event says itself stays; digits of metadata given as text are kept; what was decided is shown as decided.
    """
    own = NewEvent("CHANGED", {"by": 1}, {"user": "ann", "mine": 1})
    text = NewEvent("CHANGED", {"by": 1}, JsonText('{"price": 12.50, "user": "bob"}'))
    plain = changed(1)

    done = items_of(stocks).transact(
        "item-1", lambda *_: [own, text, plain], None, metadata={"user": "me", "correlation_id": "c-7"}
    )
    items_of(stocks).transact("item-1", lambda *_: [own, plain], None, metadata=JsonText('{"at": 1.50}'))

    events = stocks.load("item-1")
    assert [event.metadata for event in events] == [
        {"user": "ann", "mine": 1, "correlation_id": "c-7"},
        {"user": "bob", "price": 12.5, "correlation_id": "c-7"},
        {"user": "me", "correlation_id": "c-7"},
        {"user": "ann", "mine": 1, "at": 1.5},
        {"at": 1.5},
    ]
    assert '"price":12.50' in events[1].metadata_json
    assert '"at":1.50' in events[3].metadata_json
    assert events[4].metadata_json == '{"at": 1.50}'
    assert done.events == (own, text, plain)


def test_metadata_is_no_part_of_what_a_key_stands_for(stocks: EventStore) -> None:
    """
    Each delivery has another trace; a repeat is a repeat.
    """
    items = items_of(stocks)
    for trace in ("1", "2"):
        done = items.transact("item-1", lambda *_: changed(1), "c", idempotency_key="k", metadata={"trace": trace})
    assert done.result is not None
    assert done.result.already_stored


@pytest.mark.parametrize(
    ("argument", "field"),
    [
        ({"metadata": {"at": object()}}, "metadata.at"),
        ({"metadata": ["a"]}, "metadata"),
        ({"metadata": "a"}, "metadata"),
        ({"max_staleness_seconds": -1}, "max_staleness_seconds"),
        ({"max_staleness_seconds": float("nan")}, "max_staleness_seconds"),
        ({"max_staleness_seconds": "1"}, "max_staleness_seconds"),
        ({"attempts_max": 0}, "attempts_max"),
        ({"command_fingerprint": "x"}, "command_fingerprint"),
        ({"idempotency_key": ""}, "idempotency_key"),
    ],
)
@pytest.mark.parametrize("is_many", [True, False])
def test_bad_arguments_are_named(
    stocks: EventStore,
    counting: CountingClient,
    argument: dict[str, Any],
    field: str,
    is_many: bool,  # noqa: FBT001
) -> None:
    """
    Before anything is asked, also where nothing would be stored.
    """
    items: Any = items_of(stocks)
    transact, named = (items.transact_many, ["item-1"]) if is_many else (items.transact, "item-1")
    with pytest.raises(InvalidInputError) as caught:
        transact(named, lambda *_: None, None, **argument)
    assert caught.value.field == field
    assert not counting.calls


def test_metadata_of_an_event_that_is_no_json_is_the_events(stocks: EventStore) -> None:
    """
    The path leads to it, also where it would become text.
    """
    bad = NewEvent("CHANGED", {"by": 1}, {"at": object()})
    for metadata in ({"a": 1}, JsonText('{"a": 1}')):
        with pytest.raises(NotJsonError) as caught:
            items_of(stocks).transact("item-1", lambda *_: [bad], None, metadata=metadata)
        assert caught.value.field == "events[0].metadata.at"
    with pytest.raises(InvalidInputError, match=r"events\[0\].metadata: is a NoneType"):
        items_of(stocks).transact("item-1", lambda *_: NewEvent("X", {"by": 1}, None), None, metadata={"a": 1})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["repository", "projection"])
def test_how_old_a_state_may_be_is_said_per_call(
    stocks: EventStore, counting: CountingClient, runtime: SteppedRuntime, fill: Fill, kind: str
) -> None:
    """
    Fresh where the policy allows old ones, and old where it does not.
    """

    def loads(bound: float) -> Any:
        cache = CachePolicy(max_staleness_seconds=bound)
        if kind == "repository":
            return items_of(stocks, cache=cache)
        return Projection(stocks, "stock", initial=Stock(), evolve=evolve, cache=cache)

    fill(5)
    lax, strict = loads(60), loads(0)
    for view in (lax, strict):
        view.load("item-1")
    fill(1)
    runtime.seconds += 5

    assert lax.load("item-1").state.quantity == 5
    assert lax.load("item-1", max_staleness_seconds=4).state.quantity == 6
    assert strict.load("item-1", max_staleness_seconds=6).state.quantity == 5
    assert strict.load("item-1").state.quantity == 6
    with pytest.raises(InvalidInputError, match="max_staleness_seconds"):
        lax.load("item-1", as_of_sequence=1, max_staleness_seconds=0)
    with pytest.raises(InvalidInputError, match="max_staleness_seconds"):
        lax.load("item-1", max_staleness_seconds=-1)


def test_a_decision_on_a_fresh_or_an_old_state(stocks: EventStore, fill: Fill) -> None:
    """
    For one call; after a conflict the newest state is loaded in any case.
    """
    fill(5)
    items = items_of(stocks, cache=CachePolicy(max_staleness_seconds=60))
    items.load("item-1")
    fill(1)
    seen: list[int] = []

    def decide(stock: Stock, by: int) -> Any:
        seen.append(stock.quantity)
        return changed(by) if by else None

    items.transact("item-1", decide, 0)
    items.transact("item-1", decide, 0, max_staleness_seconds=0)
    fill(1)
    items.transact("item-1", decide, 2, max_staleness_seconds=1000)

    assert seen == [5, 6, 6, 7]


def test_rows_go_along_with_a_decision(stocks: EventStore, database: InMemoryDynamoDB) -> None:
    """
    A refused one reaches the caller, and is not decided again; a repeat is answered though the row is there.
    """
    database.client().create_table(
        TableName="emails",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "email", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "email", "KeyType": "HASH"}],
    )
    row = RowPut("emails", {"email": "a"}, "attribute_not_exists(email)", return_row=True)
    items, decisions = items_of(stocks), []

    def decide(_: Stock, by: int) -> Decision:
        decisions.append(by)
        return Decision(changed(by), also=[row])

    first = items.transact("item-1", decide, 1, idempotency_key="k")
    assert items.transact("item-1", decide, 1, idempotency_key="k").version == first.version
    with pytest.raises(RowConditionError) as caught:
        items.transact("item-2", decide, 2)

    assert caught.value.row == {"email": "a"}
    assert decisions == [1, 2]
    assert stocks.current_version("item-2") == 0

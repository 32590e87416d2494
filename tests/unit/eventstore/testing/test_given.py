"""Examples of deciders and projections: what passes, what fails, and what a failure shows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import pytest

from eventstore import (
    AggregateRef,
    CorruptRowError,
    Decision,
    EventTypes,
    InvalidInputError,
    NewEvent,
    RecordedEvent,
    RowPut,
)
from eventstore.testing import DeciderSpec, ProjectionSpec, history, recorded


class SoldOutError(Exception):
    pass


@dataclass(frozen=True)
class Stock:
    quantity: int = 0
    reserved: tuple[str, ...] = ()


def evolve(stock: Stock, event: RecordedEvent) -> Stock:
    match event.type:
        case "RECEIVED":
            return Stock(stock.quantity + event.data["quantity"], stock.reserved)
        case "RESERVED":
            return Stock(stock.quantity - event.data["quantity"], (*stock.reserved, event.data["order"]))
    return stock


def reserve(stock: Stock, quantity: int) -> Sequence[NewEvent]:
    if not quantity:
        return []
    if stock.quantity < quantity:
        raise SoldOutError(f"{stock.quantity} left")
    return [reserved(quantity)]


def received(quantity: int) -> NewEvent:
    return NewEvent("RECEIVED", {"quantity": quantity})


def reserved(quantity: int, order: str = "order-7") -> NewEvent:
    return NewEvent("RESERVED", {"quantity": quantity, "order": order})


ITEMS = DeciderSpec(initial=Stock(), evolve=evolve, decide=reserve)


def test_examples_that_hold_pass() -> None:
    """
    Events, no-ops, errors and states, one after the other.
    """
    ITEMS.given(received(10)).when(3).then(reserved(3)).then_state(Stock(7, ("order-7",)))
    ITEMS.given(received(10)).when(0).then_nothing().then_state(Stock(10))
    ITEMS.given(received(2), reserved(2)).then_state(Stock(0, ("order-7",)))
    ITEMS.given().then_state(Stock())
    error = ITEMS.given(received(2)).when(3).then_raises(SoldOutError, match="2 left")
    assert isinstance(error, SoldOutError)


def test_a_decision_can_be_named_with_the_command() -> None:
    """
    Where an aggregate has several; without any it is refused.
    """
    items: DeciderSpec[Stock, int] = DeciderSpec(initial=Stock(), evolve=evolve)
    items.given().when(4, lambda _, number: [received(number)]).then(received(4))
    with pytest.raises(InvalidInputError, match="decide"):
        items.given().when(4)


def test_other_events_are_shown_line_by_line() -> None:
    """
    What was expected and did not come has a `-`, what came instead a `+`, what is alike neither.
    """
    with pytest.raises(AssertionError) as failure:
        ITEMS.given(received(10)).when(3).then(reserved(4), received(1))
    assert str(failure.value).splitlines() == [
        "other events were decided (- expected, + decided):",
        "  RESERVED (schema version 1)",
        '    "data": {',
        '      "order": "order-7",',
        '-     "quantity": 4',
        '+     "quantity": 3',
        "    }",
        "- RECEIVED (schema version 1)",
        '-   "data": {',
        '-     "quantity": 1',
        "-   }",
    ]


def test_a_no_op_is_not_events() -> None:
    """
    Neither way round.
    """
    with pytest.raises(AssertionError, match=r"\+ RESERVED"):
        ITEMS.given(received(10)).when(3).then_nothing()
    with pytest.raises(AssertionError, match="- RESERVED"):
        ITEMS.given(received(10)).when(0).then(reserved(3))


@pytest.mark.parametrize(
    ("expected", "decided"),
    [
        ({"n": 1}, {"n": 1.0}),
        ({"n": 1}, {"n": True}),
        ({"n": "1"}, {"n": 1}),
        ({"n": None}, {}),
        ({"n": 2**60}, {"n": 2**60 + 1}),
    ],
)
def test_payloads_are_compared_as_json(expected: dict[str, Any], decided: dict[str, Any]) -> None:
    """
    What is another text in the store is another payload, though Python may call it equal; key order is nothing.
    """
    spec = DeciderSpec(initial=0, evolve=lambda n, _: n, decide=lambda _, data: [NewEvent("MADE", data)])
    with pytest.raises(AssertionError, match="MADE"):
        spec.given().when(decided).then(NewEvent("MADE", expected))
    spec.given().when({"a": 1, "b": 2}).then(NewEvent("MADE", {"b": 2, "a": 1}))


def test_schema_versions_count() -> None:
    """
    The same payload at another version is another event.
    """
    spec = DeciderSpec(initial=0, evolve=lambda n, _: n, decide=lambda _, v: [NewEvent("MADE", {}, schema_version=v)])
    spec.given().when(2).then(NewEvent("MADE", {}, schema_version=2))
    with pytest.raises(AssertionError, match=r"- MADE \(schema version 1\)\n\+ MADE \(schema version 2\)"):
        spec.given().when(2).then(NewEvent("MADE", {}))


def test_metadata_and_times_count_where_they_are_expected() -> None:
    """
    An expected event without them says nothing about them.
    """

    def decide(_: int, user: str) -> list[NewEvent]:
        return [NewEvent("MADE", {}, {"user": user}, timestamp_ms=5)]

    spec = DeciderSpec(initial=0, evolve=lambda n, _: n, decide=decide)
    spec.given().when("ann").then(NewEvent("MADE", {}))
    spec.given().when("ann").then(NewEvent("MADE", {}, {"user": "ann"}, timestamp_ms=5))
    with pytest.raises(AssertionError, match='-     "user": "bob"\n'):
        spec.given().when("ann").then(NewEvent("MADE", {}, {"user": "bob"}))
    with pytest.raises(AssertionError, match='-   "timestamp_ms": 6'):
        spec.given().when("ann").then(NewEvent("MADE", {}, timestamp_ms=6))


def test_an_error_that_was_not_expected_is_named_and_chained() -> None:
    """
    Whoever expected events or a state sees what was raised, with its own traceback.
    """
    decided = ITEMS.given(received(2)).when(3)
    for expect in (lambda: decided.then(reserved(3)), decided.then_nothing, lambda: decided.then_state(Stock())):
        with pytest.raises(AssertionError, match="the decision raised SoldOutError: 2 left") as failure:
            expect()
        assert isinstance(failure.value.__cause__, SoldOutError)


def test_an_error_that_was_expected_and_did_not_come() -> None:
    """
    The failure says what came instead: events, nothing, another error, another text.
    """
    with pytest.raises(AssertionError, match=r"SoldOutError was expected, and this was decided:\nRESERVED"):
        ITEMS.given(received(10)).when(3).then_raises(SoldOutError)
    with pytest.raises(AssertionError, match="no events"):
        ITEMS.given(received(10)).when(0).then_raises(SoldOutError)
    with pytest.raises(AssertionError, match="KeyError was expected, not SoldOutError"):
        ITEMS.given(received(2)).when(3).then_raises(KeyError)
    with pytest.raises(AssertionError, match="does not hold 'nothing left'"):
        ITEMS.given(received(2)).when(3).then_raises(SoldOutError, match="nothing left")


def test_a_decision_returns_what_a_repository_takes() -> None:
    """
    None is a no-op, and one event is one; anything else is said, not taken for one of them.
    """
    spec: DeciderSpec[int, Any] = DeciderSpec(initial=0, evolve=lambda n, _: n, decide=lambda _, command: command)
    spec.given().when(None).then_nothing()
    spec.given().when(reserved(1)).then(reserved(1))
    spec.given().when(iter([reserved(1)])).then(reserved(1))
    for wrong in ("RESERVED", {"type": "RESERVED"}, ["RESERVED"], Decision(Decision())):
        with pytest.raises(AssertionError, match="the decision returned"):
            spec.given().when(wrong)


def test_answers_and_rows_of_a_decision() -> None:
    """
    They are compared as the events are; without a `Decision` there are none.
    """
    row = RowPut("emails", {"email": "a"}, "attribute_not_exists(email)")
    spec: DeciderSpec[int, Any] = DeciderSpec(initial=0, evolve=lambda n, _: n, decide=lambda _, command: command)
    decided = spec.given().when(Decision([reserved(1)], answer=7, also=[row]))

    decided.then(reserved(1)).then_answer(7).then_also(row)
    spec.given().when([reserved(1)]).then_answer(None).then_also()
    with pytest.raises(AssertionError, match="the answer is 7, not 8"):
        decided.then_answer(8)
    with pytest.raises(AssertionError, match=r"\+ RowPut"):
        decided.then_also()
    with pytest.raises(AssertionError, match="- RowPut"):
        spec.given().when([reserved(1)]).then_also(row)
    with pytest.raises(AssertionError, match="SoldOutError"):
        ITEMS.given(received(2)).when(3).then_answer(None)


def test_what_no_store_would_take_is_refused() -> None:
    """
    Given, expected or decided.
    """
    bad = NewEvent("RECEIVED", {"at": object()})
    spec: DeciderSpec[int, Any] = DeciderSpec(initial=0, evolve=lambda n, _: n, decide=lambda _, event: [event])
    with pytest.raises(InvalidInputError, match=r"events\[0\]"):
        spec.given(bad)
    with pytest.raises(InvalidInputError, match="type"):
        spec.given().when(NewEvent("not a name", {})).then(received(1))
    with pytest.raises(CorruptRowError, match="missing"):
        spec.given(recorded(received(1), sequence_number=2))


def test_states_that_can_be_changed_stay_with_the_example() -> None:
    """
    What a decision does to the state it is given changes nothing behind its back.
    """

    def decide(state: list[str], command: str) -> list[NewEvent]:
        state.append("changed by the decision")
        return [NewEvent("MADE", {"name": command})]

    def add(state: list[str], event: RecordedEvent) -> list[str]:
        state.append(event.data["name"])
        return state

    spec: DeciderSpec[list[str], str] = DeciderSpec(initial=list, evolve=add, decide=decide)
    given = spec.given(NewEvent("MADE", {"name": "a"}))
    given.when("b").then_state(["a", "b"])
    given.when("c").then_state(["a", "c"])
    given.then_state(["a"])


class Received(msgspec.Struct, frozen=True):
    quantity: int


@dataclass(frozen=True)
class Reserved:
    quantity: int


class Closed(pydantic.BaseModel):
    reason: str


@pytest.fixture
def typed() -> DeciderSpec[int, Any]:
    types = EventTypes()
    types.add_class(Received, "RECEIVED", 2)
    types.add_upcaster(lambda data: {"quantity": data["amount"]}, "RECEIVED", 1)
    types.add_class(Reserved, "RESERVED")
    types.add_class(Closed, "CLOSED")

    def evolve_typed(quantity: int, event: RecordedEvent) -> int:
        match event.payload:
            case Received(quantity=more):
                return quantity + more
            case Reserved(less):
                return quantity - less
        return quantity

    def decide(quantity: int, command: int) -> list[Any]:
        if quantity == command:
            return [Reserved(command), NewEvent.of(Closed(reason="empty"), metadata={"user": "ann"})]
        return [Reserved(command)]

    return DeciderSpec(initial=0, evolve=evolve_typed, decide=decide, event_types=types)


def test_typed_events_work_as_plain_ones_do(typed: DeciderSpec[int, Any]) -> None:
    """
    Dataclasses, Structs and pydantic models, given and expected; plain events of any version beside them.
    """
    given = typed.given(Received(quantity=3), NewEvent("RECEIVED", {"amount": 2}, schema_version=1))
    given.then_state(5)
    given.when(1).then(Reserved(1)).then(NewEvent("RESERVED", {"quantity": 1})).then_state(4)
    given.when(5).then(Reserved(5), Closed(reason="empty"))
    with pytest.raises(AssertionError, match=r'-     "quantity": 2\n\+     "quantity": 1'):
        given.when(1).then(Reserved(2))


def stock_by_item(state: dict[str, int], event: RecordedEvent) -> dict[str, int]:
    sign = 1 if event.type == "RECEIVED" else -1
    return {**state, event.aggregate_id: state.get(event.aggregate_id, 0) + sign * event.data["quantity"]}


def test_projections_are_examples_too() -> None:
    """
    Over one aggregate or many; a repeated number is passed over, as a read model does.
    """
    stock: ProjectionSpec[dict[str, int]] = ProjectionSpec(initial=dict, evolve=stock_by_item)
    second = AggregateRef("Item", "item-2")

    stock.given().then_state({})
    stock.given(received(5), reserved(2)).then_state({"item-1": 3})
    stock.given(received(5), *history(received(1), received(1), aggregate=second)).then_state(
        {"item-1": 5, "item-2": 2}
    )
    repeated = recorded(received(5))
    stock.given(repeated, repeated).then_state({"item-1": 5})
    assert stock.given(received(5)).state == {"item-1": 5}


def test_other_states_are_shown_field_by_field() -> None:
    """
    Of classes each field has its line; what differs is marked.
    """
    with pytest.raises(AssertionError) as failure:
        ITEMS.given(received(10)).when(3).then_state(Stock(6, ("order-7",)))
    assert str(failure.value).splitlines() == [
        "the events fold to another state (- expected, + actual):",
        "  Stock(",
        "-   quantity=6",
        "+   quantity=7",
        "    reserved=('order-7',)",
        "  )",
    ]
    stock: ProjectionSpec[Any] = ProjectionSpec(initial=dict, evolve=stock_by_item)
    with pytest.raises(AssertionError, match=r"- \{'item-1': 4\}\n\+ \{'item-1': 5\}"):
        stock.given(received(5)).then_state({"item-1": 4})


@pytest.mark.parametrize("one", [Received(quantity=1), Reserved(1), Closed(reason="a")])
def test_states_of_any_kind_are_shown(one: Any) -> None:
    """
    Structs, dataclasses and models by their fields.
    """
    spec: ProjectionSpec[Any] = ProjectionSpec(initial=lambda: one, evolve=lambda state, _: state)
    spec.given().then_state(one)
    with pytest.raises(AssertionError, match=rf"- \{{\}}\n\+ {type(one).__name__}\(\n\+   \w+="):
        spec.given().then_state({})


def test_states_that_look_alike_and_are_not_equal_are_explained() -> None:
    """
    A class without equality is the usual reason.
    """

    class Odd:
        def __repr__(self) -> str:
            return "Odd()"

    spec: ProjectionSpec[Any] = ProjectionSpec(initial=Odd, evolve=lambda state, _: state)
    with pytest.raises(AssertionError, match="give it an __eq__"):
        spec.given().then_state(Odd())


def test_examples_agree_with_a_store() -> None:
    """
    What an example folds and decides is what a repository on a store does.
    """
    given = ITEMS.given(received(10), reserved(2, "order-1"))
    events = [json.loads(each.data_json) for each in history(received(10), reserved(2, "order-1"))]
    assert events == [{"quantity": 10}, {"quantity": 2, "order": "order-1"}]
    given.when(8).then(reserved(8)).then_state(Stock(0, ("order-1", "order-7")))

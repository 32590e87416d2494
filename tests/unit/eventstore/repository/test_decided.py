"""What a decision may return, and what it comes to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from eventstore import Decision, InvalidInputError, JsonText, NewEvent, RowPut, TypedEvent
from eventstore.repository.deciding.decision import (
    DecidedEvents,
    decided,
    decided_on_many,
    decided_on_one,
    with_metadata,
)

ONE, TWO = NewEvent("A", {"n": 1}), NewEvent("B", {"n": 2})
ROW = RowPut("emails", {"email": "ann@example.com"})


@dataclass(frozen=True)
class Placed:
    quantity: int


@pytest.mark.parametrize(
    ("made", "events"),
    [
        (None, ()),
        ((), ()),
        ([], ()),
        (ONE, (ONE,)),
        ([ONE, TWO], (ONE, TWO)),
        ((ONE, TWO), (ONE, TWO)),
        (iter([ONE, TWO]), (ONE, TWO)),
        (dict.fromkeys([ONE.type, TWO.type]).keys(), ("A", "B")),
        (TypedEvent(Placed(1)), (TypedEvent(Placed(1)),)),
        (Placed(1), (Placed(1),)),
        ("A", ("A",)),
        (b"A", (b"A",)),
        ({"a": 1}, ({"a": 1},)),
        (7, (7,)),
    ],
)
def test_events_in_whichever_form_they_are_returned(made: Any, events: tuple[Any, ...]) -> None:
    """
    One, several, or none; what is none at all is left for the append to refuse.
    """
    assert decided(made) == (events, None, ())


def test_a_decision_may_answer_and_write_rows() -> None:
    """
    Of one aggregate, known by its id.
    """
    made = Decision([ONE], answer="yes", also=[ROW])

    assert decided(made) == ((ONE,), "yes", [ROW])
    assert decided_on_one(made, "a") == DecidedEvents({"a": (ONE,)}, "yes", [ROW])
    assert decided_on_one(Decision(answer="no"), "a") == DecidedEvents({}, "no", ())
    assert Decision() == Decision((), answer=None, also=())


def test_a_decision_about_several_names_them() -> None:
    """
    In the order in which they were loaded, without those to which nothing happens.
    """
    made = Decision({"b": TWO, "a": [ONE, TWO], "c": []}, answer="yes", also=[ROW])

    found = decided_on_many(made, ["a", "b", "c", "d"])

    assert found == DecidedEvents({"a": (ONE, TWO), "b": (TWO,)}, "yes", [ROW])
    assert list(found.events) == ["a", "b"]
    assert decided_on_many({"a": ONE}, ["a"]) == DecidedEvents({"a": (ONE,)}, None, ())
    for nothing in (None, (), Decision(), {}):
        assert decided_on_many(nothing, ["a"]) == DecidedEvents({}, None, ())


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ([ONE], "returned a list; of several aggregates return a dict"),
        (Decision(ONE), "returned a NewEvent; of several aggregates return a dict"),
        ({"a": ONE, "x": TWO}, "returned events of 'x', which is not among aggregate_ids"),
        ({"a": Decision(ONE)}, "returned a Decision inside of a Decision"),
    ],
)
def test_a_decision_about_several_that_cannot_be_meant(made: Any, says: str) -> None:
    """
    It is the decision that is to be changed.
    """
    with pytest.raises(InvalidInputError, match=says) as caught:
        decided_on_many(made, ["a", "b"])

    assert caught.value.field == "decide"


def test_rows_need_events_to_go_along_with() -> None:
    """
    Of one aggregate, and of several.
    """
    made = Decision(also=[ROW])

    for refused in (lambda: decided_on_one(made, "a"), lambda: decided_on_many(made, ["a"])):
        with pytest.raises(InvalidInputError) as caught:
            refused()
        assert caught.value.field == "also"


async def late() -> list[NewEvent]:
    return [ONE]


async def trickling() -> AsyncIterator[NewEvent]:
    yield ONE


@pytest.mark.parametrize(("make", "kind"), [(late, "coroutine"), (trickling, "async_generator")])
def test_a_decision_is_a_plain_function(make: Any, kind: str) -> None:
    """
    What it would have to be awaited is refused, by itself and among others.
    """
    for returned in (lambda: decided(make()), lambda: decided_on_many(make(), ["a"])):
        with pytest.raises(InvalidInputError, match=f"returned a {kind}; it is a plain function") as caught:
            returned()
        assert caught.value.field == "decide"


def test_metadata_is_added_to_each_event() -> None:
    """
    A name that an event has of its own stays as it is; an object gets an event around it.
    """
    given = (NewEvent("A", {}, metadata={"user": "bob"}), TypedEvent(Placed(1)), Placed(2))

    first, second, third = with_metadata(given, {"user": "ann", "trace": "t"}, "events")

    assert first == NewEvent("A", {}, metadata={"user": "bob", "trace": "t"})
    assert second == TypedEvent(Placed(1), {"user": "ann", "trace": "t"})
    assert third == TypedEvent(Placed(2), {"user": "ann", "trace": "t"})
    assert with_metadata(given, {}, "events") is given


def test_metadata_that_cannot_be_added_is_named_or_left_to_the_append() -> None:
    """
    Beside text it has to become text as well.
    """
    odd = NewEvent("A", {}, metadata=7)  # type: ignore[arg-type]
    assert with_metadata((odd,), {"user": "ann"}, "events") == (odd,)

    given = (ONE, NewEvent("A", {}, metadata={"bad": {1}}))
    with pytest.raises(InvalidInputError) as caught:
        with_metadata(given, JsonText('{"user":"ann"}'), "appends[2].events")
    assert caught.value.field.startswith("appends[2].events[1].metadata")


def test_answer_and_rows_are_given_by_name() -> None:
    """
    A second list of events is no answer.
    """
    with pytest.raises(TypeError, match="positional"):
        Decision([ONE], "yes")  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        Decision([ONE], "yes", [ROW])  # type: ignore[misc]

"""Events become a state: in order, up to a moment, of one type; and which states may be shared."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from eventstore.errors import AggregateTypeError, CorruptRowError
from eventstore.model import RecordedEvent
from eventstore.repository.folding import Fold, Folded, fold, is_frozen, own
from relay.testing.commits import commit


def events(first: int, count: int) -> tuple[RecordedEvent, ...]:
    made = commit("item-1", first, count, aggregate_type="ITEM").events
    assert made is not None
    return tuple(replace(event, timestamp_ms=1_000 * event.sequence_number) for event in made)


def with_number(state: tuple[int, ...], event: RecordedEvent) -> tuple[int, ...]:
    return (*state, event.sequence_number)


NUMBERS: Fold[tuple[int, ...]] = Fold("numbers", 3, (), with_number, "ITEM")


def test_events_are_folded_one_by_one_into_the_state_so_far() -> None:
    """
    It is changed in place, and says how far it goes and how many came in.
    """
    start: Folded[tuple[int, ...]] = Folded((), 0)
    assert start.events == 0

    once = fold(NUMBERS, start, events(1, 2))
    assert once is start
    assert once == Folded((1, 2), 2, 2)
    assert fold(NUMBERS, once, events(3, 1)) == Folded((1, 2, 3), 3, 3)
    assert fold(NUMBERS, once, ()) == Folded((1, 2, 3), 3, 3)


def test_a_fold_ends_before_the_first_event_of_a_later_moment() -> None:
    """
    An event of that very moment counts; what is behind the end is not read.
    """

    def read() -> Iterator[RecordedEvent]:
        yield from events(1, 3)
        raise AssertionError("read further than needed")

    assert fold(NUMBERS, Folded((), 0), read(), until_ms=2_000) == Folded((1, 2), 2, 2)
    assert fold(NUMBERS, Folded((), 0), read(), until_ms=1_999) == Folded((1,), 1, 1)


@pytest.mark.parametrize("version", [0, 2, 3])
def test_a_hole_is_no_state(version: int) -> None:
    """
    Nor is an event that was folded in already.
    """
    with pytest.raises(CorruptRowError) as caught:
        fold(NUMBERS, Folded((), version), events(2, 1))

    error = caught.value
    assert (error.table, error.key, error.field) == ("the events read", "item-1/2", "sequenceNumber")
    assert f"follows {version}:" in error.reason


def test_events_of_another_type_are_no_state() -> None:
    """
    A fold for any type takes them.
    """
    with pytest.raises(AggregateTypeError) as caught:
        fold(replace(NUMBERS, aggregate_type="ORDER"), Folded((), 0), events(1, 1))

    assert (caught.value.aggregate_id, caught.value.expected, caught.value.actual) == ("item-1", "ORDER", "ITEM")
    anything = Fold("numbers", 3, (), with_number)
    assert fold(anything, Folded((), 0), events(1, 1)) == Folded((1,), 1, 1)


def test_a_fold_starts_from_a_state_of_its_own() -> None:
    """
    One that is made anew, or a copy where it could be changed; its stamp has name and version.
    """
    given: list[int] = []
    shared: Fold[Any] = Fold("numbers", 3, given, with_number)

    assert NUMBERS.stamp == "numbers@3"
    assert NUMBERS.start() == ()
    assert Fold("numbers", 3, list, with_number).start() == []  # type: ignore[arg-type]
    assert shared.start() == given
    assert shared.start() is not given


@dataclass(frozen=True)
class Frozen:
    inner: list[int]


@dataclass
class Open:
    inner: list[int]


class FrozenStruct(msgspec.Struct, frozen=True):
    inner: list[int]


class OpenStruct(msgspec.Struct):
    inner: list[int]


class Model:
    """As pydantic's models look from outside."""

    def __init__(self, config: object) -> None:
        self.model_config = config


@pytest.mark.parametrize(
    "state",
    [1, 1.5, True, "x", b"x", (1, [2]), frozenset(), None, Frozen([1]), FrozenStruct([1]), Model({"frozen": True})],
)
def test_a_state_that_cannot_be_changed_is_shared(state: object) -> None:
    """
    A frozen class is taken at its word, whatever its fields hold.
    """
    assert is_frozen(state)
    assert own(state) is state


@pytest.mark.parametrize(
    "state", [[1], {"a": [1]}, {1}, Open([1]), OpenStruct([1]), Model({"frozen": False}), Model({}), Model(7)]
)
def test_a_state_that_can_be_changed_is_copied(state: object) -> None:
    """
    To the bottom.
    """
    assert not is_frozen(state)
    copied = own(state)
    assert copied is not state
    if isinstance(state, Open | OpenStruct):
        assert copied == state
        assert copied.inner is not state.inner  # type: ignore[attr-defined]

"""Reads beside a transaction that is still being applied: rows that come one by one, and rows that never come."""

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import Backoff, CorruptRowError, EventStore, StoreOptions
from eventstore.gapless import LOOKS_MAX

from .conftest import ITEM, FaultyClient, event

AT_ONCE = Backoff(attempts_max=4, base_seconds=0.0, cap_seconds=0.0)


class Veiled:
    """A client whose queries do not show some numbers, for so many queries."""

    def __init__(self, inner: Any, hidden: set[int], queries: int) -> None:
        self._inner = inner
        self._hidden = hidden
        self._left = queries
        self.queries = 0

    def query(self, **request: Any) -> Any:
        self.queries += 1
        reply = dict(self._inner.query(**request))
        if self._left:
            self._left -= 1
            shown = [item for item in reply["Items"] if int(item["sequenceNumber"]["N"]) not in self._hidden]
            reply["Items"] = shown
        return reply

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self._inner, name)
        return call


@pytest.fixture
def veiled(client: FaultyClient, store: EventStore) -> Callable[[set[int], int], tuple[EventStore, Veiled]]:
    """Six events in commits of 1, 3 and 2, read through a veil."""
    store.append(ITEM, [event(1)], expected_version=0)
    store.append(ITEM, [event(2), event(3), event(4)], expected_version=1)
    store.append(ITEM, [event(5), event(6)], expected_version=4)

    def veil(hidden: set[int], queries: int) -> tuple[EventStore, Veiled]:
        made = Veiled(client, hidden, queries)
        return EventStore.open(made, options=StoreOptions(read_backoff=AT_ONCE)), made  # type: ignore[arg-type]

    return veil


Veil = Callable[[set[int], int], tuple[EventStore, Veiled]]


@pytest.mark.parametrize("hidden", [{3}, {1}, {6}, {5, 6}, {2, 3, 4}, {1, 3, 6}])
@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_shown_late_is_waited_for(veiled: Veil, hidden: set[int], backwards: bool) -> None:  # noqa: FBT001
    """
    Every event comes once and in order, though the first two looks lack some.

    A whole commit at the end that is not shown yet cannot be told from one that is not there.
    """
    last = 4 if hidden == {5, 6} else 6
    store, _ = veiled(hidden, 2)

    numbers = [found.sequence_number for found in store.read("item-1", backwards=backwards)]

    assert numbers == (list(range(last, 0, -1)) if backwards else list(range(1, last + 1)))


def test_a_whole_read_costs_one_query(veiled: Veil) -> None:
    """
    Looking for holes costs nothing where there are none.
    """
    store, client = veiled(set(), 0)

    assert len(store.load("item-1")) == 6
    assert client.queries == 1


@pytest.mark.parametrize(
    ("hidden", "missing"),
    [({3}, "item-1/3 "), ({1}, "item-1/1 "), ({6}, "item-1/6 "), ({2, 3}, "item-1/2 to 3 ")],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_what_never_shows_is_an_error_after_a_bounded_number_of_looks(
    veiled: Veil,
    hidden: set[int],
    missing: str,
    backwards: bool,  # noqa: FBT001
) -> None:
    """
    It names the rows, and the reader who wants the neighbours gets all of them.
    """
    store, client = veiled(hidden, 10_000)

    with pytest.raises(CorruptRowError, match=missing):
        list(store.read("item-1", backwards=backwards))
    assert client.queries == LOOKS_MAX + 1

    told: list[CorruptRowError] = []
    found = [each.sequence_number for each in store.read("item-1", backwards=backwards, on_corrupt=told.append)]
    assert sorted(found) == [number for number in range(1, 7) if number not in hidden]
    assert len(told) == 1


def test_a_part_that_was_asked_for_is_no_half_commit(veiled: Veil) -> None:
    """
    Bounds may cut a commit; that is what the caller wanted.
    """
    store, client = veiled(set(), 0)

    assert [each.sequence_number for each in store.read("item-1", after=2, until=3)] == [3]
    assert [each.sequence_number for each in store.read("item-1", limit=2)] == [1, 2]
    assert [each.sequence_number for each in store.read("item-1", backwards=True, limit=1)] == [6]
    assert [each.sequence_number for each in store.read("item-1", backwards=True, until=3, after=1)] == [3, 2]
    assert client.queries == 4

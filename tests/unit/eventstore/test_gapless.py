"""Reads beside a transaction that is being applied: rows that come one by one, late, after a question, or never."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from eventstore import Backoff, CorruptRowError, EventStore, StoreOptions, ThrottledError
from eventstore.read.gapless import LOOKS_MAX

from .conftest import ITEM, FaultyClient, conflict, event, lost, throttle

AT_ONCE = Backoff(attempts_max=4, base_seconds=0.0, cap_seconds=0.0)


def too_much() -> Exception:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
        "CancellationReasons": [{"Code": "ValidationError", "Message": "Item size has exceeded 4 MB"}],
    }
    return ClientError(response, "TransactGetItems")


class Veiled:
    """A client whose queries do not show some numbers, for so many queries; `lost` ones are in no answer at all."""

    def __init__(self, inner: Any, hidden: set[int], queries: int) -> None:
        self._inner = inner
        self._hidden = hidden
        self._left = queries
        self.lost: set[int] = set()
        self.queries = 0
        self.questions: list[int] = []
        self.refusals: list[Exception] = []

    def query(self, **request: Any) -> Any:
        self.queries += 1
        reply = dict(self._inner.query(**request))
        if self._left:
            self._left -= 1
            hidden = self._hidden | self.lost
            reply["Items"] = [item for item in reply["Items"] if int(item["sequenceNumber"]["N"]) not in hidden]
        return reply

    def transact_get_items(self, **request: Any) -> Any:
        numbers = [int(each["Get"]["Key"]["sequenceNumber"]["N"]) for each in request["TransactItems"]]
        self.questions.append(len(numbers))
        if self.refusals:
            raise self.refusals.pop(0)
        reply = dict(self._inner.transact_get_items(**request))
        responses = zip(numbers, reply["Responses"], strict=True)
        reply["Responses"] = [{} if number in self.lost else response for number, response in responses]
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


@pytest.mark.parametrize("hidden", [{3}, {1}, {6}, {2, 3, 4}, {1, 3, 6}])
@pytest.mark.parametrize("backwards", [False, True])
def test_what_queries_never_show_is_given_by_a_transaction(veiled: Veil, hidden: set[int], backwards: bool) -> None:  # noqa: FBT001
    """
    However long a transaction takes to be applied, its reader gets all of it.
    """
    store, client = veiled(hidden, 10_000)

    numbers = [found.sequence_number for found in store.read("item-1", backwards=backwards)]

    assert numbers == (list(range(6, 0, -1)) if backwards else list(range(1, 7)))
    assert sum(client.questions) == len(hidden)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_limit_and_bounds_hold_in_a_hole(veiled: Veil, backwards: bool) -> None:  # noqa: FBT001
    """
    What a transaction gives counts like what a query gives.
    """
    store, _ = veiled({2, 3}, 10_000)

    limited = [found.sequence_number for found in store.read("item-1", backwards=backwards, limit=4)]
    assert limited == ([6, 5, 4, 3] if backwards else [1, 2, 3, 4])
    bounded = [found.sequence_number for found in store.read("item-1", backwards=backwards, after=2, until=4)]
    assert bounded == ([4, 3] if backwards else [3, 4])


def test_a_hole_in_conflict_is_asked_about_again(veiled: Veil) -> None:
    """
    A transaction under way may refuse the question; the answer comes once it is applied.
    """
    store, client = veiled({3}, 10_000)
    client.refusals = [conflict(), lost(), throttle()]

    assert [found.sequence_number for found in store.read("item-1")] == [1, 2, 3, 4, 5, 6]
    assert client.questions == [1, 1, 1, 1]


def test_a_hole_that_nobody_decides_is_no_corruption(veiled: Veil) -> None:
    """
    The reader is told to come again, after a bounded number of questions.
    """
    store, client = veiled({3}, 10_000)
    client.refusals = [conflict() for _ in range(10)]

    with pytest.raises(ThrottledError, match="item-1/3 of inventory_events is there"):
        store.load("item-1")
    assert client.questions == [1, 1, 1, 1]


def test_rows_too_large_for_one_question_are_asked_for_in_halves(veiled: Veil) -> None:
    """
    A transaction reads 4 MB at most, and says so when it is more.
    """
    store, client = veiled({1, 2, 3, 4, 5}, 10_000)
    client.refusals = [too_much(), too_much()]

    assert [found.sequence_number for found in store.read("item-1")] == [1, 2, 3, 4, 5, 6]
    assert client.questions == [5, 2, 1, 1, 3]


def test_a_hole_wider_than_a_transaction_is_one_question(client: FaultyClient, store: EventStore) -> None:
    """
    Nothing writes more than 100 rows at once, so a hundred that are not there are not being written.
    """
    for first in (1, 91, 181):
        store.append(ITEM, [event(number) for number in range(first, first + 90)], expected_version=first - 1)
    veil = Veiled(client, set(), 10_000)
    veil.lost = set(range(11, 251))
    reader = EventStore.open(veil, options=StoreOptions(read_backoff=AT_ONCE))  # type: ignore[arg-type]

    for backwards in (False, True):
        veil.questions.clear()
        told: list[CorruptRowError] = []
        found = {each.sequence_number for each in reader.read("item-1", backwards=backwards, on_corrupt=told.append)}
        assert found == {*range(1, 11), *range(251, 271)}
        assert [error.key for error in told] == ["item-1/11 to 250"]
        assert veil.questions == [100]

    veil.lost, hidden = set(), Veiled(client, set(range(11, 251)), 10_000)
    reader = EventStore.open(hidden, options=StoreOptions(read_backoff=AT_ONCE))  # type: ignore[arg-type]
    assert len(reader.load("item-1")) == 270
    assert hidden.questions == [100, 100, 40]


@pytest.mark.parametrize(
    ("lost", "missing"),
    [({3}, "item-1/3 "), ({1}, "item-1/1 "), ({6}, "item-1/6 "), ({2, 3}, "item-1/2 to 3 ")],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_what_no_answer_holds_is_an_error_after_a_bounded_number_of_looks(
    veiled: Veil,
    lost: set[int],
    missing: str,
    backwards: bool,  # noqa: FBT001
) -> None:
    """
    It names the rows, and the reader who wants the neighbours gets all of them.
    """
    store, client = veiled(set(), 10_000)
    client.lost = lost

    with pytest.raises(CorruptRowError, match=missing):
        list(store.read("item-1", backwards=backwards))
    assert client.queries == LOOKS_MAX + 1
    assert client.questions == [len(lost)]

    told: list[CorruptRowError] = []
    found = [each.sequence_number for each in store.read("item-1", backwards=backwards, on_corrupt=told.append)]
    assert sorted(found) == [number for number in range(1, 7) if number not in lost]
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

"""The explorer itself: it finds the shortest course, what cannot end, and what goes round for ever."""

from collections.abc import Callable, Hashable, Sequence

import pytest

from tests.exhaustive.enumeration import splits
from tests.exhaustive.explorer import CounterexampleError, Step, World, explore
from tests.exhaustive.graph import Edge, fair_circle, unable_to_finish


class Counter(World):
    """A number that steps change."""

    def __init__(
        self, moves: Callable[[int], Sequence[tuple[str, int, bool]]], end: int, forbidden: Sequence[int] = ()
    ) -> None:
        self.number = 0
        self._moves = moves
        self._end = end
        self._forbidden = forbidden

    def steps(self) -> Sequence[Step]:
        return [
            Step(name, lambda target=target: self._go(target), is_fault=is_fault)
            for name, target, is_fault in self._moves(self.number)
        ]

    def check(self) -> None:
        assert self.number not in self._forbidden, f"it is {self.number}"

    def fingerprint(self) -> Hashable:
        return self.number

    def is_done(self) -> bool:
        return self.number == self._end

    def _go(self, target: int) -> None:
        self.number = target


def up_to(most: int) -> Callable[[int], Sequence[tuple[str, int, bool]]]:
    return lambda number: [(f"add {by}", number + by, False) for by in (1, 3) if number + by <= most]


def test_every_state_is_looked_at_once() -> None:
    found = explore(lambda: Counter(up_to(9), end=9), 100)
    assert (found.states, found.steps, found.longest, found.done, found.is_whole) == (10, 16, 4, 1, True)


def test_the_course_is_a_shortest_one() -> None:
    with pytest.raises(CounterexampleError) as raised:
        explore(lambda: Counter(up_to(9), end=9, forbidden=[7]), 100)
    assert len(raised.value.course) == 3
    assert raised.value.why == "it is 7"


def test_a_bound_is_said() -> None:
    assert not explore(lambda: Counter(up_to(9), end=9), 4).is_whole


def test_what_cannot_end_is_found() -> None:
    """
    A step that may never happen is no way out.
    """
    moves = {0: [("on", 1, False), ("fall", 2, False)], 1: [], 2: [("rescue", 1, True)]}
    with pytest.raises(CounterexampleError) as raised:
        explore(lambda: Counter(moves.__getitem__, end=1), 100)
    assert raised.value.course == ("fall",)
    assert raised.value.why == "the end cannot be come to any more"


def test_what_may_go_round_for_ever_is_found() -> None:
    """
    The way out can be taken only where another step is due: nobody who takes each in turn need take it.
    """
    edges = [
        [Edge(1, "there"), Edge(2, "out here")],
        [Edge(0, "back")],
        [],
    ]
    assert fair_circle(edges, [2]) is None  # "out here" can be taken again and again
    edges[0][1] = Edge(2, "there and out", is_fault=True)
    circle = fair_circle(edges, [2])
    assert circle is not None
    assert circle.names == ("back", "there")
    assert unable_to_finish(edges, [2]) == 0


def test_every_split_of_rows_into_pages() -> None:
    assert list(splits(3)) == [(1, 1, 1), (1, 2), (2, 1), (3,)]
    assert len(list(splits(6))) == 2**5

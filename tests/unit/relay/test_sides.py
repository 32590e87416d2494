"""What waits for a destination beside the bus, and what it is handed."""

from dataclasses import replace

import pytest

from relay.delivery.commit import OwedCommit
from relay.delivery.sides import SideQueue
from relay.destination import INDEX
from relay.testing.commits import commit


def owed(name: str, *, delivered: tuple[str, ...] = (), parked: tuple[str, ...] = (), read: bool = True) -> OwedCommit:
    row = commit(name)
    row = replace(row, parked=dict.fromkeys(parked, "a reason"), events=row.events if read else None)
    return OwedCommit(row, None, 0.0, 30.0, frozenset(delivered), frozenset())


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        (owed("a"), True),
        (owed("a", delivered=("bus",), parked=("bus",)), True),
        (owed("a", delivered=(INDEX,)), False),
        (owed("a", parked=(INDEX,)), False),
    ],
)
def test_what_a_side_takes(offered: OwedCommit, wanted: bool) -> None:  # noqa: FBT001 - a case
    """
    What it neither has nor has parked; the commit knows then that it is about to go there.
    """
    queue = SideQueue(INDEX)

    assert queue.offer(offered) is wanted
    assert list(queue.waiting) == [offered] * wanted
    assert offered.sides == ({INDEX} if wanted else set())


def test_what_is_under_way_does_not_wait_as_well() -> None:
    """
    It is offered once more, and handed over once.
    """
    queue, one = SideQueue(INDEX), owed("a")
    queue.offer(one)
    assert queue.take(10) == [one]

    assert queue.offer(one) is True
    assert one.sides == {INDEX}
    assert queue.take(10) == []
    assert (queue.waiting, queue.under_way) == ({}, {one})


def test_a_batch_has_the_oldest_that_have_their_events() -> None:
    """
    Others stay until theirs are read, and keep their place.
    """
    queue = SideQueue(INDEX)
    first, unread, second, third = owed("a"), owed("b", read=False), owed("c"), owed("d")
    for each in (first, unread, second, third):
        queue.offer(each)

    assert queue.take(2) == [first, second]
    assert (list(queue.waiting), queue.under_way) == ([unread, third], {first, second})
    assert queue.take(0) == []
    assert queue.take(2) == [third]
    assert list(queue.waiting) == [unread]


@pytest.mark.parametrize("is_taken", [True, False])
def test_what_is_forgotten_is_nowhere(is_taken: bool) -> None:  # noqa: FBT001 - a case
    """
    Neither waiting, nor under way, nor alone; forgetting it twice does no harm.
    """
    queue, one, other = SideQueue(INDEX), owed("a"), owed("b")
    for each in (one, other):
        queue.offer(each)
        queue.alone[each] = None
    if is_taken:
        queue.take(2)

    queue.forget(one)
    queue.forget(one)

    assert [*queue.waiting, *queue.under_way] == [other]
    assert list(queue.alone) == [other]
    assert (one.sides, other.sides) == (set(), {INDEX})


def test_a_side_that_is_closed_takes_nothing() -> None:
    """
    What waited is given back; what is under way stays so, since its answer is still to come.
    """
    queue, gone, first, second = SideQueue(INDEX), owed("a"), owed("b"), owed("c")
    for each in (gone, first, second):
        queue.offer(each)
    queue.take(1)

    assert queue.close() == [first, second]

    assert (queue.waiting, queue.under_way) == ({}, {gone})
    assert (gone.sides, first.sides, second.sides) == ({INDEX}, set(), set())
    assert queue.offer(owed("d")) is False
    assert queue.take(10) == []

"""What is written about a commit's row, and when the commit leaves."""

from dataclasses import replace
from typing import Any

import pytest

from relay.delivery.commit import OwedCommit
from relay.delivery.settling import Due, due
from relay.destination import BUS, FILE, INDEX
from relay.testing.commits import commit

ALL = (BUS, INDEX)
NOBODY: frozenset[str] = frozenset()


def owed(
    delivered: frozenset[str], saved: frozenset[str] = NOBODY, *, parked: tuple[str, ...] = (), **attributes: Any
) -> OwedCommit:
    row = replace(commit("a"), parked=dict.fromkeys(parked, "a reason"))
    return OwedCommit(row, None, 0.0, 30.0, delivered, saved, **attributes)


BUS_ONLY, INDEX_ONLY, BOTH = frozenset({BUS}), frozenset({INDEX}), frozenset(ALL)


@pytest.mark.parametrize(
    ("commit", "wanted"),
    [
        pytest.param(owed(BOTH), Due.DELETION, id="every destination has it"),
        pytest.param(owed(BOTH, BOTH), Due.DELETION, id="and its row says so"),
        pytest.param(owed(BOTH | {FILE}), Due.DELETION, id="so has one that is in force no more"),
        pytest.param(owed(BOTH, is_settling=True), Due.NOTHING, id="one write about a row at a time"),
        pytest.param(owed(BOTH, is_under_way=True), Due.NOTHING, id="an event of it is unanswered"),
        pytest.param(owed(NOBODY), Due.NOTHING, id="the bus is about to get it"),
        pytest.param(owed(INDEX_ONLY), Due.NOTHING, id="nobody notes a side while the bus is about to get it"),
        pytest.param(owed(BUS_ONLY), Due.NOTE, id="the index takes nothing here"),
        pytest.param(owed(BUS_ONLY, BUS_ONLY), Due.LEAVE, id="and its row says so already"),
        pytest.param(owed(BUS_ONLY, sides={INDEX}), Due.NOTHING, id="the index is about to get it"),
        pytest.param(owed(BUS_ONLY, sides={INDEX}, is_late=True), Due.NOTE, id="the index takes too long"),
        pytest.param(owed(BUS_ONLY, BUS_ONLY, sides={INDEX}, is_late=True), Due.NOTHING, id="it takes long, as noted"),
        pytest.param(owed(NOBODY, parked=(BUS,)), Due.LEAVE, id="parked for the bus, and for nobody else here"),
        pytest.param(owed(NOBODY, parked=(BUS,), sides={INDEX}), Due.NOTHING, id="parked, and the index takes it"),
        pytest.param(owed(INDEX_ONLY, parked=(BUS,)), Due.NOTE, id="parked, and the index has it"),
        pytest.param(owed(INDEX_ONLY, INDEX_ONLY, parked=(BUS,)), Due.LEAVE, id="parked, and the row says so"),
        pytest.param(owed(BUS_ONLY, parked=(BUS, INDEX)), Due.NOTE, id="delivered outranks parked"),
        pytest.param(owed(NOBODY, is_blocked=True), Due.LEAVE, id="behind a parked one, and the sides take nothing"),
        pytest.param(owed(NOBODY, is_blocked=True, sides={INDEX}), Due.NOTHING, id="behind one, the index takes it"),
        pytest.param(owed(INDEX_ONLY, is_blocked=True), Due.NOTE, id="behind one, and the index has it"),
        pytest.param(
            owed(INDEX_ONLY, is_blocked=True, sides={FILE}, is_late=True),
            Due.NOTHING,
            id="only for the bus is a row noted before the sides are done",
        ),
    ],
)
def test_what_is_due(commit: OwedCommit, wanted: Due) -> None:
    """
    The row goes when all have the commit; else it says who has it, once nothing more is about to happen here.
    """
    assert due(commit, ALL) is wanted


@pytest.mark.parametrize(
    ("commit", "wanted"),
    [
        (owed(BOTH), Due.NOTE),
        (owed(BOTH, BUS_ONLY), Due.NOTE),
        (owed(BOTH, BOTH), Due.LEAVE),
        (owed(BOTH, is_under_way=True), Due.NOTHING),
        (owed(BUS_ONLY), Due.NOTE),
    ],
)
def test_who_is_not_certain_of_the_destinations_deletes_nothing(commit: OwedCommit, wanted: Due) -> None:
    """
    What was taken is a fact and is noted; the sweep deletes the row if it is complete.
    """
    assert due(commit, ALL, may_delete=False) is wanted


def test_a_destination_that_came_into_force_is_owed() -> None:
    """
    The set is that of this worker, not of the row.
    """
    assert due(owed(BOTH, BOTH), (*ALL, FILE)) is Due.LEAVE

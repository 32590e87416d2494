"""What may be done now for the lowest commit of an aggregate that the bus lacks."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from relay.delivery.commit import NEVER, OwedCommit
from relay.delivery.order import FETCH, FORGET, PARK_IT, SEND, Ask, BlockedBy, Known, Step, is_vetted, next_step
from relay.destination import BUS, CommitKey, Park
from relay.outbox.row import Absent, Answer, Present, Unreadable
from relay.testing.commits import commit

NOW = 100.0
FRESH_SECONDS = 30.0
FAULT = Park("too large", "message_too_large")
MARKED = {BUS: "a person must look"}


def lowest(
    first: int = 5,
    last: int = 7,
    *,
    seen_at: float = NOW,
    sent: int = 0,
    has_events: bool = True,
    parked: dict[str, str] | None = None,
    defect: str | None = None,
    fault: Park | None = None,
    vetted: bool = False,
) -> OwedCommit:
    row = commit("a", first, last - first + 1)
    row = replace(row, events=row.events if has_events else None, parked=parked or {}, defect=defect)
    return OwedCommit(
        row, None, seen_at, FRESH_SECONDS, row.delivered, row.delivered, sent=sent, fault=fault, vetted=vetted
    )


def step(commit: OwedCommit, reach: int = 4, reach_at: float = 0.0, in_the_way: Collection[CommitKey] = ()) -> Step:
    return next_step(commit, Known(reach, reach_at, in_the_way), NOW)


OWN, BEFORE = ("a", 7), ("a", 4)


@pytest.mark.parametrize(
    ("commit", "reach", "wanted"),
    [
        pytest.param(lowest(1, 1), 0, SEND, id="number 1 has nothing before it"),
        pytest.param(lowest(), 4, SEND, id="the bus has what is before it"),
        pytest.param(lowest(), 3, Ask((BEFORE,)), id="nothing is known of the one before it"),
        pytest.param(lowest(), 0, Ask((BEFORE,)), id="nothing is known at all"),
        pytest.param(lowest(has_events=False), 4, FETCH, id="its events are not there"),
        pytest.param(lowest(has_events=False), 3, Ask((BEFORE,)), id="its events are read when it may go, not before"),
        pytest.param(lowest(seen_at=NOW - FRESH_SECONDS), 4, SEND, id="just fresh enough"),
        pytest.param(lowest(seen_at=NOW - 31), 4, Ask((OWN,)), id="somebody else may have settled it meanwhile"),
        pytest.param(lowest(seen_at=NOW - 31), 3, Ask((OWN, BEFORE)), id="both questions go together"),
        pytest.param(lowest(seen_at=NOW - 31, sent=1), 4, SEND, id="what is begun is ours to finish"),
        pytest.param(lowest(seen_at=NEVER, sent=1), 4, Ask((OWN,)), id="unless it is to be asked for in any case"),
        pytest.param(lowest(1, 1, seen_at=NEVER), 0, Ask((("a", 1),)), id="nothing is before it but itself"),
    ],
)
def test_a_sound_commit(commit: OwedCommit, reach: int, wanted: Step) -> None:
    """
    It goes when its evidence is fresh and the one before it is known to be on the bus.
    """
    assert step(commit, reach) == wanted


@pytest.mark.parametrize(
    ("seen_at", "reach_at", "wanted"),
    [
        pytest.param(NOW, NOW - 1, FORGET, id="seen after memory was made: the row refutes it"),
        pytest.param(NOW - 1, NOW, Ask((OWN,)), id="seen before: it may have gone since"),
        pytest.param(NOW, NOW, Ask((OWN,)), id="seen at the same time: nobody can tell"),
        pytest.param(NOW - 31, NOW - 40, Ask((OWN,)), id="too old to refute anything"),
    ],
)
@pytest.mark.parametrize("reach", [5, 7, 9])  # whole commits are on the bus: a part of one is a contradiction too
def test_an_owing_row_that_memory_says_the_bus_has(seen_at: float, reach_at: float, wanted: Step, reach: int) -> None:
    """
    Tables are remade and restored: never is it taken for delivered on memory's word.
    """
    assert step(lowest(seen_at=seen_at), reach, reach_at) == wanted


@pytest.mark.parametrize(
    ("commit", "wanted"),
    [
        (lowest(parked=MARKED), BlockedBy(OWN)),
        (lowest(parked=MARKED, seen_at=NOW - 31), Ask((OWN,))),  # it may have been released
        (lowest(parked={"index": "no such field"}), SEND),
        (lowest(parked={**MARKED, "index": "no such field"}, defect="broken"), BlockedBy(OWN)),
    ],
)
def test_a_commit_that_is_parked(commit: OwedCommit, wanted: Step) -> None:
    """
    It waits for a person if it is parked for the bus; what another destination refuses is not the bus's matter.
    """
    assert step(commit) == wanted


def test_a_parked_commit_below_what_memory_says_is_asked_for_first() -> None:
    """
    Memory does not decide whose mark it is.
    """
    assert step(lowest(parked=MARKED, seen_at=NOW - 1), 7, NOW) == Ask((OWN,))


@pytest.mark.parametrize("commit", [lowest(), lowest(seen_at=NEVER), lowest(defect="broken"), lowest(parked=MARKED)])
def test_what_is_right_above_a_row_in_the_way_waits(commit: OwedCommit) -> None:
    """
    The one in the way is named; nothing more is asked.
    """
    assert step(commit, 0, in_the_way={BEFORE}) == BlockedBy(BEFORE)


def test_a_row_in_the_way_further_down_is_not_in_its_way() -> None:
    """
    What is in between decides.
    """
    assert step(lowest(), 3, in_the_way={("a", 3)}) == Ask((BEFORE,))


@pytest.mark.parametrize("cause", [{"fault": FAULT}, {"defect": "no JSON"}])
@pytest.mark.parametrize("has_events", [True, False])
def test_a_commit_that_can_never_go(cause: dict[str, object], has_events: bool) -> None:  # noqa: FBT001 - a case
    """
    A mark is for a person and stays, so both rows are asked for, whatever memory says; then it is parked.
    """
    bad = {**cause, "has_events": has_events}

    assert step(lowest(**bad)) == Ask((OWN, BEFORE))  # type: ignore[arg-type]
    assert step(lowest(1, 1, **bad), 0) == Ask((("a", 1),))  # type: ignore[arg-type]
    assert step(lowest(2, 3, **bad), 1) == Ask((("a", 3), ("a", 1)))  # type: ignore[arg-type]
    assert step(lowest(**bad, vetted=True)) == PARK_IT  # type: ignore[arg-type]
    assert step(lowest(**bad, vetted=True), 3) == Ask((BEFORE,))  # type: ignore[arg-type]
    assert step(lowest(**bad, vetted=True, seen_at=NOW - 31)) == Ask((OWN,))  # type: ignore[arg-type]


OWING = Present(commit("a", 5, 3))
SENT = Present(replace(commit("a", 2, 3), delivered=frozenset({BUS})))
OWED_BEFORE = Present(commit("a", 2, 3))


@pytest.mark.parametrize(
    ("own", "before", "is_first", "wanted"),
    [
        (OWING, Absent(), False, True),
        (OWING, SENT, False, True),
        (OWING, OWED_BEFORE, False, False),
        (OWING, Unreadable(), False, False),
        (OWING, None, False, False),
        (OWING, None, True, True),
        (Absent(), Absent(), False, False),
        (Unreadable(), Absent(), False, False),
        (None, Absent(), False, False),
        (None, None, True, False),
    ],
)
def test_whose_turn_it_is_by_the_outbox(
    own: Answer | None,
    before: Answer | None,
    is_first: bool,  # noqa: FBT001 - a case
    wanted: bool,  # noqa: FBT001 - a case
) -> None:
    """
    Its row is there, and the one before it is gone or says that the bus has it.
    """
    assert is_vetted(own, before, is_first=is_first) is wanted

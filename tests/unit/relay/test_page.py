"""When a page is over, and how far a source's position may go."""

import random

import pytest

from relay.delivery.page import PAGES_MAX, CommitPage, Fate, PageTracker

DEALT_WITH = [fate for fate in Fate if fate is not Fate.WITHDRAWN]


def page_of(rows: int) -> CommitPage:
    page = CommitPage("feed", 0.0)
    for _ in range(rows):
        page.hold()
    page.is_sealed = True
    return page


def tracked(tracker: PageTracker[int], position: int | None, rows: int, now: float = 0.0) -> CommitPage:
    """Read a page of so many rows, which ends at a position."""
    page = tracker.page("feed", now)
    for _ in range(rows):
        page.hold()
    tracker.seal(position)
    return page


def let_go(page: CommitPage, fate: Fate = Fate.SETTLED) -> None:
    while page.held:
        page.release(fate)


@pytest.mark.parametrize("fate", Fate)
def test_a_page_is_over_when_no_row_holds_it(fate: Fate) -> None:
    """
    Whatever became of its rows; it is dealt with unless one of them was withdrawn.
    """
    page = page_of(2)
    page.pass_over(Fate.BEYOND)
    page.release(Fate.SETTLED)
    assert not page.is_over
    assert not page.is_dealt_with

    page.release(fate)

    assert page.is_over
    assert page.is_dealt_with is (fate is not Fate.WITHDRAWN)
    assert (page.commits, page.held, page.fates.total()) == (3, 0, 3)


def test_fates_have_these_names() -> None:
    """
    Logs and metrics show them.
    """
    assert [str(fate) for fate in Fate] == [
        "settled",
        "late",
        "parked",
        "waiting",
        "beyond",
        "refused",
        "overdue",
        "void",
        "withdrawn",
    ]


def test_rows_that_do_not_hold_a_page_are_counted() -> None:
    """
    By what became of them; a page that nobody waits for may ring.
    """
    page = CommitPage("feed", 0.0)
    page.pass_over(Fate.BEYOND, 3)
    page.pass_over(Fate.BEYOND)
    page.pass_over(Fate.SETTLED)
    page.ring()

    assert (PageTracker[int]().page("sweep", 7.0).source, page.source) == ("sweep", "feed")
    assert (page.commits, page.held, dict(page.fates)) == (5, 0, {Fate.BEYOND: 4, Fate.SETTLED: 1})


def test_a_page_without_rows_is_over_once_it_is_sealed() -> None:
    """
    Until then rows may come.
    """
    page = CommitPage("feed", 0.0)
    assert not page.is_over
    page.is_sealed = True

    assert page.is_dealt_with


def test_the_position_stands_below_the_first_page_that_is_held() -> None:
    """
    Pages above it may be over; they are passed once it is.
    """
    tracker: PageTracker[int] = PageTracker()
    first, second, third = (tracked(tracker, position, 1) for position in (10, 20, 30))
    let_go(second)
    assert tracker.advance() == (None, [])
    assert tracker.front is first

    let_go(first)
    assert tracker.advance() == (20, [first, second])
    assert tracker.advance() == (None, [])
    let_go(third)
    assert tracker.advance() == (30, [third])
    assert (tracker.front, len(tracker)) == (None, 0)


def test_a_page_without_a_position_is_passed_all_the_same() -> None:
    """
    The position is that of the last passed page that has one.
    """
    tracker: PageTracker[int] = PageTracker()
    tracked(tracker, None, 0)
    assert tracker.advance()[0] is None
    tracked(tracker, 10, 0)
    tracked(tracker, None, 0)

    assert tracker.advance()[0] == 10


def test_a_page_of_which_a_row_was_withdrawn_is_never_passed() -> None:
    """
    Not when it is over, nor when it is overdue: nobody here will deliver that row.
    """
    tracker: PageTracker[int] = PageTracker()
    page = tracked(tracker, 10, 2)
    page.release(Fate.WITHDRAWN)
    assert tracker.advance(overdue_since=1e9) == (None, [])
    page.release(Fate.SETTLED)

    assert page.is_over
    assert tracker.advance() == (None, [])
    assert tracker.advance(overdue_since=1e9) == (None, [])
    assert tracker.front is page


@pytest.mark.parametrize(("began_at", "is_passed"), [(69.0, True), (70.0, False), (99.0, False)])
def test_a_page_that_is_held_for_too_long_is_passed(began_at: float, is_passed: bool) -> None:  # noqa: FBT001 - a case
    """
    The sweep finds what it owes; without a limit it holds the position for ever.
    """
    tracker: PageTracker[int] = PageTracker()
    page = tracked(tracker, 10, 1, began_at)
    assert tracker.advance() == (None, [])

    assert tracker.advance(overdue_since=70.0) == ((10, [page]) if is_passed else (None, []))


def test_a_page_that_rows_still_join_is_not_overdue() -> None:
    """
    Its position is not known yet.
    """
    tracker: PageTracker[int] = PageTracker()
    tracker.page("feed", 0.0).hold()

    assert tracker.advance(overdue_since=70.0) == (None, [])


def test_many_pages_grow_into_the_newest() -> None:
    """
    However much is read, so many are tracked; none of it is passed before all of it may be.
    """
    tracker: PageTracker[int] = PageTracker()
    pages = [tracked(tracker, number, 1) for number in range(1, PAGES_MAX + 1)]
    grown = [tracked(tracker, number, 1) for number in range(PAGES_MAX + 1, 3 * PAGES_MAX)]

    assert len(tracker) == PAGES_MAX == 64
    assert set(grown) == {pages[-1]}
    assert pages[-1].commits == 2 * PAGES_MAX
    for page in pages[:-1]:
        let_go(page)
    assert tracker.advance()[0] == PAGES_MAX - 1
    pages[-1].release(Fate.SETTLED)
    assert tracker.advance() == (None, [])
    let_go(pages[-1])
    assert tracker.advance()[0] == 3 * PAGES_MAX - 1


def test_a_page_that_grows_is_not_over_meanwhile() -> None:
    """
    All of its rows are done, and more are about to join it.
    """
    tracker: PageTracker[int] = PageTracker()
    pages = [tracked(tracker, number, 1) for number in range(1, PAGES_MAX + 1)]
    let_go(pages[-1])
    assert pages[-1].is_over

    page = tracker.page("feed", 0.0)

    assert page is pages[-1]
    assert not page.is_over


def test_growth_without_a_position_keeps_the_one_before() -> None:
    """
    A read that brought no position of its own takes nothing away.
    """
    tracker: PageTracker[int] = PageTracker()
    pages = [tracked(tracker, number, 0) for number in range(1, PAGES_MAX + 1)]
    tracked(tracker, None, 0)

    assert tracker.advance() == (PAGES_MAX, pages)


@pytest.mark.parametrize("seed", range(20))
def test_no_position_passes_a_row_that_holds_it(seed: int) -> None:
    """
    Whatever the order of reading and letting go: everything below a position is dealt with, and in the end all is.
    """
    chance = random.Random(seed)
    tracker: PageTracker[int] = PageTracker()
    held: list[tuple[int, CommitPage]] = []
    read = passed = 0
    for _ in range(1_000):
        if chance.random() < 0.3:
            size = chance.randint(0, 3)
            page = tracked(tracker, read + 1, size)
            read += 1
            held += [(read, page)] * size
        elif held:
            _, page = held.pop(chance.randrange(len(held)))
            page.release(chance.choice(DEALT_WITH))
        position, _ = tracker.advance()
        if position is not None:
            assert position > passed, "a position goes up"
            passed = position
        assert all(behind > passed for behind, _ in held)
    for _, page in held:
        page.release(Fate.SETTLED)
    position, _ = tracker.advance()
    assert max(passed, position or 0) == read

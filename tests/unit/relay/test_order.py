"""Which commits may go to the bus, and what must be asked first."""

from collections.abc import Iterable

from eventstore.rows.outbox import OutboxRow
from relay.delivery.order import make_plan
from relay.outbox.row import Absent, Present, Unreadable


def row(
    last: int, *, first: int | None = None, aggregate: str = "a", on_bus: bool = False, parked: bool = False
) -> OutboxRow:
    return OutboxRow(
        aggregate_id=aggregate,
        aggregate_type="T",
        commit_id=f"c{last}",
        first=last if first is None else first,
        last=last,
        committed_at_ms=0,
        epoch=1,
        events=None,
        delivered=frozenset({"bus"}) if on_bus else frozenset(),
        parked={"bus": "broken"} if parked else {},
    )


def lasts(chain: Iterable[OutboxRow]) -> list[int]:
    return [row.last for row in chain]


def test_first_commit_of_an_aggregate_goes_unasked() -> None:
    """
    Number 1 has no predecessor, so nothing is asked.
    """
    plan = make_plan([row(1)], {}, {})

    assert lasts(plan.chains["a"]) == [1]
    assert plan.unasked == frozenset()


def test_arrival_order_does_not_matter() -> None:
    """
    Records that arrive swapped go out sorted.
    """
    plan = make_plan([row(3), row(1), row(2)], {}, {})

    assert lasts(plan.chains["a"]) == [1, 2, 3]


def test_start_of_a_run_asks_for_its_predecessor() -> None:
    """
    A commit above number 1 whose predecessor is unknown is not sent before the predecessor's fate is known.
    """
    plan = make_plan([row(5, first=4)], {}, {})

    assert plan.chains == {}
    assert plan.unasked == {("a", 3)}


def test_memory_spares_the_question() -> None:
    """
    What this process saw confirmed need not be asked again.
    """
    plan = make_plan([row(5, first=4)], {"a": 3}, {})

    assert lasts(plan.chains["a"]) == [5]
    assert plan.unasked == frozenset()


def test_absent_predecessor_lets_it_go() -> None:
    """
    A row that is gone is a commit that every destination has.
    """
    plan = make_plan([row(4)], {}, {("a", 3): Absent()})

    assert lasts(plan.chains["a"]) == [4]


def test_predecessor_on_the_bus_lets_it_go() -> None:
    """
    A predecessor that only the index lacks does not hold up the bus, and is not sent again.
    """
    plan = make_plan([row(4)], {}, {("a", 3): Present(row(3, on_bus=True))})

    assert lasts(plan.chains["a"]) == [4]


def test_owing_predecessor_joins_and_is_asked_about() -> None:
    """
    A predecessor that owes goes first, but only when its own predecessor is known.
    """
    plan = make_plan([row(4)], {}, {("a", 3): Present(row(3, first=2))})

    assert plan.chains == {}
    assert plan.unasked == {("a", 1)}

    plan = make_plan([row(4)], {}, {("a", 3): Present(row(3, first=2)), ("a", 1): Absent()})

    assert lasts(plan.chains["a"]) == [3, 4]


def test_every_run_is_asked_about_not_only_the_head() -> None:
    """
    A gap in the middle of a page is a start as well: 1 goes, 3 must wait for what became of 2.
    """
    plan = make_plan([row(1), row(3)], {}, {})

    assert lasts(plan.chains["a"]) == [1]
    assert plan.unasked == {("a", 2)}

    plan = make_plan([row(1), row(3)], {}, {("a", 2): Present(row(2))})

    assert lasts(plan.chains["a"]) == [1, 2, 3]


def test_absent_middle_says_that_everything_below_is_delivered() -> None:
    """
    The bus takes commits in order, so a settled 2 means that a stale 1 in the page is settled too.
    """
    plan = make_plan([row(1), row(3)], {}, {("a", 2): Absent()})

    assert lasts(plan.chains["a"]) == [3]
    assert plan.on_bus == {("a", 1)}


def test_own_row_gone_means_settled() -> None:
    """
    After a restart the row itself is asked for, and what is gone is not sent again.
    """
    plan = make_plan([row(1), row(2)], {}, {("a", 1): Absent(), ("a", 2): Present(row(2))})

    assert lasts(plan.chains["a"]) == [2]


def test_parked_commit_holds_up_all_above_it() -> None:
    """
    Nothing above a commit parked for the bus is sent, and what is below it is.
    """
    plan = make_plan([row(1), row(2, parked=True), row(3), row(5)], {}, {})

    assert lasts(plan.chains["a"]) == [1]
    assert plan.waiting == {("a", 2), ("a", 3), ("a", 5)}
    assert plan.unasked == frozenset()


def test_parked_predecessor_found_by_asking_holds_up_as_well() -> None:
    """
    The parked commit need not be in the page.
    """
    answers = {("a", 7): Present(row(7, parked=True)), ("a", 6): Absent()}

    plan = make_plan([row(8)], {}, answers)

    assert plan.chains == {}
    assert plan.waiting == {("a", 7), ("a", 8)}


def test_delivered_outranks_parked() -> None:
    """
    A row that is parked for the bus although the bus has it holds up nothing.
    """
    plan = make_plan([row(2, on_bus=True, parked=True), row(3)], {}, {})

    assert lasts(plan.chains["a"]) == [3]


def test_unreadable_predecessor_holds_up() -> None:
    """
    Nobody can say whether the bus has a row that cannot be read, so what is above waits.
    """
    plan = make_plan([row(1), row(3), row(4)], {}, {("a", 2): Unreadable()})

    assert lasts(plan.chains["a"]) == [1]
    assert plan.waiting == {("a", 3), ("a", 4)}


def test_long_chain_goes_in_rounds() -> None:
    """
    When the owed commits are too many for one round, the lowest go and the page's own are judged again.
    """
    plan = make_plan([row(2), row(3), row(900)], {"a": 1}, {}, truncated={"a"})

    assert lasts(plan.chains["a"]) == [2, 3]
    assert plan.deferred == {("a", 900)}
    assert plan.unasked == frozenset()


def test_aggregates_do_not_wait_for_each_other() -> None:
    """
    One aggregate's open question leaves the others alone.
    """
    plan = make_plan([row(1, aggregate="a"), row(9, aggregate="b")], {}, {})

    assert lasts(plan.chains["a"]) == [1]
    assert plan.unasked == {("b", 8)}

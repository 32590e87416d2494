"""What of a page goes in one round."""

from eventstore.rows.outbox import OutboxRow
from relay.delivery.order import make_plan
from relay.delivery.rounds import take_share


def row(aggregate: str, first: int, last: int) -> OutboxRow:
    return OutboxRow(
        aggregate_id=aggregate,
        aggregate_type="T",
        commit_id=f"c{last}",
        first=first,
        last=last,
        committed_at_ms=0,
        epoch=1,
        events=None,
        delivered=frozenset(),
        parked={},
    )


ROWS = {each.key: each for each in (row("a", 1, 4), row("a", 5, 8), row("a", 9, 9), row("b", 1, 3))}


def test_everything_that_fits() -> None:
    """
    Events are counted once, however many destinations lack them.
    """
    share = take_share(make_plan(ROWS.values(), {}, {}), ROWS, {"index": list(ROWS)}, events_max=12)

    assert share.keys == ROWS.keys()
    assert share.sides["index"] == tuple(ROWS)


def test_a_chain_is_cut_and_never_has_a_hole() -> None:
    """
    Where a commit does not fit, nothing above it goes to the bus, though it would fit.
    """
    share = take_share(make_plan(ROWS.values(), {}, {}), ROWS, {}, events_max=7)

    assert [each.last for each in share.chains["a"]] == [4]
    assert [each.last for each in share.chains["b"]] == [3]


def test_a_side_takes_what_is_read_for_the_bus_anyway() -> None:
    """
    And what else fits.
    """
    share = take_share(make_plan(ROWS.values(), {}, {}), ROWS, {"index": list(ROWS)}, events_max=8)

    assert set(share.sides["index"]) == {("a", 4), ("a", 8)}

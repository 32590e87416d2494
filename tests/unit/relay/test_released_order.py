"""Order around parked, released and dropped commits: pages of the feed, the sweep, and a shard that must finish."""

import pytest

from eventstore import TableNames
from eventstore.backoff import Backoff
from eventstore.rows.outbox import OutboxRow
from relay.delivery.page import Fate
from relay.destination import Park
from relay.feed.change import of_record
from relay.operating.parked.drop import Dropper, DropRefusedError
from relay.operating.parked.release import Releaser
from relay.operating.parked.selection import Selection
from relay.outbox.row import row_id
from relay.outbox.writer import OutboxWriter
from tests.support.waiting import until

from .conftest import QUEUE, Bench

BACKOFF = Backoff(attempts_max=3, base_seconds=0.001, cap_seconds=0.002)
BAD = {"M": {"bus": {"M": {"reason": {"S": "bad"}, "errorClass": {"S": "bad"}}}}}


def park(bench: Bench, aggregate_id: str, last: int) -> None:
    bench.break_row(aggregate_id, last, parked=BAD)


def release(bench: Bench) -> None:
    releaser = Releaser(bench.client, TableNames(), bench.runtime, BACKOFF)
    assert list(releaser.release(Selection(), dry_run=False)) != []


def drop(bench: Bench, aggregate_id: str, last: int) -> None:
    dropper = Dropper(bench.client, TableNames(), bench.runtime, BACKOFF, ("bus", "index"))
    row, marks = dropper.find((aggregate_id, last), None)
    dropper.drop(row.id, marks, "ann", "why")


def large_commit(bench: Bench, aggregate_id: str) -> None:
    """Append a commit whose message the bus side refuses for its size."""
    bench.append(aggregate_id, text="x" * 5_000)


def be_small(bench: Bench, message_max_bytes: int) -> None:
    """Let the bus side take messages up to a size."""
    bench.bus._message_max_bytes = message_max_bytes


def test_a_page_of_rows_that_all_wait_is_dealt_with(bench: Bench) -> None:
    """
    A parked commit and its tail must not stop a shard from finishing: nothing about them is work now.
    """
    for _ in range(4):
        bench.append("a")
    park(bench, "a", 1)
    rows = [bench.row("a", last) for last in (1, 2, 3, 4)]

    whole = bench.process(rows)
    bench.rest()
    tail = bench.process([bench.row("a", last) for last in (3, 4)])
    bench.rest()

    assert whole.fates == {Fate.PARKED: 1, Fate.WAITING: 3}
    assert tail.is_dealt_with
    assert not tail.fates[Fate.SETTLED]
    assert len(bench.outbox()) == 4
    assert bench.on_bus() == []


def test_a_tail_behind_a_row_nobody_can_read_is_dealt_with(bench: Bench) -> None:
    """
    Nor must a row that does not say where it begins.
    """
    for _ in range(3):
        bench.append("a")
    tail = [bench.row("a", last) for last in (2, 3)]
    bench.break_row("a", 1, firstSequence={"S": "x"})

    page = bench.process(tail)
    bench.rest()

    assert page.fates == {Fate.WAITING: 2}
    assert bench.on_bus() == []


def test_a_commit_that_is_parked_by_this_very_page_does_not_hold_the_page_up(bench: Bench) -> None:
    """
    The page parks it in its turn, lets its tail wait, and is dealt with.
    """
    bench.append("a")
    large_commit(bench, "a")
    bench.append("a")
    bench.append("b")
    be_small(bench, 1_000)

    page = bench.process(bench.outbox())
    bench.rest()

    assert page.fates == {Fate.SETTLED: 2, Fate.PARKED: 1, Fate.WAITING: 1}
    assert bench.on_bus() == [("a", 1), ("b", 1)]
    assert list(bench.row("a", 2).parked) == ["bus"]


def test_nothing_is_parked_before_its_turn(bench: Bench) -> None:
    """
    The bus refuses the commit below it, so what is too large for it has not come to its turn: no mark.
    """
    bench.append("a")
    large_commit(bench, "a")
    be_small(bench, 1_000)
    bench.broker.refuse(QUEUE)

    page = bench.process([bench.row("a", 2)])
    until(lambda: bench.relay.flow.held_up()[0].attempts >= 3, "the one below it is refused again and again")

    assert page.fates == {Fate.REFUSED: 1}
    assert bench.on_bus() == []
    assert [row.parked for row in bench.outbox()] == [{}, {}]

    bench.broker.heal(QUEUE)
    bench.rest()
    assert bench.on_bus() == [("a", 1)]
    assert list(bench.row("a", 2).parked) == ["bus"]


def test_nothing_is_parked_on_memorys_word(bench: Bench) -> None:
    """
    This process sent the commit below; its row came back owing, as in a restore: that goes first, then the mark.
    """
    bench.append("a")
    (first,) = bench.client.scan(TableName="inventory_outbox")["Items"]
    bench.process(bench.outbox())
    bench.rest()
    bench.client.put_item(TableName="inventory_outbox", Item=first)
    large_commit(bench, "a")
    be_small(bench, 1_000)

    bench.process([bench.row("a", 2)])
    bench.rest()

    assert bench.on_bus() == [("a", 1), ("a", 1)]
    assert [row.key for row in bench.outbox()] == [("a", 2)]
    assert list(bench.row("a", 2).parked) == ["bus"]


def test_a_released_commit_goes_by_the_feed_and_its_tail_by_the_sweep(bench: Bench) -> None:
    """
    The change of the row is work for whoever reads the feed; nobody speaks of the tail but the sweep; in order.
    """
    for _ in range(5):
        bench.append("a")
    park(bench, "a", 2)
    bench.process(bench.outbox())
    release(bench)

    image = bench.client.get_item(
        TableName="inventory_outbox", Key={"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "2"}}
    )["Item"]
    row = of_record({"eventName": "MODIFY", "dynamodb": {"NewImage": image}}, "inventory_outbox")
    assert isinstance(row, OutboxRow)
    bench.process([row])
    bench.rest()
    by_feed = bench.on_bus()
    bench.sweep()
    bench.rest()

    assert by_feed == [("a", 1), ("a", 2)]
    assert bench.on_bus() == [("a", number) for number in range(1, 6)]
    assert bench.outbox() == []


def test_the_tail_alone_brings_the_released_commit_with_it(bench: Bench) -> None:
    """
    A page that holds later commits only: the released one goes first, although nobody handed it over.
    """
    for _ in range(4):
        bench.append("a")
    park(bench, "a", 2)
    bench.process(bench.outbox())
    release(bench)

    bench.process([bench.row("a", 4)])

    assert bench.on_bus() == [("a", number) for number in range(1, 5)]


def test_a_page_that_still_believes_in_the_mark_does_no_harm(bench: Bench) -> None:
    """
    It was read before the release: what it believes to wait stays owed, and the sweep takes it.
    """
    for _ in range(3):
        bench.append("a")
    park(bench, "a", 1)
    stale = bench.outbox()
    release(bench)

    page = bench.process(stale)
    bench.sweep()
    bench.rest()

    assert page.is_dealt_with
    assert bench.on_bus() == [("a", 1), ("a", 2), ("a", 3)]
    assert bench.outbox() == []


def test_a_page_that_does_not_know_of_the_mark_yet_sends_nothing_above_it(bench: Bench) -> None:
    """
    Rows of the feed are older than the mark; the first of them is asked about, and says that it is parked.
    """
    for _ in range(3):
        bench.append("a")
    stale = [bench.row("a", last) for last in (2, 3)]
    park(bench, "a", 1)

    page = bench.process(stale)
    bench.rest()

    assert page.fates == {Fate.WAITING: 2}
    assert bench.on_bus() == []


def test_released_and_parked_again_in_its_turn(bench: Bench) -> None:
    """
    The cause is still there: a new mark, nothing above it has gone, and a drop finds its turn come.
    """
    bench.append("a")
    large_commit(bench, "a")
    bench.append("a")
    be_small(bench, 1_000)
    bench.process(bench.outbox())
    release(bench)

    bench.sweep()
    between = bench.on_bus()
    drop(bench, "a", 2)
    bench.sweep()

    assert between == [("a", 1)]
    assert bench.on_bus() == [("a", 1), ("a", 3)]
    assert [row.key for row in bench.outbox()] == []


def test_a_dropped_commit_is_never_sent_by_a_page_that_was_read_before(bench: Bench) -> None:
    """
    The page carries the mark, so that the commit was no work for it; what is above goes after the drop.
    """
    for _ in range(3):
        bench.append("a")
    park(bench, "a", 2)
    stale = bench.outbox()
    bench.process([bench.row("a", 1)])
    drop(bench, "a", 2)

    bench.process(stale)
    bench.sweep()

    assert bench.on_bus() == [("a", 1), ("a", 3)]
    assert bench.outbox() == []


def test_a_refusal_that_comes_after_a_drop_does_not_park_the_row_again(bench: Bench) -> None:
    """
    The index is still owed it, so the row is there; the bus counts as delivered, which outranks every mark.
    """
    bench.append("a")
    park(bench, "a", 1)
    drop(bench, "a", 1)
    writer = OutboxWriter(bench.client, TableNames(), bench.runtime, BACKOFF)
    row = bench.row("a", 1)

    assert not writer.park(row_id(row), "bus", Park("too large", "message_too_large"))
    assert bench.row("a", 1).parked == {}


def test_no_drop_while_the_commit_before_it_is_under_way(bench: Bench) -> None:
    """
    Parked in its turn and the commit before it confirmed, but not settled yet: the drop waits until it is.
    """
    bench.append("a")
    bench.append("a")
    park(bench, "a", 2)

    with pytest.raises(DropRefusedError):
        drop(bench, "a", 2)
    bench.process([bench.row("a", 1)])
    drop(bench, "a", 2)

    assert bench.on_bus() == [("a", 1)]


def test_many_parked_aggregates_do_not_hold_up_the_others(bench: Bench) -> None:
    """
    A page with parked, waiting and sound commits in turns: the sound ones go, and a second walk tries nothing in vain.
    """
    for number in range(20):
        for _ in range(2):
            bench.append(f"item-{number}")
        if number % 2:
            park(bench, f"item-{number}", 1)
    bench.sweep()
    sent = len(bench.on_bus())

    walk = bench.sweep()

    assert sent == 20
    assert len(bench.on_bus()) == 20
    assert walk.settled == 0

"""The mark of a refusal on an outbox row: read, written, and what it says to a relay that meets it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from eventstore import TableNames
from eventstore.backoff import Backoff
from eventstore.errors import TableMissingError
from eventstore.rows import outbox as outbox_row
from eventstore.rows.refused import RefusedMark, encode
from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError
from relay.delivery.page import Fate
from relay.destination import BUS, Park
from relay.feed import change
from relay.outbox.row import PAUSE_MAX_SECONDS, RowId, of_row, pause_seconds, row_id
from relay.outbox.writer import OutboxWriter
from relay.outbox.written import Done, Foreign, Later
from relay.testing.commits import commit

from .conftest import Bench

MARK = RefusedMark(attempts=3, since_ms=1_000, until_ms=60_000, reason="nack")
TABLE = "inventory_outbox"


def writer(bench: Bench) -> OutboxWriter:
    return OutboxWriter(bench.client, TableNames(), bench.runtime, Backoff(base_seconds=0.001, cap_seconds=0.001))


def only_id(bench: Bench) -> RowId:
    (row,) = bench.outbox()
    return row_id(row)


def stored(**changed: Any) -> dict[str, Any]:
    """Return a row with a mark of which some attributes are others; None removes one."""
    fields: dict[str, Any] = {**encode({BUS: MARK})["M"][BUS]["M"], **changed}
    mark = {"M": {name: value for name, value in fields.items() if value is not None}}
    row = outbox_row.encode(commit("a").events or (), 1_000, 10_000)
    return {**row, "refused": {"M": {BUS: mark}}}


# Read


def test_a_mark_comes_back_as_it_was_written() -> None:
    """
    By destination.
    """
    marks = {BUS: MARK, "other": replace(MARK, attempts=20, reason="silent")}
    row = outbox_row.encode(commit("a").events or (), 1_000, 10_000)

    assert outbox_row.decode({**row, "refused": encode(marks)}, TABLE).refused == marks
    assert outbox_row.decode(row, TABLE).refused == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"attempts": None},
        {"attempts": {"N": "0"}},
        {"attempts": {"S": "3"}},
        {"since": {"N": "1.5"}},
        {"since": {"N": "-1"}},
        {"until": {"N": "1E+125"}},
        {"until": {"N": str(2**63)}},
        {"until": {"NULL": True}},
        {"reason": None},
        {"reason": {"S": "\ud800"}},
        {"reason": {"N": "1"}},
    ],
    ids=str,
)
def test_an_odd_mark_is_no_mark(changed: dict[str, Any]) -> None:
    """
    It costs a pause; the commit is as sound as without it.
    """
    row = outbox_row.decode(stored(**changed), TABLE)

    assert (row.refused, row.defect) == ({}, None)
    assert outbox_row.decode(stored(), TABLE).refused == {BUS: MARK}


@pytest.mark.parametrize("attribute", [{"S": "nack"}, {"M": {BUS: {"S": "nack"}}}, {"L": []}, {}, {"M": None}], ids=str)
def test_an_attribute_that_holds_no_marks(attribute: dict[str, Any]) -> None:
    """
    What is not a map of maps was written by somebody else; the good mark beside an odd one counts.
    """
    row = outbox_row.encode(commit("a").events or (), 1_000, 10_000)

    assert outbox_row.decode({**row, "refused": attribute}, TABLE).refused == {}
    beside = {"M": {"odd": {"S": "nack"}, **encode({BUS: MARK})["M"]}}
    assert outbox_row.decode({**row, "refused": beside}, TABLE).refused == {BUS: MARK}


def test_a_commit_that_can_never_be_sent_has_no_pause() -> None:
    """
    It is parked in its turn, and nothing of it goes to the bus before.
    """
    row = of_row({**stored(), "epoch": {"S": "broken"}}, TABLE)

    assert isinstance(row, outbox_row.OutboxRow)
    assert (row.defect is not None, row.refused) == (True, {})


@pytest.mark.parametrize(
    ("now_ms", "seconds"),
    [
        (0, 60.0),
        (59_999, 0.001),
        (60_000, 0.0),
        (10_000_000, 0.0),
        (60_000 - round(PAUSE_MAX_SECONDS * 1000), PAUSE_MAX_SECONDS),
        (59_999 - round(PAUSE_MAX_SECONDS * 1000), 0.0),
    ],
)
def test_how_long_a_commit_is_left_alone(now_ms: int, seconds: float) -> None:
    """
    Up to the mark's time; one further ahead than any pause lasts is of a wrong clock.
    """
    row = replace(commit("a"), refused={BUS: MARK})

    assert pause_seconds(row, BUS, now_ms) == seconds
    assert pause_seconds(row, "index", now_ms) == 0.0


def test_who_has_the_commit_needs_no_pause() -> None:
    """
    `delivered` outranks the mark, which stays on the row.
    """
    assert pause_seconds(replace(commit("a"), refused={BUS: MARK}, delivered=frozenset({BUS})), BUS, 0) == 0.0


# Written


def test_a_mark_takes_the_place_of_the_one_before(bench: Bench) -> None:
    """
    What else the row says stays.
    """
    bench.append("a")
    writer(bench).note({only_id(bench): {"index"}})
    writer(bench).park(only_id(bench), "file", Park("a reason", "a_class"))
    again = replace(MARK, attempts=4, until_ms=120_000)

    assert writer(bench).mark_refused(only_id(bench), BUS, MARK) == Done()
    assert writer(bench).mark_refused(only_id(bench), BUS, again) == Done()

    (row,) = bench.outbox()
    assert row.refused == {BUS: again}
    assert (row.delivered, row.parked) == (frozenset({"index"}), {"file": "a reason"})
    assert row.events is not None


@pytest.mark.parametrize("odd", [{"S": "nack"}, {"M": {}}, {"NULL": True}], ids=str)
def test_what_is_no_mark_is_in_the_way_of_none(bench: Bench, odd: dict[str, Any]) -> None:
    """
    Else the row would never be marked.
    """
    bench.append("a")
    bench.break_row("a", 1, refused=odd)

    assert writer(bench).mark_refused(only_id(bench), BUS, MARK) == Done()
    assert bench.row("a", 1).refused == {BUS: MARK}


def test_another_commits_row_is_not_marked(bench: Bench) -> None:
    """
    The tables were remade: the refusal was of a commit that is no more.
    """
    bench.append("a")
    former = only_id(bench)._replace(commit_id="a commit of the former tables")

    assert writer(bench).mark_refused(former, BUS, MARK) == Foreign()
    assert writer(bench).mark_refused(former._replace(commit_id=None), BUS, MARK) == Foreign()
    assert bench.row("a", 1).refused == {}


def test_a_row_that_says_not_whose_it_is_is_marked_as_such(bench: Bench) -> None:
    """
    It has a condition of its own.
    """
    bench.append("a")
    bench.break_row("a", 1, commitId=None)
    assert only_id(bench).commit_id is None

    assert writer(bench).mark_refused(only_id(bench), BUS, MARK) == Done()


def test_a_mark_brings_no_row_back(bench: Bench) -> None:
    """
    Somebody else had more luck, and the row went.
    """
    bench.append("a")
    row = only_id(bench)
    writer(bench).delete([row])

    assert writer(bench).mark_refused(row, BUS, MARK) == Foreign()
    assert bench.outbox() == []


def test_a_commit_that_the_bus_has_is_not_marked(bench: Bench) -> None:
    """
    Somebody else had more luck, and its row says so.
    """
    bench.append("a")
    writer(bench).note({only_id(bench): {BUS}})

    assert writer(bench).mark_refused(only_id(bench), BUS, MARK) == Foreign()
    assert bench.row("a", 1).refused == {}


@pytest.mark.parametrize(
    ("error", "is_throttle"),
    [(ServiceError("ThrottlingException", "slow down"), True), (ConnectionLostError("in between"), False)],
    ids=["load", "reply lost"],
)
def test_one_attempt_at_a_mark(bench: Bench, error: Exception, is_throttle: bool) -> None:  # noqa: FBT001 - a case
    """
    Whoever wants it tries again when it is due.
    """
    bench.append("a")
    row = only_id(bench)
    attempts: list[str] = []

    def fail(operation: str, _request: Mapping[str, Any], _effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        attempts.append(operation)
        raise error

    bench.way.trap = fail
    written = writer(bench).mark_refused(row, BUS, MARK)

    assert isinstance(written, Later)
    assert (written.is_throttle, attempts) == (is_throttle, ["UpdateItem"])


def test_no_table_to_mark_in(bench: Bench) -> None:
    """
    Time does not heal it.
    """
    bench.append("a")
    row = only_id(bench)
    bench.client.delete_table(TableName=TABLE)

    with pytest.raises(TableMissingError):
        writer(bench).mark_refused(row, BUS, MARK)


# What the feed makes of it


def images(bench: Bench) -> list[dict[str, Any]]:
    """Return all change records of the outbox."""
    streams = bench.database.streams_client()
    (stream,) = (each for each in streams.list_streams()["Streams"] if each["TableName"] == TABLE)
    arn = stream["StreamArn"]
    found: list[dict[str, Any]] = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        found += streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
    return found


def test_a_mark_is_no_news_to_the_feed(bench: Bench) -> None:
    """
    The change of the row asks for nothing: whoever has it in hand made it.
    """
    bench.append("a")
    writer(bench).mark_refused(only_id(bench), BUS, MARK)

    inserted, marked = images(bench)

    assert marked["dynamodb"]["NewImage"]["refused"] == encode({BUS: MARK})
    assert change.of_record(inserted, TABLE) is not None
    assert change.of_record(marked, TABLE) is None


def test_the_mark_on_a_row_that_was_released_once_comes_with_it(bench: Bench) -> None:
    """
    The row's image says `releasedAt` for good, so each change of it brings it: with the mark, which keeps its pause.
    """
    bench.append("a")
    bench.break_row("a", 1, releasedAt={"N": "7"})
    before = len(images(bench))
    writer(bench).mark_refused(only_id(bench), BUS, MARK)

    (record,) = images(bench)[before:]

    found = change.of_record(record, TABLE)
    assert isinstance(found, outbox_row.OutboxRow)
    assert found.refused == {BUS: MARK}


def test_a_released_row_that_comes_again_with_its_mark_is_tried_no_sooner(bench: Bench) -> None:
    """
    Else each mark would bring the next attempt, of which comes a mark: a copy in the healthy queues for each.
    """
    bench.append("a")
    bench.break_row("a", 1, releasedAt={"N": "7"}, delivered={"SS": ["index"]})
    until_ms = bench.runtime.now_ms() + 300_000
    writer(bench).mark_refused(only_id(bench), BUS, replace(MARK, until_ms=until_ms))
    found = change.of_record(images(bench)[-1], TABLE)
    assert isinstance(found, outbox_row.OutboxRow)

    page = bench.process([found])

    assert page.fates[Fate.REFUSED] == 1
    (waits,) = bench.relay.flow.held_up()
    assert (waits.attempts, waits.reason) == (MARK.attempts, MARK.reason)
    assert 200.0 < waits.next_seconds <= 300.0
    bench.append("b")
    bench.process([bench.row("b", 1)])
    assert bench.on_bus() == [("b", 1)]

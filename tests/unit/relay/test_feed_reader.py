"""One shard's pages, and errors that must never look like its end."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ProxyConnectionError, ReadTimeoutError
from structlog.testing import capture_logs

from eventstore.system import SystemRuntime
from relay.feed.reader import (
    EMPTY_HORIZON_MAX,
    RENEWALS_MAX,
    FeedUnavailableError,
    ShardLostError,
    ShardReader,
)
from relay.leases.position import Position
from relay.metrics import FEED_TRIMMED
from relay.observing.recording import RecordingMeter


class Script:
    """A streams client that answers from a list and notes which iterators were asked for."""

    def __init__(self, *replies: Any) -> None:
        self._replies = list(replies)
        self.places: list[dict[str, Any]] = []

    def get_shard_iterator(self, **request: Any) -> Any:
        self.places.append({key: request[key] for key in ("ShardIteratorType", "SequenceNumber") if key in request})
        return {"ShardIterator": f"it-{len(self.places)}"}

    def get_records(self, **request: Any) -> Any:
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def refused(code: str, status: int = 400) -> Exception:
    response: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetRecords")


def record(position: str) -> dict[str, Any]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "eventName": "REMOVE",
        "dynamodb": {"SequenceNumber": position, "Keys": {}, "ApproximateCreationDateTime": at},
    }


def reader(client: Script, after: Position | None = None) -> ShardReader:
    return ShardReader(client, "arn", "shard-1", after, "inventory_outbox")  # type: ignore[arg-type]


def test_a_new_shard_is_read_from_its_oldest_record() -> None:
    """
    TRIM_HORIZON, never LATEST: a child's first records are as owed as any.
    """
    client = Script({"Records": [], "NextShardIterator": "n"})

    page = reader(client).next_page()

    assert client.places == [{"ShardIteratorType": "TRIM_HORIZON"}]
    assert not page.ended


def test_it_goes_on_after_its_checkpoint() -> None:
    """
    The record of the checkpoint itself is not read again.
    """
    client = Script({"Records": [], "NextShardIterator": "n"})

    reader(client, Position(41)).next_page()

    assert client.places == [{"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": f"{41:021d}"}]


def test_the_last_page_may_hold_records() -> None:
    """
    No next iterator means that the shard ends with this page, whose records count.
    """
    page = reader(Script({"Records": [record("7")]})).next_page()

    assert page.ended
    assert page.records == 1
    assert page.position == Position(7)
    assert page.newest_at_ms == 1_767_225_600_000


def test_a_reply_cut_short_is_no_empty_page() -> None:
    """
    A body that ends early parses as a reply without records: it is asked for again.
    """
    client = Script({}, {"Records": [record("8")], "NextShardIterator": "n"})
    shard = reader(client)

    with pytest.raises(FeedUnavailableError):
        shard.next_page()

    assert shard.next_page().position == Position(8)


def test_a_proxy_that_is_down_is_no_lost_shard() -> None:
    """
    The way to DynamoDB is closed for a while: the same place is asked for again.
    """
    client = Script(
        ProxyConnectionError(proxy_url="http://proxy:3128"), {"Records": [record("8")], "NextShardIterator": "n"}
    )
    shard = reader(client)

    with pytest.raises(FeedUnavailableError, match="proxy:3128"):
        shard.next_page()

    assert shard.next_page().position == Position(8)


def test_an_expired_iterator_is_replaced_after_the_last_record() -> None:
    """
    Nothing is read twice and nothing is passed over.
    """
    client = Script(
        {"Records": [record("8")], "NextShardIterator": "n"},
        refused("ExpiredIteratorException"),
        {"Records": [], "NextShardIterator": "n"},
    )
    shard = reader(client)
    shard.next_page()

    assert shard.next_page().records == 0

    assert client.places[1] == {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": f"{8:021d}"}


def test_iterators_are_not_replaced_for_ever() -> None:
    """
    What a new one does not mend is a fault, after a pause and by another read.
    """
    client = Script(*[refused("ExpiredIteratorException")] * (RENEWALS_MAX + 1))
    shard = reader(client, Position(3))

    with pytest.raises(FeedUnavailableError, match="ExpiredIteratorException"):
        shard.next_page()

    assert len(client.places) == RENEWALS_MAX + 1


def test_an_empty_shard_without_a_horizon_is_an_empty_shard() -> None:
    """
    DynamoDB Local says so of new tables: nothing is wrong, and nothing is said.
    """
    each_read = [refused("TrimmedDataAccessException")] * (RENEWALS_MAX + 1)
    client = Script(*each_read, {"Records": [record("7")], "NextShardIterator": "n"})
    shard = reader(client)

    with capture_logs() as logs:
        empty, first = shard.next_page(), shard.next_page()

    assert (empty.records, empty.ended, first.position) == (0, False, Position(7))
    assert logs == []
    assert client.places == [{"ShardIteratorType": "TRIM_HORIZON"}] * (RENEWALS_MAX + 2)


def test_a_horizon_that_is_never_there_is_a_fault() -> None:
    """
    Somebody must hear of a shard that cannot be read at all.
    """
    shard = reader(Script(*[refused("TrimmedDataAccessException")] * ((RENEWALS_MAX + 1) * (EMPTY_HORIZON_MAX + 1))))
    for _ in range(EMPTY_HORIZON_MAX):
        assert not shard.next_page().ended

    with pytest.raises(FeedUnavailableError, match="TrimmedDataAccessException"):
        shard.next_page()


def test_trimmed_records_mean_starting_at_the_horizon() -> None:
    """
    What was trimmed is the sweep's; the feed goes on with what there is.
    """
    client = Script(refused("TrimmedDataAccessException"), {"Records": [], "NextShardIterator": "n"})
    shard = reader(client, Position(3))

    shard.next_page()

    assert client.places[1] == {"ShardIteratorType": "TRIM_HORIZON"}


@pytest.mark.parametrize(("after", "said"), [(Position(3), 1), (None, 0)])
def test_only_what_lay_behind_a_checkpoint_counts_as_trimmed(after: Position | None, said: int) -> None:
    """
    A shard that was never read may lose its oldest record while it is opened; an operator need not hear of that.
    """
    meter = RecordingMeter(SystemRuntime())
    shard = ShardReader(
        Script(refused("TrimmedDataAccessException"), {"Records": [], "NextShardIterator": "n"}),  # type: ignore[arg-type]
        "arn",
        "shard-1",
        after,
        "inventory_outbox",
        meter,
    )

    with capture_logs() as logs:
        assert not shard.next_page().ended

    assert [log["event"] for log in logs].count("feed.trimmed") == said
    assert meter.series(FEED_TRIMMED) == {(): said}


@pytest.mark.parametrize(
    "fault",
    [
        refused("ThrottlingException"),
        refused("LimitExceededException"),
        refused("InternalServerError", 500),
        ReadTimeoutError(endpoint_url="http://127.0.0.1"),
    ],
)
def test_a_passing_fault_is_neither_a_page_nor_an_end(fault: Exception) -> None:
    """
    Throttles, server errors and lost replies are asked again.
    """
    with pytest.raises(FeedUnavailableError):
        reader(Script(fault)).next_page()


@pytest.mark.parametrize(
    "fault",
    [refused("ResourceNotFoundException"), refused("AccessDeniedException"), refused("ValidationException")],
)
def test_a_lasting_fault_loses_the_shard_and_does_not_finish_it(fault: Exception) -> None:
    """
    No error may look like a shard that was read to its end.
    """
    with pytest.raises(ShardLostError):
        reader(Script(fault)).next_page()


def outbox_record(position: str, **attributes: Any) -> dict[str, Any]:
    image = {
        "aggregateId": {"S": "a"},
        "sequenceNumber": {"N": "1"},
        "firstSequence": {"N": "1"},
        "commitId": {"S": "c"},
        "aggregateType": {"S": "ITEM"},
        "committedAt": {"N": "1735689600000"},
        "epoch": {"N": "1"},
        **attributes,
    }
    made = record(position)
    return {**made, "eventName": "INSERT", "dynamodb": {**made["dynamodb"], "NewImage": image}}


def test_a_record_that_says_neither_place_nor_time() -> None:
    """
    The page's place is that of the last record that says one, and its age is not known, so that rows are asked for.
    """
    bare = {"eventName": "INSERT", "dynamodb": {"NewImage": outbox_record("1")["dynamodb"]["NewImage"]}}
    client = Script({"Records": [bare, record("100"), {}, bare], "NextShardIterator": "n"})

    page = reader(client).next_page()

    assert page.position == Position(100)
    assert (page.records, len(page.rows)) == (4, 2)
    assert (page.oldest_at_ms, page.newest_at_ms) == (None, None)


def test_a_page_without_any_place_leaves_the_place_as_it_was() -> None:
    """
    What was reached is not forgotten; nothing ends.
    """
    client = Script({"Records": [{}], "NextShardIterator": "n"}, refused("ExpiredIteratorException"))
    shard = reader(client, Position(41))

    page = shard.next_page()
    with pytest.raises(IndexError):  # the script is at its end; the place was asked for
        shard.next_page()

    assert page.position is None
    assert not page.ended
    assert [place["SequenceNumber"] for place in client.places] == [f"{41:021d}", f"{41:021d}"]


def test_copies_that_cannot_be_read_are_named_once_a_page() -> None:
    """
    The commits go all the same, so it is no error; one line is enough.
    """
    broken = {"S": "["}
    client = Script(
        {
            "Records": [outbox_record("1", events=broken), outbox_record("2", events=broken), outbox_record("3")],
            "NextShardIterator": "n",
        }
    )

    with capture_logs() as logs:
        page = reader(client).next_page()

    assert [row.copy_fault is not None for row in page.rows] == [True, True, False]
    (told,) = [entry for entry in logs if entry["event"] == "row.copy_unreadable"]
    assert (told["aggregate_id"], told["last"], told["commits"], told["log_level"]) == ("a", 1, 2, "warning")
    assert "'events' cannot be read" in told["reason"]


def test_a_row_of_a_later_release_is_named_as_unreadable() -> None:
    """
    Nobody parks it: it is no commit of the page.
    """
    client = Script({"Records": [outbox_record("1", layout={"N": "2"})], "NextShardIterator": "n"})

    page = reader(client).next_page()

    assert page.rows == ()
    assert [(row.key, row.is_newer) for row in page.unreadable] == [(("a", 1), True)]

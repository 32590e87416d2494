"""How far a shard is read that nobody carries: asked of the feed without following it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from eventstore import TableNames
from eventstore.dynamodb.caller import Caller
from eventstore.testing.dynamodb.errors import ServiceError
from relay.cli import humanize
from relay.feed import unread
from relay.feed.directory import FeedDirectory, Stream
from relay.feed.reader import ShardReader
from relay.feed.unread import Unread
from relay.leases.position import Position

from .conftest import BACKOFF, Night

Effect = Callable[[], dict[str, Any]]


def stream_of(night: Night) -> tuple[Stream, str]:
    directory = FeedDirectory(night.client, night.streams, TableNames(), night.runtime, BACKOFF)
    stream = directory.stream()
    (shard,) = directory.shards(stream)
    return stream, shard.id


def look(night: Night, after: Any = None) -> Unread | None:
    stream, shard_id = stream_of(night)
    return unread.look(night.streams, Caller(night.client, night.runtime, BACKOFF), stream, shard_id, after)


def test_before_the_first_record_and_at_the_end(night: Night) -> None:
    """
    The oldest record counts, then nothing is unread.
    """
    before = night.runtime.now_ms()
    night.append("a", 2)
    stream, shard_id = stream_of(night)
    reader = ShardReader(night.streams, stream.arn, shard_id, None, "inventory_outbox")
    page = reader.next_page()

    first, end = look(night), look(night, page.position)

    assert page.records == 2
    assert first is not None
    assert first.oldest_at_ms is not None
    assert before - 1_000 <= first.oldest_at_ms <= night.runtime.now_ms()
    assert end == Unread(None)


def test_a_position_that_the_feed_has_forgotten(night: Night) -> None:
    """
    It is said, since the sweep must deliver what was there.
    """

    def trim(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "GetShardIterator":
            raise ServiceError("TrimmedDataAccessException", "too old")
        return effect()

    night.append("a")
    stream, shard_id = stream_of(night)
    night.way.trap = trim

    def seen(after: Position | None) -> Unread | None:
        return unread.look(night.streams, Caller(night.client, night.runtime, BACKOFF), stream, shard_id, after)

    assert seen(Position(3)) == Unread(None, is_trimmed=True)
    assert seen(None) == Unread(None), "at the horizon nothing was passed over"


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException", "ExpiredIteratorException"])
def test_a_feed_that_does_not_say_it(night: Night, code: str) -> None:
    """
    Nothing is known then, which is not the same as nothing unread.
    """

    def refuse(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "GetRecords":
            raise ServiceError(code, "no")
        return effect()

    night.append("a")
    night.way.trap = refuse

    assert look(night) is None


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0.4, "0 s"),
        (119.0, "119 s"),
        (120.0, "2 min 0 s"),
        (3599.0, "59 min 59 s"),
        (3600.0, "1 h 0 min"),
        (86_400.0, "24 h 0 min"),
        (172_800.0, "2 d 0 h"),
        (1e9, "11,574 d 1 h"),
    ],
)
def test_lengths_of_time_for_a_person(seconds: float | None, shown: str) -> None:
    """
    Two units, the larger first.
    """
    assert humanize.age(seconds) == shown


def test_stored_text_is_cut_and_written_out() -> None:
    """
    Never longer than asked for, but for what writing out adds.
    """
    assert humanize.text("x" * 400, 10) == "xxxxxxxxxx…"
    assert humanize.text("a\nb\x1b[") == "a\\nb\\x1b["

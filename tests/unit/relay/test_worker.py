"""When a shard's worker asks for each row of a page itself."""

from relay.feed.directory import Stream
from relay.feed.reader import FeedPage
from relay.feed.worker import ShardWorker

from .conftest import Bench


def page(oldest_at_ms: int) -> FeedPage:
    return FeedPage((), (), records=1, position=None, oldest_at_ms=oldest_at_ms, newest_at_ms=oldest_at_ms, ended=False)


def worker(bench: Bench) -> ShardWorker:
    stream = Stream("arn", "label")
    return bench.relay._open_shard("shard-1", stream, None, bench.runtime.flag(), lambda: None)


def test_a_page_that_waited_for_its_turn_is_asked_about(bench: Bench) -> None:
    """
    It was read in time, stood behind a page that an outage held up, and the sweep may have been there since.
    """
    held_up = worker(bench)
    held_up._started_at_ms -= 3_600_000
    now_ms = bench.runtime.now_ms()

    assert held_up._needs_recheck(page(now_ms - 61_000))
    assert not held_up._needs_recheck(page(now_ms - 1_000))


def test_a_page_from_before_the_start_is_asked_about(bench: Bench) -> None:
    """
    A former relay may have settled its rows.
    """
    fresh = worker(bench)

    assert fresh._needs_recheck(page(bench.runtime.now_ms()))

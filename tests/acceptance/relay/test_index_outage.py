"""The index is away for a while: the bus goes on as if nothing had happened, and the index is complete afterwards."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support import retail_input
from tests.support.completeness import await_drained, check, outbox_left
from tests.support.figures import Figures, quantile
from tests.support.private_servers import private_server
from tests.support.proxy import Proxy, proxied, proxy_to
from tests.support.scale import SCALE
from tests.support.servers import Corner, make_corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import start_all, stop_all, workers
from tests.support.writer import Writer

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timed, pytest.mark.timeout(900)]

PER_SECOND = 20.0
BEFORE, AFTER = 40, 20
BUDGET_SECONDS = 1.0
"""So long a commit may wait for the index once the bus has it, and a page of the feed with it."""

SETTLING_SECONDS = 1.5
"""What writing down who has a page takes, and more: two cores are shared with three servers."""


class IndexServer(NamedTuple):
    """An index that can be taken away: for the workers alone by a proxy, or for everybody."""

    corner: Corner
    url: str
    stop: "contextlib.AbstractContextManager[None]"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[IndexServer]:
    """An index of this size of test."""
    with contextlib.ExitStack() as stack:
        if SCALE.really:
            server, url = stack.enter_context(private_server("elasticsearch", tmp_path))
            corner = make_corner(RELAY_ELASTICSEARCH_URL=url)
            away = (server.stop, server.start)
        else:
            corner = make_corner()
            proxy = stack.enter_context(proxy_to(corner.elasticsearch_url))
            url = proxied(corner.elasticsearch_url, proxy)
            away = (lambda: silence_then_shut(proxy), proxy.open)

        @contextlib.contextmanager
        def stop() -> Iterator[None]:
            away[0]()
            try:
                yield
            finally:
                away[1]()

        stack.callback(corner.remove)
        yield IndexServer(corner, url, stop())


def silence_then_shut(proxy: Proxy) -> None:
    """Let requests go unanswered first, which is the slowest way to be away, and refuse connections then."""
    proxy.withhold_replies(lambda _: True)
    assert proxy.withheld.wait(30), "the index is used"
    threading.Event().wait(2 * BUDGET_SECONDS)  # the relay meets the silence meanwhile
    proxy.shut()


def test_an_index_that_is_away_delays_nobody(
    index: IndexServer,
    tmp_path: Path,
    figures: Figures,
) -> None:
    """
    While it is away the bus gets every commit, none of which waits for it longer than the budget; later it has all.
    """
    corner, seconds = index.corner, SCALE.outage_seconds
    _, planned = retail_input.commits(int(PER_SECOND * seconds) + BEFORE + AFTER)
    with contextlib.closing(Witness(corner)) as witness:
        environment = {**corner.environment, "RELAY_ELASTICSEARCH_URL": index.url}
        with workers(environment, tmp_path, "one", "two", index_patience_seconds=f"{BUDGET_SECONDS:g}") as both:
            start_all(both)
            writer = Writer(corner, planned, per_second=PER_SECOND)
            until(lambda: len(witness.seen) >= BEFORE, "the bus has the first commits")
            began_ms = time.time() * 1000
            with index.stop:
                threading.Event().wait(seconds)  # an outage lasts; there is nothing to wait for
                ended_ms, owed = time.time() * 1000, outbox_left(corner)
            back = time.monotonic()
            await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
            drained_seconds = time.monotonic() - back
            assert stop_all(both) == [0, 0]
            records = [record for worker in both for record in worker.records()]
            troubled = sum(len(worker.named("destination.troubled")) for worker in both)

        check(corner, witness, writer.written)
        delays: dict[str, list[float]] = {"calm": [], "outage": []}
        for seen in witness.first():
            at_ms = seen.at_ms - seen.delay_ms
            delays["outage" if began_ms <= at_ms <= ended_ms else "calm"].append(seen.delay_ms)
    assert troubled >= 1
    assert owed >= PER_SECOND * seconds / 2
    assert len(delays["outage"]) >= PER_SECOND * seconds / 2
    standstill = longest_standstill_seconds(records, began_ms, ended_ms)
    assert standstill <= BUDGET_SECONDS + SETTLING_SECONDS
    figures.state(
        outage_s=seconds,
        really_stopped=SCALE.really,
        commits_per_second=PER_SECOND,
        bus_delay_p50_ms=quantile(delays["outage"], 0.5),
        bus_delay_p99_ms=quantile(delays["outage"], 0.99),
        bus_delay_max_ms=max(delays["outage"]),
        calm_bus_delay_p50_ms=quantile(delays["calm"], 0.5),
        calm_bus_delay_p99_ms=quantile(delays["calm"], 0.99),
        longest_time_without_a_page_s=standstill,
        owed_to_index_at_its_end=owed,
        index_complete_after_s=drained_seconds,
        repeats=witness.repeats(),
    )


def longest_standstill_seconds(records: Iterable[dict[str, Any]], began_ms: float, ended_ms: float) -> float:
    """Return the longest time of the outage in which no page of the feed was dealt with, though commits came."""
    settled = sorted(
        at(record).timestamp()
        for record in records
        if record["event"] == "page.settled" and record.get("source") == "feed"
    )
    times = [began_ms / 1000, *(each for each in settled if began_ms < 1000 * each < ended_ms), ended_ms / 1000]
    return max(then - first for first, then in pairwise(times))


def at(record: dict[str, Any]) -> datetime:
    """Return when a record was logged."""
    return datetime.fromisoformat(record["timestamp"])

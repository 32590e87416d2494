"""Shards change hands while everybody is well: within seconds, and without a repeated message."""

import contextlib
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import retail_input
from tests.support.completeness import await_drained, check
from tests.support.figures import Figures
from tests.support.lease_table import LeaseTable
from tests.support.scale import SCALE
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Seen, Witness
from tests.support.workers import start_all, stop_all, workers
from tests.support.writer import Writer

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timed, pytest.mark.timeout(300)]

PER_SECOND = 30.0
COMMITS = 150
WELL_SECONDS = 5.0 + SCALE.slack_seconds
"""Longest time of a hand-over when nothing fails."""


def test_one_of_two_is_told_to_stop(any_corner: Corner, tmp_path: Path, figures: Figures) -> None:
    """
    The one that carries most ends with 0; the other goes on within seconds, and no message comes twice.
    """
    corner, table = any_corner, LeaseTable(any_corner)
    planned = retail_input.commits(COMMITS).commits
    with (
        contextlib.closing(Witness(corner)) as witness,
        workers(corner.environment, tmp_path, "one", "two", sweep_min_age_seconds="60") as both,
    ):
        start_all(both)
        writer = Writer(corner, planned, per_second=PER_SECOND)
        until(lambda: len(witness.seen) >= COMMITS / 3, "the bus has a third")
        leaving, staying = sorted(both, key=lambda each: len(table.held_by(table.worker_of(each.pid))), reverse=True)
        worker_id = table.worker_of(leaving.pid)
        keys = table.held_by(worker_id)
        assert keys
        told_ms = time.time() * 1000
        began = time.monotonic()
        code = leaving.stop()
        stopped_seconds = time.monotonic() - began
        handed_over_seconds = stopped_seconds + table.await_carried_without(worker_id, keys, timeout_seconds=60)
        await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
        assert staying.stop() == 0
        check(corner, witness, writer.written)

    pause_seconds = longest_pause_seconds(witness.first(), told_ms)
    figures.state(
        stopped_after_s=stopped_seconds,
        handed_over_s=handed_over_seconds,
        longest_pause_of_bus_s=pause_seconds,
        repeats=witness.repeats(),
    )
    assert code == 0
    assert witness.repeats() == 0
    assert handed_over_seconds <= WELL_SECONDS
    assert pause_seconds <= WELL_SECONDS


def test_a_newcomer_gets_its_share(corner_of_shards: Corner, tmp_path: Path, figures: Figures) -> None:
    """
    A second worker gets half of the shards, one after the other, in the middle of the traffic; no message comes twice.
    """
    corner, table = corner_of_shards, LeaseTable(corner_of_shards)
    planned = retail_input.commits(10 * COMMITS).commits
    with (
        contextlib.closing(Witness(corner)) as witness,
        workers(corner.environment, tmp_path, "one", "two", sweep_min_age_seconds="60") as (first, second),
    ):
        first.start()
        until(lambda: list(table.shares().values()) == [4], "the first carries all")
        writer = Writer(corner, planned, per_second=PER_SECOND)
        until(lambda: len(witness.seen) >= COMMITS / 6, "the bus is used")
        second.start("relay.started")
        began = time.monotonic()
        until(lambda: sorted(table.shares().values()) == [2, 2], "each carries half", timeout_seconds=60)
        shared_seconds = time.monotonic() - began
        came = len(witness.seen)
        until(lambda: len(witness.seen) >= came + PER_SECOND, "a second more of traffic")
        writer.stop()
        await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
        settled = sorted(table.shares().values())
        assert stop_all([first, second]) == [0, 0]
        check(corner, witness, writer.written)

    figures.state(shared_after_s=shared_seconds, repeats=witness.repeats())
    assert settled == [2, 2]
    assert witness.repeats() == 0


def longest_pause_seconds(seen: list[Seen], since_ms: float) -> float:
    """Return the longest time between two messages that follow each other, from a moment on."""
    times = [since_ms, *(each.at_ms for each in seen if each.at_ms >= since_ms)]
    return max(after - before for before, after in pairwise(times)) / 1000

"""A worker that was killed is found by its neighbour within the lease duration and two seconds."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from eventstore import AggregateRef, NewEvent
from relay.testing.checker import WrittenCommit
from tests.support.completeness import append, check, outbox_left
from tests.support.figures import Figures
from tests.support.lease_table import LeaseTable
from tests.support.scale import SCALE
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import start_all, stop_all, workers

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timed, pytest.mark.timeout(600)]

KILLS = int(os.environ.get("RELAY_TEST_KILLS", "10" if SCALE.really else "2"))
FOUND_SECONDS = SCALE.lease_seconds + 2.0 + SCALE.slack_seconds
ITEM = AggregateRef("ITEM", "SKU-1")


def test_each_death_is_found_in_time(any_corner: Corner, tmp_path: Path, figures: Figures) -> None:
    """
    Time after time the one that carries is killed: the other carries on in time, and what is appended then arrives.
    """
    corner, table, store = any_corner, LeaseTable(any_corner), any_corner.store()
    written: list[WrittenCommit] = []
    found: list[float] = []
    delivered: list[float] = []
    with (
        contextlib.closing(Witness(corner)) as witness,
        workers(corner.environment, tmp_path, "one", "two", sweep_min_age_seconds="60") as both,
    ):
        start_all(both)
        for number in range(KILLS):
            for worker in both:
                if not worker.is_running():
                    worker.start("relay.started")
            until(lambda: all(lease.owner for lease in table.leases()) and table.leases(), "everything is carried")
            victim = max(both, key=lambda each: len(table.held_by(table.worker_of(each.pid))))
            worker_id = table.worker_of(victim.pid)
            keys = [lease.key for lease in table.leases() if lease.owner == worker_id]
            assert keys
            victim.signal(signal.SIGKILL)
            began = time.monotonic()
            victim.wait()
            written.append(append(store, ITEM, [NewEvent("A", {})], number))
            found.append(table.await_carried_without(worker_id, keys, timeout_seconds=SCALE.drain_seconds))
            until(lambda count=number: len(witness.first()) > count, "what was appended arrives")
            delivered.append(time.monotonic() - began)
        until(lambda: outbox_left(corner) == 0, "nothing is owed")
        assert set(stop_all([worker for worker in both if worker.is_running()])) == {0}

    assert check(corner, witness, written).events == KILLS
    figures.state(
        kills=KILLS,
        lease_s=SCALE.lease_seconds,
        found_min_s=min(found),
        found_max_s=max(found),
        delivered_max_s=max(delivered),
        repeats=witness.repeats(),
    )
    assert max(found) <= FOUND_SECONDS

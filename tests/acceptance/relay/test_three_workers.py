"""Three workers share the feed; one is killed, one frozen for longer than its lease, one told to stop."""

import contextlib
import signal
import threading
from pathlib import Path

import pytest

from tests.support import retail_input
from tests.support.completeness import await_drained, check
from tests.support.figures import Figures
from tests.support.lease_table import LeaseTable
from tests.support.relay_process import RelayProcess
from tests.support.scale import SCALE
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import start_all, workers
from tests.support.writer import Writer

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timed, pytest.mark.timeout(1200)]

KILL_AT, FREEZE_AT, STOP_AT = 0.15, 0.35, 0.8
"""After which share of the commits the worker that carries most is killed, frozen, told to stop."""

FOUND_SECONDS = SCALE.lease_seconds + 2.0 + SCALE.slack_seconds
"""Within so long a worker that sends no heartbeat is found, and what it carried is carried on."""


def test_killed_frozen_and_stopped(any_corner: Corner, tmp_path: Path, figures: Figures) -> None:
    """
    Each time it is the one that carries most: nothing is missing, nothing is owed, first deliveries are in order.
    """
    corner, table = any_corner, LeaseTable(any_corner)
    source, planned = retail_input.commits(SCALE.commits)
    with (
        contextlib.closing(Witness(corner)) as witness,
        workers(corner.environment, tmp_path, "one", "two", "three") as all_three,
    ):
        start_all(all_three)
        writer = Writer(corner, planned, per_second=SCALE.commits_per_second)
        alive = {table.worker_of(worker.pid): worker for worker in all_three}

        await_share(writer, KILL_AT, len(planned))
        killed, keys = busiest(table, alive)
        alive.pop(killed).signal(signal.SIGKILL)
        found_dead_seconds = table.await_carried_without(killed, keys, timeout_seconds=SCALE.drain_seconds)

        await_share(writer, FREEZE_AT, len(planned))
        frozen, keys = busiest(table, alive)
        alive[frozen].signal(signal.SIGSTOP)
        found_frozen_seconds = table.await_carried_without(frozen, keys, timeout_seconds=SCALE.drain_seconds)
        threading.Event().wait(max(0.0, SCALE.freeze_seconds - found_frozen_seconds))
        repeats_before = witness.repeats()
        alive[frozen].signal(signal.SIGCONT)

        await_share(writer, STOP_AT, len(planned))
        repeats_by_frozen = witness.repeats() - repeats_before
        stopped, keys = busiest(table, alive)
        leaving = alive.pop(stopped)
        leaving.signal(signal.SIGTERM)
        handed_over_seconds = table.await_carried_without(stopped, keys, timeout_seconds=SCALE.drain_seconds)
        assert leaving.wait() == 0

        await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
        (last,) = alive.values()
        assert last.stop() == 0
        check(corner, witness, writer.written)
        until(lambda: not table.workers() - {killed}, "those that stopped have taken their records away")

    figures.state(
        input=source,
        commits=writer.commits,
        events=writer.events,
        lease_s=SCALE.lease_seconds,
        frozen_s=SCALE.freeze_seconds,
        found_dead_s=found_dead_seconds,
        found_frozen_s=found_frozen_seconds,
        handed_over_s=handed_over_seconds,
        repeats_by_frozen=repeats_by_frozen,
        repeats=witness.repeats(),
    )
    assert found_dead_seconds <= FOUND_SECONDS
    assert found_frozen_seconds <= FOUND_SECONDS


def await_share(writer: Writer, share: float, of: int) -> None:
    """Wait until so much is appended."""
    until(
        lambda: writer.commits >= share * of or not writer.is_writing(),
        f"{share:.0%} is appended",
        timeout_seconds=SCALE.drain_seconds,
    )
    assert writer.failure is None


def busiest(table: LeaseTable, alive: dict[str, RelayProcess]) -> tuple[str, frozenset[str]]:
    """Return the worker that carries most shards, one at least, and the keys of these."""
    until(lambda: any(table.held_by(worker) for worker in alive), "somebody carries a shard")
    worker = max(alive, key=lambda each: len(table.held_by(each)))
    return worker, table.held_by(worker)

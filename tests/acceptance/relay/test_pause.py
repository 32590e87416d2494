"""`relay pause` and `relay resume`: delivery of all workers stops and goes on; leases live on meanwhile."""

import threading
import time
from pathlib import Path

import pytest

from tests.acceptance.cli.commands import Terminal
from tests.support import retail_input
from tests.support.completeness import await_drained, check, outbox_left
from tests.support.figures import Figures
from tests.support.lease_table import LeaseRow, LeaseTable
from tests.support.scale import SCALE
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import start_all, stop_all, workers
from tests.support.writer import Writer

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timed]

NOTICED_SECONDS = 3.0
"""Workers look once a second, and a delivery under way ends."""

PAUSE_SECONDS = SCALE.lease_seconds + 1.0
PER_SECOND = 20.0


def carried(leases: list[LeaseRow]) -> dict[str, tuple[str | None, int]]:
    """Return owner and term of each lease."""
    return {lease.key: (lease.owner, lease.term) for lease in leases}


def test_paused_and_resumed(corner: Corner, witness: Witness, tmp_path: Path, figures: Figures) -> None:
    """
    Nothing comes while it lasts, longer than a lease; nobody loses a shard; then all comes, once each and in order.
    """
    table = LeaseTable(corner)
    terminal = Terminal(tmp_path).with_settings(**corner.environment)
    planned = retail_input.commits(1000).commits
    with workers(corner.environment, tmp_path, "one", "two", "late", sweep_min_age_seconds="60") as (one, two, late):
        start_all([one, two])
        writer = Writer(corner, planned, per_second=PER_SECOND)
        until(lambda: len(witness.seen) >= PER_SECOND, "the bus is used")
        paused = terminal.run("relay", "pause", "--reason", "the bus is moved")
        assert paused.code == 0, paused.err
        assert paused.out.count("\n  worker ") == 2
        told = time.monotonic()
        until(lambda: outbox_left(corner) >= PER_SECOND, "what is appended stays owed")
        threading.Event().wait(max(0.0, told + NOTICED_SECONDS - time.monotonic()))
        came, before = len(witness.seen), table.leases()
        late.start("relay.started")  # finds the pause
        threading.Event().wait(PAUSE_SECONDS)
        came_in_pause, after = len(witness.seen) - came, table.leases()
        shown = terminal.run("relay", "status")
        assert shown.code == 0, shown.err
        assert "the bus is moved" in shown.out
        with terminal.start("relay", "resume") as resume:
            until(lambda: not table.has("pause"), "the pause is over")
            told = time.monotonic()
            until(lambda: len(witness.seen) > came, "delivery goes on")
            resumed_seconds = time.monotonic() - told
            resumed = resume.end()
        assert resumed.code == 0, resumed.err
        writer.stop()
        await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
        assert stop_all([one, two, late]) == [0, 0, 0]
        again = terminal.run("relay", "resume")
    check(corner, witness, writer.written)

    figures.state(
        lease_s=SCALE.lease_seconds,
        paused_s=PAUSE_SECONDS,
        came_in_pause=came_in_pause,
        resumed_after_s=resumed_seconds,
        repeats=witness.repeats(),
    )
    assert came_in_pause == 0
    kept = {lease.key: lease for lease in before}
    assert all(lease.counter > kept[lease.key].counter for lease in after if lease.is_of_a_shard)
    assert {key: each for key, each in carried(after).items() if key != "lease#sweep"} == {
        key: each for key, each in carried(before).items() if key != "lease#sweep"
    }
    assert resumed_seconds <= NOTICED_SECONDS + SCALE.slack_seconds
    assert again.code == 0
    assert again.out == "delivery was not paused; nothing was changed.\n"
    assert witness.repeats() == 0

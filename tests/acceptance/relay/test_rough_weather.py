"""Three workers on a DynamoDB where everything goes wrong that AWS permits, and one of them is killed."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import retail_input
from tests.support.completeness import await_drained, check
from tests.support.dev_server import dev_server
from tests.support.figures import Figures
from tests.support.relay_process import RelayProcess
from tests.support.scale import SCALE
from tests.support.servers import Corner, make_corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import stop_all, workers
from tests.support.writer import Writer

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timeout(1200)]

SEED = "20261"
COMMITS = SCALE.commits // 4
STARTS_MAX = 10
OUT_OF_REACH = 3


@pytest.fixture
def rough_corner() -> Iterator[Corner]:
    """A corner whose tables and feed are rough, with shards that split, rotate and are listed late."""
    with dev_server("--rough", "--seed", SEED, "--shards", "2") as address:
        made = make_corner(EVENTSTORE_DYNAMODB_ENDPOINT_URL=address)
        yield made
        made.remove()


def start_as_a_supervisor_does(worker: RelayProcess) -> None:
    """Start it, again when its first questions went unanswered, which ends it with 3."""
    for _ in range(STARTS_MAX):
        worker.begin()
        until(lambda: "relay.started" in worker.events() or not worker.is_running(), "it has started or ended")
        if worker.is_running():
            return
        assert worker.wait() == OUT_OF_REACH, worker.log_text()
    raise AssertionError(f"not up after {STARTS_MAX} starts: {worker.log_text()}")


def test_nothing_is_lost_in_rough_weather(rough_corner: Corner, tmp_path: Path, figures: Figures) -> None:
    """
    Throttles, lost replies, half-applied reads, swapped records, splitting shards: all arrives, in order.
    """
    corner = rough_corner
    planned = retail_input.commits(COMMITS).commits
    with (
        contextlib.closing(Witness(corner)) as witness,
        workers(corner.environment, tmp_path, "one", "two", "three") as all_three,
    ):
        for worker in all_three:
            start_as_a_supervisor_does(worker)
        writer = Writer(corner, planned, per_second=SCALE.commits_per_second, patient=True)
        until(
            lambda: writer.commits >= COMMITS / 3 or not writer.is_writing(),
            "a third is appended",
            timeout_seconds=SCALE.drain_seconds,
        )
        killed, *others = all_three
        killed.signal(signal.SIGKILL)
        await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
        opened = sum(len(worker.named("shard.opened")) for worker in all_three)
        finished = sum(len(worker.named("shard.finished")) for worker in all_three)
        assert stop_all(others) == [0, 0]
        check(corner, witness, writer.written)

    figures.state(commits=writer.commits, shards_opened=opened, shards_finished=finished, repeats=witness.repeats())
    assert finished >= 1

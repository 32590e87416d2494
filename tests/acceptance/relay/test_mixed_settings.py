"""Workers that live must agree on what they share: another one says why it will not start, until they are gone."""

import signal
import time
from pathlib import Path

import pytest

from eventstore import AggregateRef, NewEvent
from tests.support.completeness import append, check, outbox_left
from tests.support.figures import Figures
from tests.support.foreign_worker import foreign_worker
from tests.support.lease_table import LeaseTable
from tests.support.relay_process import RelayProcess
from tests.support.scale import SCALE
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import QUICK, workers

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

SET_UP_IS_WRONG = 2
ITEM = AggregateRef("ITEM", "SKU-1")
LEASE_SECONDS = SCALE.lease_seconds
OTHER_SECONDS = LEASE_SECONDS + 1
STARTED_SECONDS = 2 * max(LEASE_SECONDS, OTHER_SECONDS) + 10.0


def refused(corner: Corner, folder: Path, **settings: str) -> str:
    """Start a worker that must not stay up, and return its error."""
    relay = RelayProcess(corner.environment, folder, name="refused", **{**QUICK, **settings})
    relay.begin()
    try:
        assert relay.wait() == SET_UP_IS_WRONG, relay.log_text()
    finally:
        relay.close()
    (line,) = [line for line in relay.log_text().splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.timed
def test_another_duration_of_leases(corner: Corner, witness: Witness, tmp_path: Path) -> None:
    """
    Both values are named, the one that works is not disturbed; once it has stopped, the other one starts at once.
    """
    store, table = corner.store(), LeaseTable(corner)
    with workers(corner.environment, tmp_path, "old", sweep_min_age_seconds="60") as (old,):
        old.start()
        before = table.shard_leases()
        line = refused(corner, tmp_path, lease_seconds=str(OTHER_SECONDS))
        assert str(OTHER_SECONDS) in line
        assert str(LEASE_SECONDS) in line
        assert table.worker_of(old.pid) in line
        assert [(each.owner, each.term) for each in table.shard_leases()] == [
            (each.owner, each.term) for each in before
        ]
        first = append(store, ITEM, [NewEvent("A", {})], 0)
        until(lambda: len(witness.seen) == 1, "the first one delivers")
        until(lambda: outbox_left(corner) == 0, "nothing is owed")
        assert old.stop() == 0
    other = {"lease_seconds": str(OTHER_SECONDS), "sweep_min_age_seconds": "60"}
    with workers(corner.environment, tmp_path, "new", **other) as (new,):
        new.start()
        second = append(store, ITEM, [NewEvent("A", {})], 1)
        until(lambda: len(witness.seen) == 2, "the second one delivers")
        until(lambda: outbox_left(corner) == 0, "nothing is owed")
        assert new.stop() == 0
    check(corner, witness, [first, second], repeats_max=0)


def test_another_bus(corner: Corner, tmp_path: Path) -> None:
    """
    Another virtual host, where nobody looks for events: it is refused before a connection, without a password in words.
    """
    with workers(corner.environment, tmp_path, "old") as (old,):
        old.start()
        line = refused(corner, tmp_path, rabbitmq_url=f"{corner.rabbitmq_url.removesuffix('/')}another")
        assert old.stop() == 0
    assert "/another here" in line
    assert "guest" not in line
    assert "RELAY_BUS_MOVED_FROM" in line


@pytest.mark.parametrize(
    ("setting", "value"),
    [("name_prefix", "another"), ("file_path", "events.jsonl")],
    ids=["names", "destinations"],
)
def test_other_destinations(corner: Corner, tmp_path: Path, setting: str, value: str) -> None:
    """
    Other names at the destinations, or a destination more, would split what is owed: it is refused, and both are named.
    """
    given = str(tmp_path / value) if setting == "file_path" else value
    with workers(corner.environment, tmp_path, "old") as (old,):
        old.start()
        line = refused(corner, tmp_path, **{setting: given})
        assert old.stop() == 0
    assert (value if setting == "name_prefix" else "file") in line
    assert (corner.run if setting == "name_prefix" else "bus") in line


def test_a_newer_release_with_other_records(corner: Corner, tmp_path: Path) -> None:
    """
    A worker of a newer release lives, with other records: this release says so, names it, and changes nothing.
    """
    with foreign_worker(corner, "newer-1", protocol=99, lease_ms=1000 * LEASE_SECONDS):
        line = refused(corner, tmp_path)
    found = corner.client.get_item(
        TableName="inventory_relay",
        Key={"recordType": {"S": "fleet"}, "recordKey": {"S": "settings"}},
        ConsistentRead=True,
    )["Item"]

    assert "protocol is 99 for them and 1 here" in line
    assert "newer-1" in line
    assert found["protocol"] == {"N": "99"}
    assert LeaseTable(corner).workers() == {"newer-1"}


@pytest.mark.timed
def test_after_a_crash_of_the_last(corner: Corner, witness: Witness, tmp_path: Path, figures: Figures) -> None:
    """
    The worker with the other settings was killed, so nobody lives: it is waited out, then its settings are replaced.
    """
    with (
        workers(corner.environment, tmp_path, "old") as (old,),
        workers(corner.environment, tmp_path, "new", lease_seconds=str(OTHER_SECONDS)) as (new,),
    ):
        old.start()
        store = corner.store()
        first = append(store, ITEM, [NewEvent("A", {})], 0)
        until(lambda: len(witness.seen) == 1, "the first one delivers")
        old.signal(signal.SIGKILL)
        old.wait()
        second = append(store, ITEM, [NewEvent("A", {})], 1)
        began = time.monotonic()
        new.start()
        started_seconds = time.monotonic() - began
        until(lambda: len(witness.first()) == 2, "the second one delivers")
        until(lambda: outbox_left(corner) == 0, "nothing is owed")
        assert new.stop() == 0
    check(corner, witness, [first, second])
    figures.state(lease_s=LEASE_SECONDS, other_lease_s=OTHER_SECONDS, started_after_s=started_seconds)
    assert started_seconds <= STARTED_SECONDS

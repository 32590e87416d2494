"""Every write of the fleet's records: what it leaves, and that its condition refuses whom it must."""

from dataclasses import replace

import pytest

from relay.leases.errors import LeaseLostError
from relay.leases.fleet import Fleet, FleetSettings, Lease, Pause, WorkerRecord, lease_key
from relay.leases.fleet_table import FleetTable
from relay.leases.position import Position
from relay.leases.worker_report import ShardReport, WorkerReport

KEY = lease_key("2025-01-01T00:00:00.000", "shardId-1")
SETTINGS = FleetSettings(frozenset({"bus", "index"}), "inventory", 10_000, 1)
WORKER = WorkerRecord("w1", 1, "host", 42, "0.1.0", 1_000, 2_000, WorkerReport(shards=(ShardReport("s1", 1.5, 3),)))


def taken(table: FleetTable) -> Lease:
    """Return a lease that w1 has just taken."""
    assert table.create_lease(KEY)
    lease = table.take(table.look().leases[KEY], "w1")
    assert lease is not None
    return lease


def test_a_lease_from_its_creation_to_its_end(table: FleetTable) -> None:
    """
    It is created once, taken by one, renewed, carried on by another, finished and removed.
    """
    lease = taken(table)
    assert (lease.owner, lease.term, lease.counter) == ("w1", 1, 1)
    assert not table.create_lease(KEY)
    assert table.take(replace(lease, owner=None, term=0, counter=0), "w2") is None
    assert table.renew(KEY, "w1", 1).counter == 2
    table.save(KEY, "w1", 1, Position(7), finished=False)
    assert not table.remove_lease(table.look().leases[KEY])
    assert table.ask_for(table.look().leases[KEY], "w2")
    assert table.release(KEY, "w1", 1, to="w2")
    handed = table.look().leases[KEY]
    assert (handed.owner, handed.term, handed.position) == ("w2", 2, Position(7))
    with pytest.raises(LeaseLostError):
        table.renew(KEY, "w1", 1)
    with pytest.raises(LeaseLostError):
        table.save(KEY, "w1", 1, Position(9), finished=True)
    table.save(KEY, "w2", 2, Position(8), finished=True)
    done = table.look().leases[KEY]
    assert (done.owner, done.finished, done.position) == (None, True, Position(8))
    assert table.take(done, "w3") is None
    assert table.remove_lease(done)
    assert table.look() == Fleet()


def test_who_saw_something_else_is_refused(table: FleetTable) -> None:
    """
    A take and a request say what they saw; the row that is in the way comes back with the refusal.
    """
    seen = taken(table)
    now = table.renew(KEY, "w1", 1)
    assert table.take(seen, "w2") is None
    assert not table.ask_for(seen, "w2")
    assert table.ask_for(now, "w2")
    assert table.ask_for(now, "w2"), "it is our own request that is in the way"
    assert not table.ask_for(now, "w3")
    assert table.take(now, "w3") is not None
    assert not table.release(KEY, "w1", 1)
    last = table.look().leases[KEY]
    assert (last.owner, last.term, last.hand_over_to) == ("w3", 2, None)


def test_a_released_lease_is_free(table: FleetTable) -> None:
    """
    Without an owner, and no longer as it was seen.
    """
    seen = taken(table)
    table.release(KEY, "w1", 1)
    free = table.look().leases[KEY]
    assert (free.owner, free.term, free.counter) == (None, 1, 2)
    assert table.take(seen, "w2") is None
    assert table.take(free, "w2") is not None


def test_a_lease_is_handed_to_who_asks_for_it_still(table: FleetTable) -> None:
    """
    To nobody when the request was taken back.
    """
    seen = taken(table)
    assert table.ask_for(seen, "w2")
    assert table.ask_no_more(KEY, "w2") is None
    assert table.release(KEY, "w1", 1, to="w2")
    free = table.look().leases[KEY]
    assert (free.owner, free.term, free.hand_over_to) == (None, 1, None)
    now = table.take(free, "w1")
    assert now is not None
    assert table.ask_for(now, "w2")
    assert table.release(KEY, "w1", 2, to="w2")
    handed = table.ask_no_more(KEY, "w2")
    assert handed is not None
    assert (handed.owner, handed.term, handed.hand_over_to) == ("w2", 3, None)


def test_settings_that_name_the_bus(table: FleetTable) -> None:
    """
    Nodes that were noted are compared as well, and so is that none were.
    """
    one, two = (replace(SETTINGS, bus=frozenset({node, "b:5672/v"})) for node in ("a:5672/v", "c:5672/v"))
    assert table.put_settings(SETTINGS, None)
    assert not table.put_settings(two, one)
    assert table.put_settings(one, SETTINGS)
    assert not table.put_settings(two, SETTINGS)
    assert not table.put_settings(two, replace(one, bus=frozenset({"a:5672/v"})))
    assert table.put_settings(two, one)
    assert table.look().settings == two


def test_workers_settings_and_pause(table: FleetTable) -> None:
    """
    They are written, compared with what is there, and removed.
    """
    other = replace(SETTINGS, destinations=frozenset({"bus"}))
    table.write_worker(WORKER)
    assert table.put_settings(SETTINGS, None)
    assert not table.put_settings(other, None)
    assert not table.put_settings(other, replace(SETTINGS, lease_ms=1))
    assert table.put_settings(other, SETTINGS)
    pause = Pause("ops", 5, "maintenance")
    assert table.pause(pause) is None
    assert table.pause(Pause("dev", 6, "why")) == pause
    assert table.look() == Fleet(workers={"w1": WORKER}, settings=other, pause=pause)
    table.remove_worker("w1", counter=2)
    assert list(table.look().workers) == ["w1"]
    table.remove_worker("w1", counter=1)
    table.resume()
    table.resume()
    assert table.look() == Fleet(settings=other)

"""The fleet's records as they lie in the relay table, attribute by attribute, and what is read out of others."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from eventstore.errors import CorruptRowError
from relay.leases import records
from relay.leases import worker_report as reports
from relay.leases.errors import FleetSettingsError, LeaseFencedError, LeaseLostError
from relay.leases.fleet import PROTOCOL, Fleet, FleetSettings, Lease, Pause, WorkerRecord, WorkerState, lease_key
from relay.leases.position import Position
from relay.leases.worker_report import (
    DestinationReport,
    FeedReport,
    HeldUpReport,
    ShardReport,
    SweepReport,
    WorkerReport,
)

KEY = lease_key("label", "s1")
LEASE_ROW = {
    "recordType": {"S": "fleet"},
    "recordKey": {"S": "lease#label#s1"},
    "owner": {"S": "w1"},
    "term": {"N": "3"},
    "counter": {"N": "9"},
    "handOverTo": {"S": "w2"},
    "state": {"S": "reading"},
    "feedPosition": {"S": "000000000000000000042"},
    "updatedAt": {"N": "7"},
}
LEASE = Lease(KEY, "w1", 3, 9, "w2", position=Position(42), updated_at_ms=7)
WORKER_ROW = {
    "recordType": {"S": "fleet"},
    "recordKey": {"S": "worker#w1"},
    "counter": {"N": "7"},
    "state": {"S": "leaving"},
    "host": {"S": "host"},
    "pid": {"N": "42"},
    "release": {"S": "0.1.0"},
    "startedAt": {"N": "1000"},
    "updatedAt": {"N": "2000"},
}
WORKER = WorkerRecord("w1", 7, "host", 42, "0.1.0", 1000, 2000, None, WorkerState.LEAVING)
PAUSE_ROW = {
    "recordType": {"S": "fleet"},
    "recordKey": {"S": "pause"},
    "by": {"S": "ann"},
    "at": {"N": "5"},
    "reason": {"S": "maintenance"},
}
PAUSE = Pause("ann", 5, "maintenance")
SETTINGS_ROW = {
    "recordType": {"S": "fleet"},
    "recordKey": {"S": "settings"},
    "destinations": {"SS": ["bus", "index"]},
    "namePrefix": {"S": "shop"},
    "leaseMs": {"N": "10000"},
    "protocol": {"N": "1"},
    "bus": {"SS": ["a:5672/", "b:5672/"]},
}
SETTINGS = FleetSettings(frozenset({"index", "bus"}), "shop", 10_000, 1, frozenset({"b:5672/", "a:5672/"}))


def without(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {each: value for each, value in row.items() if each != name}


def read(*rows: Any) -> Fleet:
    return records.decode_fleet(rows, "relay")


# As they are stored


def test_a_lease_is_read_from_these_names() -> None:
    """
    Owner, hand-over and position may be missing; a new one has none of them.
    """
    assert read(LEASE_ROW) == Fleet({KEY: LEASE})
    assert records.new_lease(KEY, 7) == {
        "recordType": {"S": "fleet"},
        "recordKey": {"S": "lease#label#s1"},
        "term": {"N": "0"},
        "counter": {"N": "0"},
        "state": {"S": "reading"},
        "updatedAt": {"N": "7"},
    }
    assert read(records.new_lease(KEY, 7)) == Fleet({KEY: Lease(KEY, None, 0, 0, updated_at_ms=7)})
    assert read({**LEASE_ROW, "state": {"S": "finished"}}) == Fleet({KEY: replace(LEASE, finished=True)})


def test_a_worker_is_stored_under_these_names() -> None:
    """
    Its report is JSON text, and is there when it has one.
    """
    report = WorkerReport(shards_max=3)

    assert records.encode_worker(WORKER) == WORKER_ROW
    assert records.encode_worker(replace(WORKER, report=report)) == {
        **WORKER_ROW,
        "report": {"S": reports.encode(report)},
    }
    assert read(records.encode_worker(replace(WORKER, report=report))).workers == {"w1": replace(WORKER, report=report)}
    assert read(WORKER_ROW) == Fleet(workers={"w1": WORKER})
    assert records.worker_key("w1") == "worker#w1"


def test_a_pause_and_the_settings_are_stored_under_these_names() -> None:
    """
    The nodes of the bus are there when they are known.
    """
    nowhere = replace(SETTINGS, bus=None)

    assert records.encode_pause(PAUSE) == PAUSE_ROW
    assert records.encode_settings(SETTINGS) == SETTINGS_ROW
    assert records.encode_settings(nowhere) == without(SETTINGS_ROW, "bus")
    assert read(PAUSE_ROW, SETTINGS_ROW) == Fleet(pause=PAUSE, settings=SETTINGS)
    assert read(without(SETTINGS_ROW, "bus")).settings == nowhere
    assert read({**SETTINGS_ROW, "bus": {"SS": []}}).settings == nowhere


# What cannot be read


@pytest.mark.parametrize("name", ["term", "counter", "state", "updatedAt"])
def test_a_lease_that_cannot_be_read_is_named(name: str) -> None:
    """
    No worker takes it, and all others are read.
    """
    found = read(without(LEASE_ROW, name), WORKER_ROW, PAUSE_ROW)

    assert (found.leases, found.workers, found.pause) == ({}, {"w1": WORKER}, PAUSE)
    (sentence,) = found.unreadable
    assert sentence.startswith("lease#label#s1: ")
    assert f"'{name}'" in sentence


def test_a_position_that_is_none_says_what_to_do() -> None:
    """
    With what stands there, cut short.
    """
    found = read({**LEASE_ROW, "feedPosition": {"S": "x" * 300}})

    assert found.leases == {}
    (sentence,) = found.unreadable
    assert "'feedPosition'" in sentence
    assert f"'{'x' * 100}'" in sentence
    assert "delete the row" in sentence
    assert "of relay" in sentence


@pytest.mark.parametrize("name", ["counter", "state", "host", "pid", "release", "startedAt", "updatedAt"])
def test_a_worker_that_cannot_be_read_is_named(name: str) -> None:
    """
    And is no worker.
    """
    found = read(without(WORKER_ROW, name), LEASE_ROW)

    assert (found.workers, found.leases) == ({}, {KEY: LEASE})
    (sentence,) = found.unreadable
    assert sentence.startswith("worker#w1: ")
    assert f"'{name}'" in sentence


@pytest.mark.parametrize("name", ["by", "at", "reason"])
def test_a_pause_that_cannot_be_read_is_a_pause(name: str) -> None:
    """
    Nobody delivers until a person has looked.
    """
    found = read(without(PAUSE_ROW, name))

    assert found.pause is not None
    assert (found.pause.by, found.pause.at_ms) == ("unknown", 0)
    assert "relay resume" in found.pause.reason
    (sentence,) = found.unreadable
    assert sentence.startswith("pause: ")
    assert "of relay: attribute" in sentence


def test_a_row_without_a_key_is_an_error() -> None:
    """
    Nobody knows what it is.
    """
    with pytest.raises(CorruptRowError) as caught:
        read(without(LEASE_ROW, "recordKey"))

    assert (caught.value.table, caught.value.field) == ("relay", "recordKey")


@pytest.mark.parametrize("name", ["namePrefix", "leaseMs", "protocol"])
def test_settings_that_cannot_be_read_are_an_error(name: str) -> None:
    """
    Nobody may work beside others without knowing what they agreed on.
    """
    with pytest.raises(CorruptRowError) as caught:
        read(LEASE_ROW, without(SETTINGS_ROW, name))

    assert (caught.value.table, caught.value.field) == ("relay", name)
    assert "stop all workers, then delete the row" in caught.value.reason


@pytest.mark.parametrize(
    "row",
    [
        {**LEASE_ROW, "state": {"S": "dreaming"}},
        {**LEASE_ROW, "recordKey": {"S": "lease#novelty"}},
        {"recordType": {"S": "fleet"}, "recordKey": {"S": "novelty#1"}},
    ],
)
def test_what_only_a_newer_worker_knows_is_passed_over(row: Any) -> None:
    """
    A lease of an unknown kind or state, and a record of an unknown kind.
    """
    assert read(row) == Fleet()


def test_what_a_newer_worker_is_about_counts_as_work() -> None:
    """
    Its report may say what this release cannot read.
    """
    found = read({**WORKER_ROW, "state": {"S": "dreaming"}, "report": {"S": "{"}})

    assert found.workers == {"w1": replace(WORKER, state=WorkerState.WORKING, report=None)}


def test_the_sweep_has_a_lease_of_its_own() -> None:
    """
    Without stream and shard.
    """
    found = read({**LEASE_ROW, "recordKey": {"S": "lease#sweep"}})

    (lease,) = found.leases.values()
    assert (lease.key, lease.stream_label, lease.shard_id) == ("lease#sweep", None, None)
    assert (LEASE.stream_label, LEASE.shard_id) == ("label", "s1")
    odd = Lease(lease_key("label", "a#b"), None, 0, 0)
    assert (odd.stream_label, odd.shard_id, odd.position, odd.updated_at_ms) == ("label", "a#b", None, None)


# Values


def test_what_workers_must_agree_on() -> None:
    """
    Everything but the bus, of which a node in common is enough, and not knowing it.
    """
    assert PROTOCOL == 1, "workers of other releases compare it"
    assert FleetSettings(frozenset(), "", 1, 1).bus is None
    one_node = replace(SETTINGS, bus=frozenset({"b:5672/", "c:5672/"}))
    elsewhere = replace(SETTINGS, bus=frozenset({"c:5672/"}))
    unknown = replace(SETTINGS, bus=None)

    assert SETTINGS.agrees_with(one_node)
    assert SETTINGS.agrees_with(unknown)
    assert unknown.agrees_with(SETTINGS)
    assert not SETTINGS.agrees_with(elsewhere)
    for other in (
        replace(SETTINGS, destinations=frozenset({"bus"})),
        replace(SETTINGS, name_prefix="x"),
        replace(SETTINGS, lease_ms=1),
        replace(SETTINGS, protocol=2),
    ):
        assert not SETTINGS.agrees_with(other)
        assert SETTINGS.shares_bus_with(other)


def test_states_have_these_names() -> None:
    """
    Records hold them, and `relay status` shows them.
    """
    assert WorkerRecord("w1", 1, "host", 1, "0.1.0", 0, 0, None).state is WorkerState.WORKING
    assert [state.value for state in WorkerState] == ["joining", "working", "leaving"]


def test_what_a_report_says() -> None:
    """
    It is read back as it was written; one that says nothing has nothing.
    """
    report = WorkerReport(
        shards=(ShardReport("s1", 1.5, 3),),
        destinations=(DestinationReport("bus", "up"), DestinationReport("index", "outage", "no answer")),
        sweep=SweepReport(1, 2, {"bus": 3}, 4),
        in_flight=(("a", 7),),
        held_up=(HeldUpReport("a", 7, "nack", 1, 2),),
        held_up_count=1,
        feed=FeedReport("up"),
        shards_waiting=2,
        shards_max=3,
    )

    assert reports.decode(reports.encode(report)) == report
    assert reports.decode("{}") == WorkerReport() == WorkerReport((), (), None, (), (), 0, None, 0, 0)
    assert (report.destinations[0].reason, report.held_up[0].next_ms, FeedReport("up").reason) == ("", 0, "")
    assert reports.IN_FLIGHT_SHOWN_MAX == 100, "a record stays small"
    assert [reports.decode(text) for text in ("{", '{"shards":7}', "\ud800")] == [None, None, None]


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "²"])
def test_what_is_no_position(text: str) -> None:
    """
    Digits alone are one.
    """
    with pytest.raises(ValueError, match="is not a position"):
        Position.parse(text)


def test_errors_carry_what_they_are_about() -> None:
    """
    A move of the bus may be announced, when the bus alone differs; workers of unknown names have just started.
    """
    lost = LeaseLostError("k", worker_id="w1", term=3)
    assert (lost.key, lost.worker_id, lost.term) == ("k", "w1", 3)
    assert LeaseFencedError("k").key == "k"
    assert str(lost).startswith("k is no longer held by worker w1 under term 3")
    assert str(LeaseFencedError("k")).startswith("k was not renewed in time")

    alone = FleetSettingsError({"bus": ("a", "b")}, ["w2", "w1"])
    assert (alone.differences, alone.workers) == ({"bus": ("a", "b")}, {"w1", "w2"})
    assert "(w1, w2)" in str(alone)
    assert "bus is a for them and b here" in str(alone)
    assert "RELAY_BUS_MOVED_FROM" in str(alone)
    both = FleetSettingsError({"bus": ("a", "b"), "protocol": ("1", "2")}, [])
    assert "bus is a for them and b here; protocol is 1 for them and 2 here" in str(both)
    assert "workers that have just started" in str(both)
    assert str(both).endswith("stop all of them first")

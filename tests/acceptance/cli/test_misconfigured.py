"""`relay run` on servers where something of another kind is in the way: it says so, waits gently, and goes on."""

import signal
from datetime import datetime

import pytest

from eventstore import AggregateRef, NewEvent
from relay.destinations.bus.rabbitmq import RabbitSettings, open_connection
from relay.destinations.index.elasticsearch import connect
from relay.testing.commits import NEW_YEAR_2025_MS
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

ITEM = AggregateRef("ITEM", "SKU-1")
TRIES_A_SECOND_MAX = 10
"""The pauses grow to seconds; without them there would be hundreds of tries a second."""


def events_named(command, name: str) -> list[dict]:
    return [event for event in command.events if event["event"] == name]


def seconds_between(first: dict, last: dict) -> float:
    return (datetime.fromisoformat(last["timestamp"]) - datetime.fromisoformat(first["timestamp"])).total_seconds()


def rows(corner) -> list[dict]:
    return corner.client.scan(TableName="inventory_outbox", ConsistentRead=True)["Items"]


def test_an_exchange_of_another_type(terminal, corner, witness):
    """
    It names both types in one error, however often it tries; nothing is parked; once it is deleted all is delivered.
    """
    connection = open_connection(corner.rabbitmq_url, RabbitSettings())
    channel = connection.channel()
    channel.exchange_delete(corner.names.exchange)
    channel.exchange_declare(corner.names.exchange, "direct", durable=True, auto_delete=False)
    with terminal.with_settings(RELAY_LOG_FORMAT="json").start("relay", "run") as relay:
        corner.store().append(ITEM, [NewEvent("A", {}), NewEvent("B", {})], expected_version=0)
        until(lambda: len(events_named(relay, "bus.lost")) >= 4, "the bus was tried four times")
        (row,) = rows(corner)
        troubled = [event for event in events_named(relay, "destination.troubled") if event["destination"] == "bus"]
        lost = events_named(relay, "bus.lost")
        channel.exchange_delete(corner.names.exchange)
        until(lambda: rows(corner) == [], "the outbox is empty")
        relay.signal(signal.SIGTERM)
        assert relay.end().code == 0
    connection.close()

    assert [(event["level"], event["kind"]) for event in troubled] == [("error", "misconfigured")]
    for words in (corner.names.exchange, "'topic'", "'direct'"):
        assert words in troubled[0]["reason"]
    assert len(lost) <= 5 + TRIES_A_SECOND_MAX * seconds_between(lost[0], lost[-1])
    assert row.get("parked", {}).get("M", {}) == {}


def test_an_index_of_another_mapping(terminal, corner, witness):
    """
    The bus has everything at once, nothing is parked, one error says which field; fixed, the sweep brings the rest.
    """
    admin = connect(corner.elasticsearch_url).options(request_timeout=30)
    month = corner.names.index(NEW_YEAR_2025_MS)
    mapping = {"properties": {"timestamp": {"type": "boolean"}}}
    admin.indices.create(index=month, mappings=mapping, aliases={corner.names.alias: {}})
    quick = terminal.with_settings(
        RELAY_LOG_FORMAT="json", RELAY_SWEEP_MIN_AGE_SECONDS="2", RELAY_SWEEP_INTERVAL_SECONDS="1"
    )
    with quick.start("relay", "run") as relay:
        for version in range(20):
            event = NewEvent("A", {}, timestamp_ms=NEW_YEAR_2025_MS)
            corner.store().append(ITEM, [event], expected_version=version)
        until(lambda: len(witness.seen) >= 20, "the bus has all events")
        until(
            lambda: any(event["destination"] == "index" for event in events_named(relay, "destination.troubled")),
            "the trouble was said",
        )
        owed = rows(corner)
        admin.indices.delete(index=month)
        until(lambda: rows(corner) == [], "the outbox is empty", timeout_seconds=90)
        relay.signal(signal.SIGTERM)
        assert relay.end().code == 0
    admin.close()

    troubled = [event for event in events_named(relay, "destination.troubled") if event["destination"] == "index"]
    assert {event["kind"] for event in troubled} == {"misconfigured"}
    assert "has another mapping than the template wants, in " in troubled[0]["reason"]
    assert "timestamp" in troubled[0]["reason"]
    assert len(owed) > 0
    assert [row for row in owed if row.get("parked", {}).get("M")] == []
    assert events_named(relay, "commit.parked") == []

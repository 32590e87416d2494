"""Health and metrics of `relay run`, as a probe and a scraper see them."""

import json
import signal
import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from eventstore import AggregateRef, NewEvent
from tests.support.proxy import door
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

ITEM = AggregateRef("ITEM", "SKU-1")


def ask(relay, path: str) -> tuple[int, str]:
    """Return code and body of one of its paths; it says itself which port it has."""
    (listening,) = [event for event in relay.events if event["event"] == "http.listening"]
    try:
        with urllib.request.urlopen(f"http://{listening['host']}:{listening['port']}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def readiness(relay) -> tuple[int, dict]:
    code, body = ask(relay, "/readyz")
    return code, {name: check["ok"] for name, check in json.loads(body)["checks"].items()}


def numbers(relay) -> dict[str, float]:
    """Return the metrics by name, summed over their labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(ask(relay, "/metrics")[1]):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def test_a_relay_at_work_is_alive_ready_and_counts(terminal, corner):
    """
    After one commit: read, delivered to both, settled, nothing parked or lost; all loops turn.
    """
    running = terminal.with_settings(RELAY_LOG_FORMAT="json", RELAY_HTTP_PORT="0")
    with running.start("relay", "run") as relay:
        relay.until_said("relay.started")
        corner.store().append(ITEM, [NewEvent("A", {}), NewEvent("B", {})], expected_version=0)
        until(lambda: numbers(relay).get("relay_commits_settled_total", 0) >= 1, "the commit is settled")
        ready, alive, found = readiness(relay), ask(relay, "/livez"), numbers(relay)
        relay.signal(signal.SIGTERM)
        assert relay.end().code == 0

    assert ready == (
        200,
        {
            "dynamodb": True,
            "leases": True,
            "feed": True,
            "room for all shards": True,
            "destination bus": True,
            "destination index": True,
            "everything routed": True,
            "nothing refused": True,
            "not paused": True,
        },
    )
    assert alive[0] == 200
    loops = json.loads(alive[1])["loops"]
    assert {"main", "leases", "sweep", "bus", "side-index", "ask", "settle-1", "settle-2"} < set(loops)
    assert {name.partition("-")[0] for name in loops} == {
        "main",
        "leases",
        "sweep",
        "bus",
        "side",
        "ask",
        "settle",
        "read",
    }
    assert found["relay_records_read_total"] >= 1
    assert found["relay_commits_settled_total"] == 1
    assert found["relay_commits_delivered_total"] == 2
    assert found["relay_commit_to_confirm_seconds_count"] == 2
    assert found["relay_leases_held"] == 2
    assert found["relay_feed_up"] == 1
    assert found["relay_leases_taken_total"] == 2
    assert found["relay_leases_lost_total"] == 0
    assert 23 * 3600 < found["relay_feed_trim_headroom_seconds"] <= 24 * 3600
    assert found["relay_flow_commits"] == 0
    assert found["relay_aggregates_held_up"] == 0
    assert found["relay_destination_up"] == 2
    assert found["process_resident_memory_bytes"] > 0
    assert "relay_commits_parked_total" not in found


def test_a_bus_out_of_reach_makes_it_unready_and_not_dead(terminal, corner):
    """
    Nobody should start a relay again because its broker is away; an index that is away does not even make it unready.
    """
    with door(corner.rabbitmq_url) as bus, door(corner.elasticsearch_url) as index:
        away = {"RELAY_RABBITMQ_URL": bus.url, "RELAY_ELASTICSEARCH_URL": index.url}
        running = terminal.with_settings(**away, RELAY_LOG_FORMAT="json", RELAY_HTTP_PORT="0")
        with running.start("relay", "run") as relay:
            relay.until_said("relay.started")
            corner.store().append(ITEM, [NewEvent("A", {})], expected_version=0)
            until(
                lambda: (
                    readiness(relay)[1]["destination bus"] is False and not readiness(relay)[1]["destination index"]
                ),
                "both are known to be away",
            )
            without_both, alive = readiness(relay)[0], ask(relay, "/livez")[0]
            bus.open()
            until(lambda: readiness(relay)[1]["destination bus"], "the bus is back")
            without_index = readiness(relay)
            index.open()
            relay.signal(signal.SIGTERM)
            assert relay.end().code == 0

    assert (without_both, alive) == (503, 200)
    assert (without_index[0], without_index[1]["destination index"]) == (200, False)


def test_a_port_in_use_is_said_before_anything_is_carried(terminal):
    """
    Exit code 2, and what to do; nothing was read.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = terminal.with_settings(RELAY_HTTP_PORT=port).run("relay", "run")

    assert finished.code == 2
    assert f"RELAY_HTTP_PORT: cannot listen on 127.0.0.1:{port}: Address already in use" in finished.error
    assert "worker.joined" not in finished.err

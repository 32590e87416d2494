"""A queue that is full and rejects: RabbitMQ nacks, though the other queues take the message."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import amqp
import pytest

from eventstore import AggregateRef, NewEvent
from relay.destinations.bus.rabbitmq import RabbitSettings, open_connection
from tests.simulation.repeats import copies_allowed
from tests.support.completeness import append, check
from tests.support.figures import Figures, quantile
from tests.support.scale import SCALE
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import workers

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timed, pytest.mark.timeout(420)]

VICTIMS = 20
OTHERS = 40
WATCH_SECONDS = 180.0 if SCALE.really else 30.0
OTHERS_P90_SECONDS = 1.0 + SCALE.slack_seconds


@contextlib.contextmanager
def channel_to(corner: Corner) -> Iterator[Any]:
    """Give a channel for a moment: nobody keeps its heartbeat going while the relay is watched."""
    connection = open_connection(corner.rabbitmq_url, RabbitSettings())
    try:
        yield connection.channel()
    finally:
        connection.close()


def add_full_queue(corner: Corner, event_type: str) -> None:
    """Bind a queue to one event type that has room for one message, and has it."""
    limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with channel_to(corner) as channel:
        channel.queue_declare(name_in(corner), durable=True, auto_delete=False, arguments=limits)
        channel.queue_bind(name_in(corner), corner.names.exchange, f"#.{event_type}")
        channel.basic_publish(amqp.Message("filler"), routing_key=name_in(corner))


def remove_queue(corner: Corner) -> None:
    """Take it away; nothing happens when it is gone."""
    with channel_to(corner) as channel:
        channel.queue_delete(name_in(corner))


def name_in(corner: Corner) -> str:
    """Return the queue's name."""
    return f"{corner.names.prefix}.full"


def test_a_full_queue_harms_only_its_own(corner: Corner, witness: Witness, tmp_path: Path, figures: Figures) -> None:
    """
    Others go on; the refused ones are tried seldom, are named, stay owed, and go when there is room again.
    """
    store = corner.store()
    add_full_queue(corner, "REFUSED")
    with (
        contextlib.ExitStack() as at_the_end,
        workers(corner.environment, tmp_path, "relay", sweep_min_age_seconds="5") as (relay,),
    ):
        at_the_end.callback(remove_queue, corner)
        relay.start()
        began = time.monotonic()
        victims = [AggregateRef("ITEM", f"victim-{number}") for number in range(VICTIMS)]
        written = [append(store, victim, [NewEvent("REFUSED", {})], 0) for victim in victims]
        until(lambda: len(relay.named("bus.refused")) >= VICTIMS, "all are refused once")
        bystanders = [AggregateRef("ITEM", f"other-{number}") for number in range(OTHERS)]
        written += [append(store, other, [NewEvent("TAKEN", {})], 0) for other in bystanders]
        until(lambda: others(witness) == OTHERS, "others go on")
        threading.Event().wait(WATCH_SECONDS)
        copies = Counter(seen.event_id for seen in list(witness.seen) if seen.aggregate_id.startswith("victim"))
        watched_seconds = time.monotonic() - began
        delays = [seen.delay_ms / 1000 for seen in witness.first() if seen.aggregate_id.startswith("other")]
        owed = {item["aggregateId"]["S"] for item in corner.client.scan(TableName="inventory_outbox")["Items"]}

        remove_queue(corner)
        until(
            lambda: not corner.client.scan(TableName="inventory_outbox")["Items"],
            "nothing is owed once there is room",
            timeout_seconds=2 * WATCH_SECONDS + SCALE.drain_seconds,
        )
        assert relay.stop() == 0
    until(lambda: len(witness.first()) >= len(written), "everything is consumed")
    check(corner, witness, written)

    figures.state(
        watched_s=watched_seconds,
        refused_events=len(copies),
        most_copies=max(copies.values()),
        others_p90_s=quantile(delays, 0.9),
    )
    assert len(copies) == VICTIMS
    assert max(copies.values()) <= copies_allowed(watched_seconds)
    assert owed == {f"victim-{number}" for number in range(VICTIMS)}
    assert quantile(delays, 0.9) <= OTHERS_P90_SECONDS


def others(witness: Witness) -> int:
    """Return how many events of others have come."""
    return sum(seen.aggregate_id.startswith("other") for seen in witness.first())

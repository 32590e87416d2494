"""A relay that is killed at the worst moments loses nothing and inverts nothing."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from eventstore import AggregateRef, NewEvent
from relay.demo import retail, scenario
from relay.demo.planned import PlannedCommit
from tests.support.completeness import await_drained, check
from tests.support.proxy import Proxy, proxied, proxy_to
from tests.support.relay_process import RelayProcess
from tests.support.retail_input import RETAIL, SEED
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.writer import Writer

LINES = int(os.environ.get("CRASH_TEST_LINES", "2000"))
RANDOM_KILLS = int(os.environ.get("CRASH_TEST_KILLS", "6"))
DRAIN_SECONDS = 240.0 + LINES / 20

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timeout(900 + LINES)]


def lines() -> tuple[str, Sequence[PlannedCommit]]:
    """Real sales when the file is at hand, the seeded warehouse otherwise."""
    if RETAIL.is_file():
        return RETAIL.name, retail.commits(RETAIL, LINES)
    return f"warehouse scenario, since {RETAIL.name} is absent", list(scenario.commits(SEED, LINES))


def large_commits() -> Iterator[PlannedCommit]:
    """Commits of 1 to 98 events, half of them too large to be embedded, on few and on many aggregates."""
    dice = random.Random(SEED)
    for number in range(120):
        few = number % 2 == 0
        aggregate = AggregateRef("BATCH", f"few-{number % 6}" if few else f"many-{number}")
        count = (1, 98, dice.randint(2, 97))[number % 3]
        text = "x" * dice.randint(1100, 2500) if number % 4 < 2 else ""
        yield PlannedCommit(aggregate, tuple(NewEvent("LOADED", {"n": n, "text": text}) for n in range(count)))


def test_killed_at_the_worst_moments_it_loses_nothing_and_inverts_nothing(
    corner: Corner,
    witness: Witness,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """
    Killed between publish and confirm, between confirm and settle, and at random: every event arrives, in order.
    """
    source, planned = lines()
    dice = random.Random(SEED)
    mixed = [*planned, *large_commits()]
    dice.shuffle(mixed)
    with (
        proxy_to(corner.rabbitmq_url) as bus,
        proxy_to(corner.environment["EVENTSTORE_DYNAMODB_ENDPOINT_URL"]) as tables,
    ):
        relay = RelayProcess(
            {
                **corner.environment,
                "RELAY_RABBITMQ_URL": proxied(corner.rabbitmq_url, bus),
                "EVENTSTORE_DYNAMODB_ENDPOINT_URL": f"http://127.0.0.1:{tables.port}",
            },
            tmp_path,
            sweep_min_age_seconds="3",
            sweep_interval_seconds="1",
            lease_seconds="2",
        )
        try:
            writer = Writer(corner, mixed)
            kill_between_publish_and_confirm(relay, bus)
            kill_between_confirm_and_settle(relay, tables)
            for _ in range(RANDOM_KILLS):
                relay.start()
                threading.Event().wait(dice.uniform(0.2, 2.0))  # the moment is what is drawn at random here
                relay.kill()
            relay.start()
            await_drained(corner, witness, writer, timeout_seconds=DRAIN_SECONDS)
            assert relay.stop() == 0
        finally:
            relay.close()
    record_property("input", source)
    record_property("events", writer.events)
    record_property("messages", len(witness.seen))
    print(f"input: {source}; {writer.events} events, {len(witness.seen)} messages")  # noqa: T201 - the result says its input
    check(corner, witness, writer.written)


def kill_between_publish_and_confirm(relay: RelayProcess, bus: Proxy) -> None:
    """Let the broker's confirms not come through, and kill the relay when the first of them is withheld."""
    relay.start()
    until(lambda: "page.settled" in relay.events(), "the relay works")
    bus.withhold_replies(lambda chunk: BASIC_ACK in chunk)
    assert bus.withheld.wait(60), "the broker confirms"
    relay.kill()
    bus.be_transparent()


def kill_between_confirm_and_settle(relay: RelayProcess, tables: Proxy) -> None:
    """Let the deletion of rows not come through, and kill the relay when the first of them is withheld."""
    relay.start()
    tables.withhold_requests(lambda chunk: b"BatchExecuteStatement" in chunk)
    assert tables.withheld.wait(60), "the relay settles"
    relay.kill()
    tables.be_transparent()


BASIC_ACK = bytes.fromhex("003c0050")
"""Class 60, method 80: how a broker confirms. Source: AMQP 0-9-1, basic.ack."""


def test_replay_alone_empties_the_outbox_in_order(corner: Corner, witness: Witness) -> None:
    """
    No relay runs; `relay replay` delivers all that is owed, in order, and leaves nothing.
    """
    writer = Writer(corner, [*scenario.commits(SEED, 150), *list(large_commits())[:12]])
    until(lambda: not writer.is_writing(), "everything is appended", timeout_seconds=120)
    assert writer.failure is None

    done = run_replay(corner)

    assert done.returncode == 0, done.stderr
    stored = writer.events
    until(lambda: len(witness.seen) >= stored, "everything is consumed")
    assert len(witness.seen) == stored
    check(corner, witness, writer.written)


def run_replay(corner: Corner) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "relay", "replay"],
        env={**os.environ, **corner.environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

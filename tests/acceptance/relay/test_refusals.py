"""What the relay says when it is refused what it stands on, and how seldom it asks again."""

import threading
from pathlib import Path

import pytest

from eventstore import AggregateRef, NewEvent
from tests.support import retail_input, stream_switch
from tests.support.completeness import append, await_drained, check, outbox_left
from tests.support.figures import Figures
from tests.support.proxy import proxied, proxy_to
from tests.support.refusing_server import (
    NO_CREDENTIALS_DYNAMODB,
    NO_CREDENTIALS_ELASTICSEARCH,
    refusing_server,
)
from tests.support.relay_process import RelayProcess
from tests.support.scale import SCALE
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import workers
from tests.support.writer import Writer

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

ENDPOINT = "EVENTSTORE_DYNAMODB_ENDPOINT_URL"
WATCH_SECONDS = 4.0
"""How long requests and lines of log are counted."""

SET_UP_IS_WRONG = 2


def refused(corner: Corner, folder: Path, **environment: str) -> str:
    """Start a worker that must not stay up, and return its one line."""
    relay = RelayProcess({**corner.environment, **environment}, folder)
    relay.begin()
    try:
        assert relay.wait() == SET_UP_IS_WRONG, relay.log_text()
    finally:
        relay.close()
    (line,) = relay.log_text().splitlines()
    return line


def test_wrong_credentials_at_the_start(corner: Corner, tmp_path: Path) -> None:
    """
    It ends with 2 and says that the credentials are refused, by which server, and nothing of the secret.
    """
    line = refused(
        corner,
        tmp_path,
        EVENTSTORE_AWS_ACCESS_KEY_ID="not-a-key",
        EVENTSTORE_AWS_SECRET_ACCESS_KEY="sesame",  # noqa: S106 - looked for in what it says
    )

    assert line.startswith("error: ")
    assert "credentials" in line
    assert "sesame" not in line


def test_a_table_without_a_stream(corner: Corner, tmp_path: Path, witness: Witness) -> None:
    """
    It starts, says once what the stream must be, and the sweep delivers meanwhile.
    """
    stream_switch.switch_off(corner)
    quick = {"RELAY_SWEEP_MIN_AGE_SECONDS": "2", "RELAY_SWEEP_INTERVAL_SECONDS": "1"}
    relay = RelayProcess({**corner.environment, **quick}, tmp_path)
    relay.begin()
    try:
        corner.store().append(AggregateRef("ITEM", "a"), [NewEvent("A", {})], expected_version=0)
        until(lambda: len(witness.seen) == 1, "the sweep has delivered it")
    finally:
        relay.close()

    told = [line for line in relay.log_text().splitlines() if "feed.absent" in line]
    assert len(told) == 1
    assert "inventory_outbox" in told[0]


def test_a_relay_table_that_belongs_to_something_else(corner: Corner, tmp_path: Path) -> None:
    """
    Under its name stands a lease table of another consumer: it ends with 2, names both keys, and touches nothing.
    """
    corner.client.delete_table(TableName="inventory_relay")
    corner.client.create_table(
        TableName="inventory_relay",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
    )
    theirs = {"leaseKey": {"S": "shardId-1"}, "leaseOwner": {"S": "another"}}
    corner.client.put_item(TableName="inventory_relay", Item=theirs)

    line = refused(corner, tmp_path)

    assert line.startswith("error: ")
    assert "inventory_relay" in line
    assert "leaseKey S" in line
    assert "recordType S" in line
    assert corner.client.scan(TableName="inventory_relay")["Items"] == [theirs]


def test_credentials_that_are_withdrawn(corner: Corner, witness: Witness, tmp_path: Path, figures: Figures) -> None:
    """
    It stays up, asks seldom, and goes on by itself when they are good again.
    """
    first, second = retail_input.commits(40).commits[:20], retail_input.commits(40).commits[20:]
    address = corner.environment[ENDPOINT]
    with proxy_to(address) as tables, refusing_server(NO_CREDENTIALS_DYNAMODB) as refusing:
        environment = {**corner.environment, ENDPOINT: proxied(address, tables)}
        with workers(environment, tmp_path, "relay") as (relay,):
            relay.start()
            writer = Writer(corner, first).finish()
            until(lambda: len(witness.seen) >= writer.events, "the feed is read")
            tables.lead_to(refusing.url)
            until(lambda: refusing.requests > 0, "it is refused")
            asked, said = refusing.requests, len(relay.records())
            threading.Event().wait(WATCH_SECONDS)
            asked, said = refusing.requests - asked, len(relay.records()) - said
            errors = [record for record in relay.records() if record["level"] == "error"]
            writer = Writer(corner, second, after=writer).finish()
            tables.lead_to(address)
            await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
            assert relay.stop() == 0
        check(corner, witness, writer.written)

    figures.state(
        watched_s=WATCH_SECONDS, requests=asked, lines=said, error_lines=len(errors), repeats=witness.repeats()
    )
    assert errors != []
    assert asked <= 10 * WATCH_SECONDS
    assert said <= 10 * WATCH_SECONDS


def test_an_index_that_refuses_the_password(corner: Corner, witness: Witness, tmp_path: Path, figures: Figures) -> None:
    """
    The bus goes on; it is said once, as an error, that a person must act; the index is asked seldom, and catches up.
    """
    planned = retail_input.commits(60).commits
    address = corner.elasticsearch_url
    with proxy_to(address) as index, refusing_server(NO_CREDENTIALS_ELASTICSEARCH) as refusing:
        index.lead_to(refusing.url)
        environment = {**corner.environment, "RELAY_ELASTICSEARCH_URL": proxied(address, index)}
        with workers(environment, tmp_path, "relay") as (relay,):
            relay.start()
            writer = Writer(corner, planned, per_second=len(planned) / WATCH_SECONDS).finish()
            until(lambda: len(witness.first()) >= writer.events, "the bus has everything")
            asked = refusing.requests
            troubled = relay.named("destination.troubled")
            index.lead_to(address)
            await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
            assert relay.stop() == 0
        check(corner, witness, writer.written)

    assert [(each["destination"], each["kind"], each["level"]) for each in troubled] == [
        ("index", "misconfigured", "error")
    ]
    figures.state(watched_s=WATCH_SECONDS, requests=asked, repeats=witness.repeats())
    assert 1 <= asked <= 4 * WATCH_SECONDS


def test_a_stream_that_is_switched_off(corner: Corner, witness: Witness, tmp_path: Path, figures: Figures) -> None:
    """
    It stays up and says what to do, not often; the sweep delivers meanwhile.
    """
    with workers(corner.environment, tmp_path, "relay") as (relay,):
        relay.start()
        stream_switch.switch_off(corner)
        until(lambda: "NEW_IMAGE" in relay.log_text(), "it is said how to get the stream back")
        store, item = corner.store(), AggregateRef("ITEM", "SKU-1")
        written = [append(store, item, [NewEvent("A", {})], number) for number in range(5)]
        said = len(relay.records())
        threading.Event().wait(WATCH_SECONDS)
        said = len(relay.records()) - said
        until(lambda: len(witness.seen) >= 5, "the sweep delivers", timeout_seconds=SCALE.drain_seconds)
        until(lambda: outbox_left(corner) == 0, "nothing is owed", timeout_seconds=SCALE.drain_seconds)
        assert relay.stop() == 0

    check(corner, witness, written)
    figures.state(watched_s=WATCH_SECONDS, lines=said)
    assert said <= 10 * WATCH_SECONDS

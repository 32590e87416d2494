"""`eventstore dev-server` as a process: other commands work on it, and it ends when it is told to."""

import signal
import socket
from urllib.parse import urlsplit

import pytest

from eventstore import Endpoint
from eventstore.dynamodb import tables
from eventstore.dynamodb.connection import connect_with_streams

pytestmark = pytest.mark.acceptance


@pytest.fixture
def server(bare):
    """A server on a free port, and a terminal whose settings name it."""
    with bare.start("eventstore", "dev-server", "--port", "0") as command:
        command.until_said("http://127.0.0.1:")
        terminal = bare.with_settings(
            EVENTSTORE_DYNAMODB_ENDPOINT_URL=command.out.strip(),
            EVENTSTORE_AWS_REGION="eu-central-1",
            EVENTSTORE_AWS_ACCESS_KEY_ID="one",
            EVENTSTORE_AWS_SECRET_ACCESS_KEY="any",  # noqa: S106 - nobody looks at it
        )
        yield command, terminal


def test_other_commands_work_on_it(server):
    """
    Tables are made, events stored and shown; another access key id sees none of it.
    """
    _, terminal = server
    event = b'{"type": "RECEIVED", "data": {"quantity": 10}}\n'

    assert terminal.run("eventstore", "init").code == 0
    stored = terminal.run("eventstore", "append", "Item", "SKU-1", "--expected-version", "new", stdin=event)
    assert (stored.code, stored.err) == (0, "")
    (shown,) = terminal.run("eventstore", "show", "SKU-1", "--json").lines
    assert (shown["type"], shown["data"]) == ("RECEIVED", {"quantity": 10})
    other = terminal.with_settings(EVENTSTORE_AWS_ACCESS_KEY_ID="two").run("eventstore", "show", "SKU-1")
    assert other.code == 2


def test_streams_of_several_shards(bare):
    """
    With `--shards` a new table's stream has so many, all of them open.
    """
    with bare.start("eventstore", "dev-server", "--port", "0", "--shards", "3") as command:
        command.until_said("http://127.0.0.1:")
        client, streams = connect_with_streams(Endpoint(command.out.strip(), "eu-central-1", "one", "any"))
        tables.init(client)
        (stream,) = streams.list_streams(TableName="inventory_outbox")["Streams"]
        shards = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
        client.close()
        streams.close()

    assert len(shards) == 3
    assert not any("EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in shards)


def test_its_connections_are_bounded(bare):
    """
    With `--connections` there are so many at a time; one more is told so, in words.
    """
    with bare.start("eventstore", "dev-server", "--port", "0", "--connections", "1") as command:
        command.until_said("http://127.0.0.1:")
        address = urlsplit(command.out.strip())
        with socket.create_connection((address.hostname, address.port), timeout=30) as first:
            first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert first.recv(1000).startswith(b"HTTP/1.1 200")
            with socket.create_connection((address.hostname, address.port), timeout=30) as second:
                second.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert second.recv(1000).startswith(b"HTTP/1.1 503")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(server, number):
    """
    Ctrl-C and SIGTERM end it at once, and that is fine; its only words are its address.
    """
    command, _ = server
    command.signal(number)

    finished = command.end()

    assert (finished.code, finished.err) == (0, "")
    assert finished.out.startswith("http://127.0.0.1:")


def test_a_taken_port(server, bare):
    """
    The mistake is named, with what to do.
    """
    command, _ = server
    port = str(urlsplit(command.out.strip()).port)

    finished = bare.run("eventstore", "dev-server", "--port", port)

    assert finished.code == 2
    assert finished.error.startswith(f"cannot listen on 127.0.0.1, port {port}: ")
    assert finished.error.endswith("choose another --port")


def test_an_address_of_nobody(bare):
    """
    A host that is no address of this machine is refused.
    """
    finished = bare.run("eventstore", "dev-server", "--port", "0", "--host", "192.0.2.1")

    assert finished.code == 2
    assert "192.0.2.1" in finished.error

"""The bounds of a client: how many connections it opens, and how long a request waits for one."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from eventstore import Endpoint, InvalidInputError, connect
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import NotAppliedError
from tests.support.answering_server import AnsweringServer, answering_server, checksummed

CALLS = 12
CONNECTIONS = 3


class Counting(AnsweringServer):
    """Holds each request until it is told to answer, and counts connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.may_answer = threading.Event()
        self.has_all = threading.Semaphore(0)
        super().__init__()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def hold(self) -> None:
        self.has_all.release()
        self.may_answer.wait(10)


@pytest.fixture
def server() -> Iterator[Counting]:
    with answering_server(Counting) as made:
        made.answer = checksummed(b"{}")
        yield made
        made.may_answer.set()


def made(url: str, **bounds: Any) -> Any:
    return connect(Endpoint(url, "eu-central-1", "local", "local"), **bounds)


def test_a_client_opens_no_more_connections_than_it_may(server: Counting) -> None:
    """
    Twelve calls at once share three connections, and all are answered.
    """
    client = made(server.url, connections_max=CONNECTIONS)
    answers: list[Any] = []

    def ask() -> None:
        answers.append(calls.call(client.get_item, TableName="t", Key={"id": {"S": "a"}}))

    threads = [threading.Thread(target=ask) for _ in range(CALLS)]
    for thread in threads:
        thread.start()
    assert all(server.has_all.acquire(timeout=10) for _ in range(CONNECTIONS))
    server.may_answer.set()
    for thread in threads:
        thread.join(10)

    assert len(answers) == CALLS
    assert server.connections == CONNECTIONS
    client.close()


def test_a_call_that_finds_no_connection_free_ends_in_time(server: Counting) -> None:
    """
    Its time is over while it waits: nothing was sent, and the error says what to do.
    """
    client = made(server.url, connections_max=1)
    first = threading.Thread(target=lambda: calls.call(client.get_item, TableName="t", Key={}))
    first.start()
    assert server.has_all.acquire(timeout=10)
    began = time.monotonic()

    with pytest.raises(NotAppliedError, match=r"all 1 connections.*make fewer calls at once, or allow more") as caught:
        calls.call(client.put_item, within_seconds=0.2, TableName="t", Item={})

    assert time.monotonic() - began < 5
    assert not caught.value.reached
    server.may_answer.set()
    first.join(10)
    assert server.asked == ["GetItem"]
    client.close()


@pytest.mark.parametrize("body", [b"{}", b"", b"<html>"])
def test_a_connection_is_free_after_any_reply(server: Counting, body: bytes) -> None:
    """
    Also after one without a body, or that is refused.
    """
    server.may_answer.set()
    server.answer = checksummed(body)
    client = made(server.url, connections_max=1)
    for _ in range(3):
        try:
            calls.call(client.get_item, TableName="t", Key={}, within_seconds=5)
        except calls.DynamoError as error:
            assert "connections" not in str(error)  # noqa: PT017 - what it says is the matter

    assert server.asked == ["GetItem"] * 3
    client.close()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"connections_max": 0}, "connections_max"),
        ({"connections_max": 1_001}, "connections_max"),
        ({"connections_max": 2.5}, "connections_max"),
        ({"connections_max": True}, "connections_max"),
        ({"connect_timeout_seconds": 0}, "connect_timeout_seconds"),
        ({"connect_timeout_seconds": "3"}, "connect_timeout_seconds"),
        ({"read_timeout_seconds": -1.0}, "read_timeout_seconds"),
        ({"read_timeout_seconds": float("nan")}, "read_timeout_seconds"),
        ({"read_timeout_seconds": float("inf")}, "read_timeout_seconds"),
    ],
)
def test_a_bound_that_cannot_be_one(given: dict[str, Any], field: str) -> None:
    """
    Refused where it is given, by its name.
    """
    with pytest.raises(InvalidInputError) as caught:
        made("http://127.0.0.1:1", **given)

    assert caught.value.field == field

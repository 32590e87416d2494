"""
A store that was opened before a fork, as by a web server that loads the program once for all its workers.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from textwrap import dedent

import pytest

from eventstore import AggregateRef, EventStore, NewEvent, init_tables
from eventstore.testing.http import DevServer

CHILDREN = 4

PARENT = """
import asyncio, os, sys, threading
import boto3
from eventstore import AggregateRef, Endpoint, EventStore, NewEvent, connect
from eventstore.aio import AsyncEventStore

url = sys.argv[1]
CHILDREN, READS = int(sys.argv[2]), 60

def ours():
    return connect(Endpoint(url, "eu-central-1", "local", "local"))

def of_boto3():
    return boto3.client("dynamodb", endpoint_url=url, region_name="eu-central-1",
                        aws_access_key_id="local", aws_secret_access_key="local")

def in_children(work):
    children = []
    for number in range(CHILDREN):
        child = os.fork()
        if child == 0:
            try:
                work(number)
            except BaseException as error:
                print(f"child {number}: {type(error).__name__}: {error}", flush=True)
                os._exit(1)
            os._exit(0)
        children.append(child)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print("children ended with", statuses, flush=True)

def read(store, number):
    for _ in range(READS):
        found = [event.data["of"] for event in store.load(f"item-{number}")]
        assert found == [f"item-{number}"], found
"""


@pytest.fixture
def server() -> Iterator[DevServer]:
    server = DevServer()
    client = server.databases.of("local").client()
    init_tables(client)
    store = EventStore.open(client)
    for number in range(CHILDREN):
        aggregate = AggregateRef("ITEM", f"item-{number}")
        store.append(aggregate, [NewEvent("COUNTED", {"of": aggregate.id})], expected_version=0)
    serving = threading.Thread(target=server.serve)
    serving.start()
    try:
        yield server
    finally:
        server.stop()
        serving.join(10)
        server.close()


def _run(server: DevServer, program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PARENT + dedent(program), server.url, str(CHILDREN)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("client", ["ours", "of_boto3"])
def test_forked_readers_get_their_own_events(server: DevServer, client: str) -> None:
    """
    Workers that read at the same time get what they asked for at the first attempt, whoever made the client.
    """
    program = f"""
    from eventstore import Backoff, StoreOptions
    store = EventStore.open({client}(), options=StoreOptions(read_backoff=Backoff(attempts_max=1)))
    read(store, 0)
    in_children(lambda number: read(store, number))
    read(store, 0)
    """

    assert _run(server, program) == "children ended with [0, 0, 0, 0]\n"


def test_a_forked_writer_has_a_limiter_of_its_own(server: DevServer) -> None:
    """
    Turns and locks that threads of the parent had at the fork are free in the child; its counts begin at nothing.
    """
    program = """
    from eventstore import AimdSettings, StoreOptions
    one = AimdSettings(start=1, minimum=1, maximum=1)
    store = EventStore.open(ours(), options=StoreOptions(limiter=one, append_deadline_seconds=5))
    store.append(AggregateRef("ITEM", "of the parent"), [NewEvent("COUNTED", {})], expected_version=0)
    limiter, counters = store._appender._limiter, store._appender._counters
    turn = limiter.enter(1)
    assert turn is not None
    held = threading.Event()
    def hold():
        with limiter._lock, counters._lock:
            held.set()
            threading.Event().wait(30)
    threading.Thread(target=hold, daemon=True).start()
    held.wait(10)

    def write(number):
        aggregate = AggregateRef("ITEM", f"item-{number}")
        store.append(aggregate, [NewEvent("COUNTED", {})], expected_version=1)
        metrics = store.metrics()
        assert (metrics.counts.appends, metrics.limiter.in_flight) == (1, 0), metrics

    in_children(write)
    os._exit(0)
    """

    assert _run(server, program) == "children ended with [0, 0, 0, 0]\n"


def test_a_forked_program_on_asyncio_has_threads_of_its_own(server: DevServer) -> None:
    """
    An `AsyncEventStore` that was used before the fork works in the children, which have none of its threads.
    """
    program = """
    store = AsyncEventStore(EventStore.open(ours()))
    load = lambda number: asyncio.wait_for(store.load(f"item-{number}"), 10)
    assert [event.data["of"] for event in asyncio.run(load(0))] == ["item-0"]

    def work(number):
        for _ in range(READS):
            assert [event.data["of"] for event in asyncio.run(load(number))] == [f"item-{number}"]

    in_children(work)
    os._exit(0)
    """

    assert _run(server, program) == "children ended with [0, 0, 0, 0]\n"


def test_a_forked_program_searches_over_connections_of_its_own(server: DevServer) -> None:
    """
    A connection to the search index that lay idle at the fork stays the parent's.
    """
    program = """
    from eventstore.search.elasticsearch import ElasticsearchSearch
    search = ElasticsearchSearch("http://127.0.0.1:9")
    (node,) = search._nodes._clients[0].transport.node_pool.all()
    idle = node.pool._get_conn()
    node.pool._put_conn(idle)

    def look(number):
        assert idle not in [node.pool._get_conn() for _ in range(node.pool.pool.qsize())]

    in_children(look)
    assert node.pool._get_conn() is idle
    """

    assert _run(server, program) == "children ended with [0, 0, 0, 0]\n"

"""Consumers in other languages: what the relay sends is read by the client libraries that people use.

They are installed from their package registries, which takes a minute, so `make test-clients` alone runs them. That the
bytes stay what these clients were tried with is checked in every run (`tests/unit/destinations/test_wire.py`).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from relay.destination import Confirmed
from relay.destinations.bus.rabbitmq import RabbitSettings, open_connection
from relay.testing.commits import commit
from tests.contract.destinations.servers import address
from tests.contract.destinations.worlds import RabbitBusWorld
from tests.support.delivering import deliver

INSTALL_SECONDS, CONSUME_SECONDS = 280, 60
SOURCES = Path(__file__).parent
NUMBERS = {
    "cloudEvents_sequencenumber": "3000000000",
    "cloudEvents_epoch": "7",
    "cloudEvents_schemaversion": "1",
}

pytestmark = [
    pytest.mark.servers,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not os.environ.get("TEST_CLIENTS"), reason="`make test-clients` runs them"),
]

Install = Callable[[str], Path]


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Give a function that copies a client's sources to a folder and installs what it needs there, once."""
    made: dict[str, Path] = {}

    def installed(language: str) -> Path:
        if language not in made:
            folder = tmp_path_factory.mktemp(language) / "consumer"
            shutil.copytree(SOURCES / language, folder)
            for command in INSTALL[language]:
                said(command, folder, INSTALL_SECONDS)
            made[language] = folder
        return made[language]

    return installed


def said(command: Sequence[str], folder: Path, seconds: float) -> str:
    """Run a command, and return what it printed."""
    if shutil.which(command[0]) is None and not Path(folder, command[0]).exists():
        pytest.skip(f"the command {command[0]} is needed")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


PIP = ("venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
INSTALL: dict[str, list[tuple[str, ...]]] = {
    "go": [("go", "build", "-o", "consumer", ".")],
    "node": [("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")],
    "java": [
        ("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"),
        ("javac", "-cp", "lib/*", "-d", "classes", "Consume.java"),
    ],
    "python": [(sys.executable, "-m", "venv", "venv"), (*PIP, "pika==1.4.4", "aio-pika==10.2.1")],
}
CLIENTS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "Go amqp091-go": ("go", ("./consumer", "official"), "int64"),
    "Go streadway/amqp": ("go", ("./consumer", "former"), "int64"),
    "Node amqplib 0.5": ("node", ("node", "consume.js", "amqplib-0.5"), "number"),
    "Node amqplib 0.10": ("node", ("node", "consume.js", "amqplib-0.10"), "number"),
    "Node amqplib 2": ("node", ("node", "consume.js", "amqplib-2"), "number"),
    "Java amqp-client": ("java", ("java", "-cp", "lib/*:classes", "Consume"), "Long"),
    "Python pika": ("python", ("venv/bin/python", "consume.py", "pika"), "long"),
    "Python aio-pika": ("python", ("venv/bin/python", "consume.py", "aio-pika"), "int"),
}
"""Name → sources, command that reads URL and queues, and what the language calls a number of 64 bits."""


@pytest.fixture
def rabbit() -> Iterator[RabbitBusWorld]:
    world = RabbitBusWorld(address("RELAY_RABBITMQ_URL"))
    yield world
    world.close()


@pytest.fixture
def queues(rabbit: RabbitBusWorld) -> Iterator[tuple[str, str]]:
    """Give two queues with a message each: as it was published, and as the broker dead-lettered it."""
    plain, expired, dead = (f"{rabbit.names.prefix}.{name}" for name in ("plain", "expired", "dead"))
    at_once = {"x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    connection = open_connection(rabbit.url, RabbitSettings())
    channel = connection.channel()
    for name, arguments in ((plain, {}), (dead, {}), (expired, at_once)):
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
    for name in (plain, expired):
        channel.queue_bind(name, rabbit.names.exchange, "#")
    yield plain, dead
    for name in (plain, expired, dead):
        channel.queue_delete(name)
    connection.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_reads_every_header(
    client: str, install: Install, rabbit: RabbitBusWorld, queues: tuple[str, str]
) -> None:
    """Numbers beyond 32 bits and small ones are of one type, texts are texts; also after the broker rewrote them."""
    language, command, type_of_numbers = CLIENTS[client]
    folder = install(language)
    row = commit("größe", 3_000_000_000, metadata_json='{"correlation_id":"c-1"}', epoch=7)
    assert deliver(rabbit.bus(source="/shop"), [[row]], 10).outcomes == {row.key: Confirmed()}

    url = rabbit.url.removesuffix("//") + "/%2F"  # as every client reads it
    for line in said((*command, url, *queues), folder, CONSUME_SECONDS).splitlines():
        headers = json.loads(line)
        numbers = {name: value for name, (kind, value) in headers.items() if kind == type_of_numbers}
        assert {name: numbers.get(name) for name in NUMBERS} == NUMBERS
        assert headers["cloudEvents_aggregateid"][1] == "größe"
        assert headers["cloudEvents_correlationid"][1] == "c-1"
        assert headers["cloudEvents_source"][1] == "/shop"

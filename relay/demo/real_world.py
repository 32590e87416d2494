"""DynamoDB Local, RabbitMQ and Elasticsearch, and a relay that is a process of its own, as in production."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from eventstore import settings as store_settings
from eventstore.dynamodb import tables as store_tables
from eventstore.dynamodb.connection import Endpoint, connect
from eventstore.errors import UnreachableError
from eventstore.ports import DynamoClient, Runtime
from eventstore.settings import SettingsError
from relay import settings as relay_settings
from relay.demo import clean_up
from relay.demo.consumer import Consumer, RabbitConsumer
from relay.demo.search import ElasticsearchReader, IndexReader
from relay.demo.world import RelayFailedError
from relay.destinations.bus.broker import BrokerError
from relay.destinations.index.client import IndexClientError
from relay.destinations.resource_names import Names

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.1
_LOG_TAIL_LINES = 5


class RealWorld:
    """Servers that `make up` started. Each run has tables, exchange, queues and indices of its own."""

    name = "real"

    def __init__(self, runtime: Runtime) -> None:
        """Connect to all servers and set the tables up.

        Raises:
            SettingsError: No address of a server is known; `make up` writes them.
            UnreachableError: A server does not answer.
        """
        settings = relay_settings.load()
        chosen = store_settings.load()
        if chosen.dynamodb_endpoint_url is None:
            raise SettingsError(
                "EVENTSTORE_DYNAMODB_ENDPOINT_URL is unset, and the demo writes to DynamoDB Local only: run `make up`",
            )
        run = f"demo{runtime.random_bytes(4).hex()}"
        self._environment = {
            "EVENTSTORE_DYNAMODB_ENDPOINT_URL": chosen.dynamodb_endpoint_url,
            "EVENTSTORE_AWS_REGION": chosen.aws_region or "eu-central-1",
            "EVENTSTORE_AWS_ACCESS_KEY_ID": run,  # DynamoDB Local keeps a database per access key id
            "EVENTSTORE_AWS_SECRET_ACCESS_KEY": "local",
            "RELAY_NAME_PREFIX": run,
            "RELAY_LOG_LEVEL": "info",  # its log says when it reads the feed
            "RELAY_LOG_FORMAT": "json",
            "RELAY_RABBITMQ_URL": settings.rabbitmq_url.get_secret_value(),
            "RELAY_ELASTICSEARCH_URL": settings.elasticsearch_url.get_secret_value(),
        }
        self._run = self.prefix = run
        self._runtime = runtime
        self.tables = chosen.tables
        self.client: DynamoClient = connect(
            Endpoint(chosen.dynamodb_endpoint_url, chosen.aws_region or "eu-central-1", run, "local"),
        )
        store_tables.init(self.client, self.tables, runtime, protect=False)
        self._rabbitmq_url = settings.rabbitmq_url.get_secret_value()
        self._elasticsearch_url = settings.elasticsearch_url.get_secret_value()
        try:
            self._index = ElasticsearchReader(self._elasticsearch_url, Names(run))
            self._consumer = RabbitConsumer(self._rabbitmq_url, run, runtime, Names(run))
            self._index.count()
            self._consumer.connect()  # from here on it misses nothing
        except (BrokerError, IndexClientError) as error:
            raise UnreachableError(f"{error}. Run `make status`, and `make up` to start what is missing") from error
        except ValueError:  # whose message may hold a password
            raise SettingsError("RELAY_RABBITMQ_URL or RELAY_ELASTICSEARCH_URL cannot be read as an address") from None
        self.index: IndexReader = self._index
        self.consumer: Consumer = self._consumer
        self._log = Path(tempfile.mkdtemp(prefix="relay-demo-")) / "relay.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start_relay(self) -> None:
        """Start `relay run` as a process, and wait until it reads the feed."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "relay", "run"],
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = self._runtime.monotonic() + _START_SECONDS
        while b"shard.opened" not in self._log.read_bytes():
            self.check_relay()
            if self._runtime.monotonic() > deadline:
                raise RelayFailedError(f"`relay run` read no shard within {_START_SECONDS:.0f} s: {self._tail()}")
            self._runtime.sleep(_POLL_SECONDS)

    def check_relay(self) -> None:
        """Raise when the process has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise RelayFailedError(f"`relay run` ended with exit code {self._process.returncode}: {self._tail()}")

    def stop_relay(self) -> None:
        """Send SIGTERM, and expect the exit code 0."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            code = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise RelayFailedError(f"`relay run` did not stop within {_STOP_SECONDS:.0f} s: {self._tail()}") from None
        if code != 0:
            raise RelayFailedError(f"`relay run` exited with {code} after SIGTERM: {self._tail()}")

    def next_command(self) -> str:
        """Name a look at the tables of this run, which stay until `make down`."""
        return f"EVENTSTORE_AWS_ACCESS_KEY_ID={self._run} .venv/bin/relay status"

    def close(self) -> None:
        """End the relay if it still runs, and remove this run's queues and indices."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
        self._consumer.close()
        self._index.close()
        if self._process is None or self._process.returncode == 0:
            shutil.rmtree(self._log.parent, ignore_errors=True)  # a log that nobody needs
        clean_up.remove_bus(self._rabbitmq_url, Names(self._run), self._run)
        clean_up.remove_index(self._elasticsearch_url, Names(self._run))

    def _tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return f"{' / '.join(lines)} (log: {self._log})"

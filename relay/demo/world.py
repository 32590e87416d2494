"""The world a demo runs in: tables, a relay, a consumer and a reader of the index."""

from typing import TYPE_CHECKING, Protocol

from eventstore.dynamodb import tables as store_tables
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import EventStoreError
from eventstore.ports import DynamoClient, Flag, Part, Runtime
from eventstore.testing import InMemoryDynamoDB
from relay.assembly import AssemblySettings, Relay
from relay.destinations.bus.bus import Bus
from relay.destinations.index.index import Index
from relay.testing import InMemoryBroker, InMemoryIndex

if TYPE_CHECKING:  # they stand beside the clients of real servers, which the embedded world does without
    from relay.demo.consumer import Consumer
    from relay.demo.search import IndexReader

_STOP_SECONDS = 60.0


class RelayFailedError(EventStoreError):
    """The demo's relay did not run to its end as it should."""


class World(Protocol):
    """Everything a demo needs, on one kind of servers."""

    @property
    def name(self) -> str:
        """`embedded` or `real`."""
        ...

    @property
    def prefix(self) -> str:
        """The store's prefix in names on bus and index."""
        ...

    @property
    def client(self) -> DynamoClient:
        """For the tables, which exist."""
        ...

    @property
    def tables(self) -> TableNames:
        """Names of the tables."""
        ...

    @property
    def consumer(self) -> "Consumer":
        """A subscriber of everything on the bus, from before the first event on."""
        ...

    @property
    def index(self) -> "IndexReader":
        """A user of the search index."""
        ...

    def start_relay(self) -> None:
        """Start the relay."""
        ...

    def check_relay(self) -> None:
        """Raise `RelayFailedError` when the relay has ended by itself."""
        ...

    def stop_relay(self) -> None:
        """Tell the relay to stop, and wait until it has finished what was in flight."""
        ...

    def next_command(self) -> str:
        """A command worth trying now."""
        ...

    def close(self) -> None:
        """Release everything, also after a failure."""
        ...


class EmbeddedWorld:
    """Everything in this process: nothing is needed, nothing is left behind."""

    name = "embedded"
    prefix = "inventory"

    def __init__(self, runtime: Runtime) -> None:
        database = InMemoryDynamoDB()
        self.tables = TableNames()
        self.client: DynamoClient = database.client()
        store_tables.init(self.client, self.tables, runtime, protect=False)
        broker, index = InMemoryBroker(runtime=runtime), InMemoryIndex(runtime)
        self.consumer: Consumer = broker.consumer("demo")
        self.index: IndexReader = index
        self._runtime = runtime
        self._stop: Flag = runtime.flag()
        self._relay = Relay(
            client=self.client,
            streams=database.streams_client(),
            tables=self.tables,
            bus=Bus(broker, runtime),
            sides=(Index(index, runtime),),
            runtime=runtime,
            settings=AssemblySettings(),
        )
        self._part: Part | None = None

    def start_relay(self) -> None:
        """Start the relay in a part of this process."""
        self._part = self._runtime.spawn("relay", self._relay.daemon(self._stop).run)

    def check_relay(self) -> None:
        """Raise when the relay has ended by itself."""
        if self._part is not None and not self._part.is_alive() and not self._stop.is_set():
            raise RelayFailedError(f"the relay ended: {self._part.failure!r}")

    def stop_relay(self) -> None:
        """Stop the relay and wait for it."""
        self._stop.set()
        if self._part is not None and not (self._part.join(_STOP_SECONDS) and self._part.failure is None):
            raise RelayFailedError(f"the relay did not stop as it should: {self._part.failure!r}")

    def next_command(self) -> str:
        """Name the same on real servers."""
        return "make demo STACK=real"

    def close(self) -> None:
        """Stop the relay if it still runs; everything else goes with the process."""
        self._stop.set()

"""A relay in this process, with real threads, between an in-memory DynamoDB, a slow broker and an index."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event
from typing import Any, Self

from eventstore import AggregateRef, EventStore, NewEvent, TableNames
from eventstore.dynamodb import tables
from eventstore.ports import Part, Runtime
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay.assembly import AssemblySettings, Relay
from relay.daemon import DaemonSettings
from relay.destinations.bus.broker import Message
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.settings import BusSettings
from relay.destinations.index.client import IndexClient
from relay.destinations.index.index import Index
from relay.testing import InMemoryBroker, InMemoryIndex
from tests.bench.flow.servers import EventKey, SlowBroker, SlowCalls

QUEUE = "all"
DRAIN_SECONDS = 2.0
_LOOK_SECONDS = 0.02


class PastRuntime(SystemRuntime):
    """The real runtime, but its time of day lies back by some seconds: for rows that are old already."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now_ms(self) -> int:
        """Return the time of day as it was."""
        return super().now_ms() - round(self._seconds * 1000)


class Scene(AbstractContextManager["Scene"]):
    """One store and one relay. Leaving it stops the relay, for as long as it may drain.

    Args:
        shards: Of the outbox's stream.
        confirm_seconds: From a message to its confirm.
        call_seconds: What each of the relay's calls to DynamoDB takes; the writer's take none.
        index: Before the index in memory, if anything.
        refuses: Messages that are nacked although a queue took them.
        settings: Of `AssemblySettings`.
    """

    def __init__(
        self,
        *,
        shards: int = 1,
        confirm_seconds: float = 0.0,
        call_seconds: float = 0.0,
        index: Callable[[IndexClient], IndexClient] = lambda client: client,
        refuses: Callable[[Message], bool] = lambda _: False,
        **settings: Any,
    ) -> None:
        self.runtime = SystemRuntime()
        self.database = InMemoryDynamoDB(shard_count=shards)
        self.client = self.database.client()
        self.make_tables()
        self.broker, self.index = InMemoryBroker(runtime=self.runtime), InMemoryIndex(self.runtime)
        self.broker.queue(QUEUE)
        self.bus = SlowBroker(self.broker, self.runtime, confirm_seconds, refuses)
        self.stop = self.runtime.flag()
        self.relay = Relay(
            client=SlowCalls(self.client, call_seconds) if call_seconds else self.client,
            streams=(
                SlowCalls(self.database.streams_client(), call_seconds)
                if call_seconds
                else self.database.streams_client()
            ),
            tables=TableNames(),
            bus=Bus(self.bus, self.runtime, BusSettings()),
            sides=(Index(index(self.index), self.runtime),),
            runtime=self.runtime,
            settings=AssemblySettings(**{"daemon": DaemonSettings(DRAIN_SECONDS), **settings}),
        )
        self._part: Part | None = None

    def make_tables(self) -> None:
        """Make the tables that are absent, and open the store anew: nobody's numbers are remembered."""
        tables.init(self.client, TableNames(), self.runtime, protect=False)
        self.open_store(self.runtime)
        self.versions: dict[str, int] = {}
        self.appended_at: dict[EventKey, float] = {}

    def open_store(self, runtime: Runtime) -> None:
        """Let appends have another clock from now on."""
        self.store = EventStore.open(self.client, runtime=runtime)

    def drop_tables(self, *names: str) -> None:
        """Delete tables."""
        for name in names:
            self.client.delete_table(TableName=name)

    def append(self, aggregate_id: str, events: int = 1, event_type: str = "COUNTED") -> None:
        """Append one commit of that many events."""
        version = self.versions.get(aggregate_id, 0)
        new = [NewEvent(event_type, {"n": version + 1 + offset}) for offset in range(events)]
        self.store.append(AggregateRef("ITEM", aggregate_id), new, expected_version=version)
        now = self.runtime.monotonic()
        self.versions[aggregate_id] = version + events
        self.appended_at.update({(aggregate_id, version + 1 + offset): now for offset in range(events)})

    def stream(self, name: str, *, aggregates: int, per_second: float, seconds: float) -> None:
        """Append one-event commits evenly, to that many aggregates in turn; return at the end."""
        begin, pause = time.monotonic(), Event()
        for number in range(round(per_second * seconds)):
            pause.wait(max(0.0, begin + number / per_second - time.monotonic()))
            self.append(f"{name}-{number % aggregates}")

    def start(self) -> Self:
        """Start the relay, and return when it delivers what is new."""
        self.start_at_once()
        self.append("probe")
        assert self.wait(lambda: ("probe", 1) in self.bus.ledger.confirmed_at, 30), "the relay does not deliver"
        return self

    def start_at_once(self) -> None:
        """Start the relay."""
        self._part = self.runtime.spawn("relay", self.relay.daemon(self.stop).run)

    def end(self, timeout_seconds: float) -> float:
        """Tell the relay to stop; return how many seconds it took, at most that long."""
        begin = self.runtime.monotonic()
        self.stop.set()
        if self._part is not None:
            self._part.join(timeout_seconds)
            if self._part.failure is not None:
                raise self._part.failure
        return self.runtime.monotonic() - begin

    def owed(self) -> int:
        """Return how many rows the outbox has."""
        return self.client.scan(TableName=TableNames().outbox, Select="COUNT")["Count"]  # type: ignore[no-any-return]

    def leases_held(self) -> int:
        """Return how many leases have an owner."""
        items = self.client.scan(TableName=TableNames().relay)["Items"]
        return sum("owner" in item for item in items)

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds; False when it does not in time, or the relay has gone down."""
        deadline, pause = time.monotonic() + seconds, Event()
        while not condition():
            if time.monotonic() >= deadline:
                return False
            if self._part is not None and self._part.failure is not None:
                raise self._part.failure
            pause.wait(_LOOK_SECONDS)
        return True

    def delays(self, name: str, chosen: Callable[[str], bool] = lambda _: True) -> list[float]:
        """Return the seconds from append to confirm of a stream's events, of chosen aggregates.

        What was not confirmed yet counts as late as it is by now.
        """
        now = self.runtime.monotonic()
        return [
            self.bus.ledger.confirmed_at.get(key, now) - at
            for key, at in self.appended_at.items()
            if key[0].startswith(f"{name}-") and chosen(key[0])
        ]

    def __exit__(self, *_: object) -> None:
        self.end(DRAIN_SECONDS + 5.0)

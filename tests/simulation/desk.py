"""The command lines of operators, run as they are: `relay …` and `eventstore …`, as parts of simulated processes.

A command reads its arguments, does what it does through the ports of its process, and prints. What it prints goes to a
place of its own thread. What is put in its way: settings, which name no server, the connections, signals, and the parts
of a relay, which have the sizes of the world. `relay run` is not run here: a worker is made as it makes one, without
its HTTP server, whose answers are looked at where they come from. `relay topology` speaks to RabbitMQ and Elasticsearch
beyond any port, so it has real servers or none; `relay demo` and `relay config` are about no fleet.
"""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import relay.cli
from eventstore import EventStore
from eventstore import cli as eventstore_cli
from eventstore import settings as store_settings
from eventstore.cli import verify
from eventstore.context import StoreOptions
from eventstore.dynamodb import connection
from eventstore.ports import Flag
from eventstore.settings import StoreSettings
from relay import defaults
from relay import settings as relay_settings
from relay.assembly import Relay
from relay.cli import opened, replay
from relay.cli.parked import release
from relay.operating.parked import reader
from relay.settings import RelaySettings
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.ledger import Ledger
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.scheduler import Process, Scheduler

DEFECT = 70
_SERVERS = {"rabbitmq_url": "amqp://bus.simulated", "elasticsearch_url": "http://index.simulated:9200"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to.

    Attributes:
        code: Its exit code.
        text: What it printed on standard output.
        complaints: What it printed on standard error.
    """

    code: int
    text: str
    complaints: str

    @property
    def data(self) -> Any:
        """What it says of its business: the data of its document."""
        return json.loads(self.text)["data"]

    @property
    def lines(self) -> list[Any]:
        """Its documents, one per line."""
        return [json.loads(line) for line in self.text.splitlines()]


@dataclass(slots=True)
class _Seat:
    """Who runs a command: its process, and what it prints."""

    runtime: SimulatedRuntime
    out: io.TextIOWrapper = field(default_factory=lambda: io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True))
    err: io.TextIOWrapper = field(default_factory=lambda: io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True))


class _Stream:
    """A standard stream: that of the command which this thread runs, else the one that was there before."""

    def __init__(self, before: Any, mine: Callable[[], Any]) -> None:
        self._before = before
        self._mine = mine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mine() or self._before, name)


class CommandLines:
    """Runs commands.

    Args:
        ledger: Told of a command that fails as none may.
        scheduler: Knows who is at work.
        passage: The way to the tables.
        relay_of: Returns the parts of a relay in a process.
        page_rows: How many rows of the outbox commands read at once.
    """

    def __init__(
        self,
        ledger: Ledger,
        scheduler: Scheduler,
        passage: SimulatedPassage,
        relay_of: Callable[[SimulatedRuntime], Relay],
        page_rows: int,
    ) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self._passage = passage
        self._relay_of = relay_of
        self._page_rows = page_rows
        self._seat = threading.local()
        self._runtimes: dict[Process, SimulatedRuntime] = {}
        self.stops: dict[Process, Flag] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have everything in the way of commands within the block."""
        stand_ins = (
            (sys, "stdout", _Stream(sys.stdout, lambda: self._mine("out"))),
            (sys, "stderr", _Stream(sys.stderr, lambda: self._mine("err"))),
            (connection, "connect", lambda *_, **__: self._passage.database.client()),
            (connection, "connect_with_streams", self._connect),
            (store_settings, "load", lambda: StoreSettings.model_construct(table_prefix="inventory")),
            (relay_settings, "load", lambda: RelaySettings.model_construct(**_SERVERS)),
            (opened, "SystemRuntime", self._runtime),
            (verify, "SystemRuntime", self._runtime),
            (replay, "SystemRuntime", self._runtime),
            (replay, "load_settings", lambda: (StoreSettings.model_construct(table_prefix="inventory"), _Chosen())),
            (replay, "open_destinations", lambda *_: None),
            (replay, "build_relay", lambda *_, **__: self._relay_of(self._runtime())),
            (replay.logs, "configure", lambda *_: None),
            (replay, "stop_on_signals", self._heed),
            (release, "stop_on_signals", self._heed),
            (reader, "PAGE_ROWS", self._page_rows),
            (defaults, "OUTBOX_PAGE_ROWS", self._page_rows),
            (EventStore, "from_environment", self._open_store),
        )
        with ExitStack() as stack:
            for place, name, stand_in in stand_ins:
                stack.enter_context(patch.object(place, name, stand_in))
            yield

    def relay(self, runtime: SimulatedRuntime, *arguments: str) -> Answer:
        """Run `relay` with arguments, and return what it came to."""
        return self._run(runtime, relay.cli.main, arguments)

    def eventstore(self, runtime: SimulatedRuntime, *arguments: str) -> Answer:
        """Run `eventstore` with arguments, and return what it came to."""
        return self._run(runtime, eventstore_cli.main, arguments)

    def _run(self, runtime: SimulatedRuntime, program: Any, arguments: tuple[str, ...]) -> Answer:
        self._runtimes[runtime.process] = runtime
        seat = self._seat.at = _Seat(runtime)
        code = 0
        try:
            program.main(list(arguments))
        except SystemExit as end:
            code = int(str(end.code or 0))
        finally:
            self._seat.at = None
            self.stops.pop(runtime.process, None)
        answer = Answer(code, *(stream.buffer.getvalue().decode() for stream in (seat.out, seat.err)))  # type: ignore[attr-defined]
        if code == DEFECT:
            self._ledger.broken("a command does not fail", f"{' '.join(arguments)}: {answer.complaints}")
        return answer

    def _mine(self, name: str) -> Any:
        seat = getattr(self._seat, "at", None)
        return None if seat is None else getattr(seat, name)

    def _runtime(self) -> SimulatedRuntime:
        return self._runtimes[self._scheduler.current.process]

    def _connect(self, *_: Any, **__: Any) -> tuple[Any, Any]:
        return self._passage.database.client(), self._passage.database.streams_client()

    def _heed(self, stop: Flag, *_: Any) -> None:
        self.stops[self._scheduler.current.process] = stop

    def _open_store(self, *, options: StoreOptions | None = None, **_: Any) -> EventStore:
        return EventStore.open(self._passage.database.client(), options=options, runtime=self._runtime())


class _Chosen:
    """Settings of a replay: it names nothing but what it logs, since its relay is made by the world."""

    log_format = "console"
    bus_moved_from = None

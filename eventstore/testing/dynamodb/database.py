"""The in-memory DynamoDB itself: one engine behind one entry point."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from random import Random
from threading import Lock
from typing import Any, Protocol

from eventstore.system import SystemRuntime
from eventstore.testing.dynamodb.client import DynamoDBClient, DynamoDBStreamsClient
from eventstore.testing.dynamodb.clock import WallClock
from eventstore.testing.dynamodb.engine import Engine
from eventstore.testing.dynamodb.faults.faults import Faults
from eventstore.testing.dynamodb.faults.hiding import Flight
from eventstore.testing.dynamodb.faults.weather import FAULTS, Weather
from eventstore.testing.dynamodb.feed.feed import Feed, InCommitOrder, Placing
from eventstore.testing.dynamodb.operations import OPERATIONS, Operation

REGION_DEFAULT = "eu-central-1"

Reply = dict[str, Any]


class Passage(Protocol):
    """Stands between every client call and its effect.

    Whatever happens to a call on its way - a turn of the scheduler, a throttle, a reply lost before or after the
    effect - happens here.
    """

    def carry(self, operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the reply of `effect`, which carries the call out when it is called."""
        ...


class OpenPassage:
    """Lets every call through."""

    def carry(
        self, _operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the reply."""
        return effect()


class InMemoryDynamoDB:
    """A DynamoDB in this process: tables, transactions, indexes, and streams with shards.

    It answers as AWS documents; where DynamoDB Local does otherwise, AWS is followed. Nothing goes wrong by itself:
    tables are ready at once, indexes are up to date, feeds keep the order of commits, and nothing is trimmed. What is
    to go wrong is asked for by a `Weather`:

        database = InMemoryDynamoDB(weather=Weather(throttle=0.1, swap_records=0.5), random=Random(7))

    From one seed, and calls in one order on one clock, comes one course of things.

    Args:
        clock: Tells the time, for idempotency tokens, streams and creation dates; the machine's by default.
        lock: Held while one call has its effect; a thread lock by default.
        region: Named in addresses and records.
        shard_count: Number of shards a stream starts with.
        placing: How the records of a commit enter a stream; in the order of the request by default.
        passage: What stands between a call and its effect; nothing by default.
        weather: What goes wrong, and how often; nothing by default.
        random: Decides when; seeded with 0 by default.
        feed_kept_ms: From which age on records are removed from the streams, and streams that are closed forgotten,
            beside what the weather says; nothing is removed by default. AWS keeps them for 24 hours.
    """

    def __init__(
        self,
        *,
        clock: WallClock | None = None,
        lock: AbstractContextManager[object] | None = None,
        region: str = REGION_DEFAULT,
        shard_count: int = 1,
        placing: Placing | None = None,
        passage: Passage | None = None,
        weather: Weather | None = None,
        random: Random | None = None,
        feed_kept_ms: int | None = None,
    ) -> None:
        self._clock = clock or SystemRuntime()
        self._random = random or Random(0)  # noqa: S311 - faults are to be repeatable
        self._engine = Engine(
            self._clock,
            region=region,
            placing=placing or InCommitOrder(),
            shard_count=shard_count,
            feed_kept_ms=feed_kept_ms,
        )
        self._lock = lock or Lock()
        self._passage = passage or OpenPassage()
        self._faults: Faults | None = None
        if weather is not None:
            self.weather = weather

    @property
    def weather(self) -> Weather:
        """The faults from now on; effects that are late already come at their time, or before.

        `Weather()` ends all faults.
        """
        return Weather() if self._faults is None else self._faults.chance.weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        with self._lock:
            if self._faults is not None:
                self._faults.chance.weather = weather
            elif weather != Weather():
                self._faults = Faults(weather, self._random, self._clock)
                self._engine.let_fail(self._faults)

    @property
    def met(self) -> Mapping[str, int]:
        """How often each fault has happened so far, by its name in `Weather`."""
        return dict.fromkeys(FAULTS, 0) if self._faults is None else dict(self._faults.chance.met)

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one operation by its name on the wire, such as `PutItem`; all calls of all clients come here.

        Raises:
            As the service refuses, or as the connection breaks; clients turn it into botocore's exceptions.
        """
        handler = OPERATIONS[operation]
        if self._faults is not None:
            return self._call_in_weather(self._faults, operation, handler, request)

        def effect() -> Reply:
            with self._lock:
                return handler(self._engine, request)

        return self._passage.carry(operation, request, effect)

    def _call_in_weather(self, faults: Faults, operation: str, handler: Operation, request: Mapping[str, Any]) -> Reply:
        opened: list[Flight] = []

        def effect() -> Reply:
            with self._lock:
                faults.catch_up()
                faults.journey.go(operation, request)
                reply = handler(self._engine, request)
                flight = faults.hiding.take_opened()
                if flight is not None:
                    opened.append(flight)
                return faults.journey.come_back(operation, reply)

        reply = self._passage.carry(operation, request, effect)
        if opened:  # a reply that came through says that everything is applied; one that got lost leaves that to time
            with self._lock:
                for flight in opened:
                    faults.hiding.land(flight)
        return reply

    def client(self) -> DynamoDBClient:
        """Return a client with the calls of boto3's low-level `dynamodb` client."""
        return DynamoDBClient(self.call)

    def observer(self) -> DynamoDBClient:
        """Return a client for observers: it sees the tables as they are, meets no fault and bypasses the passage.

        It is for reads. A write by it would overtake what is late.
        """
        return DynamoDBClient(self._observe)

    def _observe(self, operation: str, request: Mapping[str, Any]) -> Reply:
        with self._lock:
            self._engine.faults = None
            try:
                return OPERATIONS[operation](self._engine, request)
            finally:
                self._engine.faults = self._faults

    def streams_client(self) -> DynamoDBStreamsClient:
        """Return a client with the calls of boto3's low-level `dynamodbstreams` client."""
        return DynamoDBStreamsClient(self.call)

    def open_shard_ids(self, table_name: str) -> list[str]:
        """Return the ids of the open shards of a table's stream, oldest first."""
        with self._lock:
            return [shard.shard_id for shard in self._feed(table_name).shards if shard.is_open]

    def split_shard(self, table_name: str, shard_id: str, into: int = 2) -> list[str]:
        """Close an open shard and open children that share its keys; return the children's ids."""
        with self._lock:
            return [shard.shard_id for shard in self._feed(table_name).split(shard_id, self._engine.now_ms(), into)]

    def rotate_shards(self, table_name: str) -> list[str]:
        """Close every open shard of a table's stream and open one child of each; return the children's ids."""
        with self._lock:
            return [shard.shard_id for shard in self._feed(table_name).rotate(self._engine.now_ms())]

    def _feed(self, table_name: str) -> Feed:
        feed = self._engine.table(table_name).feed
        if feed is None:
            raise ValueError(f"the table {table_name} has no stream; give it a StreamSpecification")
        return feed

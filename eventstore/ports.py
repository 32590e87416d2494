"""The ports through which every effect goes: clock, waiting, randomness, threads, DynamoDB.

Product code never calls `time`, `threading`, `random` or a server by itself; it is handed these. `eventstore.system`
opens the doors to the real world. A simulator can open them to a clock of its own, hand one baton from part to part
and stop a part at any call, and the product code runs unchanged.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Tells time. Order never depends on it."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow and that count the time a machine was suspended."""
        ...


class Flag(Protocol):
    """A signal that is raised once and seen by many."""

    def set(self) -> None:
        """Raise it."""
        ...

    def is_set(self) -> bool:
        """Tell whether it was raised."""
        ...

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until it is raised or the time is over; tell whether it was raised."""
        ...


class Channel(Protocol[T]):
    """A bounded queue between two parts."""

    def put(self, item: T, timeout_seconds: float) -> bool:
        """Hand an item over; False when there was no room in time."""
        ...

    def get(self, timeout_seconds: float) -> T | None:
        """Take the oldest item; None when there was none in time. Zero asks without waiting."""
        ...


class Part(Protocol):
    """A long-lived part that runs beside its starter: a named thread in production."""

    @property
    def name(self) -> str:
        """The name the part was started with."""
        ...

    @property
    def failure(self) -> BaseException | None:
        """What ended the part, when that was an exception."""
        ...

    def is_alive(self) -> bool:
        """Tell whether the part still runs."""
        ...

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the part's end; False when it still runs after that time."""
        ...


class Runtime(Clock, Protocol):
    """Everything a part needs from its environment, apart from servers."""

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        ...

    def uniform(self) -> float:
        """Return a random number in [0, 1)."""
        ...

    def random_bytes(self, count: int) -> bytes:
        """Return that many random bytes."""
        ...

    def lock(self) -> AbstractContextManager[object]:
        """Return a new lock, for the few values that two parts share."""
        ...

    def flag(self) -> Flag:
        """Return a new flag, not raised."""
        ...

    def channel(self, capacity: int) -> Channel[Any]:
        """Return a new channel that holds at most `capacity` items."""
        ...

    def spawn(self, name: str, body: Callable[[], None]) -> Part:
        """Start a part that runs `body` once."""
        ...


class DynamoClient(Protocol):
    """The calls of boto3's low-level DynamoDB client that we use; items are attribute-value maps.

    All of them are made with keywords alone. The signatures take anything, so that type checkers accept a client that
    is typed call by call, as boto3-stubs types them, and one that is typed like these.
    """

    def transact_write_items(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See TransactWriteItems."""
        ...

    def transact_get_items(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See TransactGetItems."""
        ...

    def batch_write_item(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See BatchWriteItem."""
        ...

    def batch_execute_statement(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See BatchExecuteStatement."""
        ...

    def batch_get_item(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See BatchGetItem."""
        ...

    def get_item(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See GetItem."""
        ...

    def put_item(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See PutItem."""
        ...

    def update_item(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See UpdateItem."""
        ...

    def delete_item(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See DeleteItem."""
        ...

    def query(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See Query."""
        ...

    def scan(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See Scan."""
        ...

    def create_table(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See CreateTable."""
        ...

    def describe_table(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See DescribeTable."""
        ...


class ClosableClient(DynamoClient, Protocol):
    """A `DynamoClient` with connections that can be closed."""

    def close(self) -> None:
        """Close the connections that wait for a request; those in use are closed after their reply. Safe to repeat."""
        ...


class StreamsClient(Protocol):
    """The calls of boto3's DynamoDB Streams client that the relay uses."""

    def list_streams(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See ListStreams."""
        ...

    def describe_stream(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See DescribeStream."""
        ...

    def get_shard_iterator(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See GetShardIterator."""
        ...

    def get_records(self, *_: Any, **request: Any) -> Mapping[str, Any]:
        """See GetRecords."""
        ...

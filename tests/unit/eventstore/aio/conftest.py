"""A store for tasks, on a database whose calls a test can hold up."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from eventstore import AggregateRef, EventStore, NewEvent
from eventstore.testing import InMemoryDynamoDB, in_memory_store

ITEM = AggregateRef("Item", "item-1")
PATIENCE_SECONDS = 20.0


def counted(number: int = 1) -> NewEvent:
    return NewEvent("COUNTED", {"number": number})


@dataclass
class Gate:
    """Stands between calls and their effects; while it is shut, calls of one operation wait before it.

    Attributes:
        operation: Which calls wait.
        threads: Names of the threads that came to it while it was shut.
        most: Most calls that waited at the same time.
    """

    operation: str = "TransactWriteItems"
    threads: list[str] = field(default_factory=list)
    most: int = 0

    def __post_init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Condition()
        self._waiting = 0

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def await_callers(self, count: int) -> None:
        """Block until so many calls wait; for a thread beside the event loop."""
        with self._lock:
            assert self._lock.wait_for(lambda: self._waiting >= count, PATIENCE_SECONDS), "nobody came to the gate"

    def carry(self, operation: str, _request: Mapping[str, Any], effect: Callable[[], Any]) -> Any:
        if operation == self.operation and not self._open.is_set():
            with self._lock:
                self._waiting += 1
                self.most = max(self.most, self._waiting)
                self.threads.append(threading.current_thread().name)
                self._lock.notify_all()
            assert self._open.wait(PATIENCE_SECONDS), "the gate stayed shut"
            with self._lock:
                self._waiting -= 1
        return effect()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def blocking_store(gate: Gate) -> EventStore:
    return in_memory_store(database=InMemoryDynamoDB(passage=gate))

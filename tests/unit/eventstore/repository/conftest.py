"""A stock of items, and a client that counts what is asked of the tables."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from eventstore import AggregateRef, Backoff, EventStore, NewEvent, RecordedEvent, StoreOptions
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB

QUICK = Backoff(attempts_max=4, base_seconds=0.0, cap_seconds=0.0)


@dataclass(frozen=True)
class Stock:
    quantity: int = 0
    history: tuple[int, ...] = ()


def evolve(stock: Stock, event: RecordedEvent) -> Stock:
    return Stock(stock.quantity + event.data["by"], (*stock.history, event.sequence_number)[-3:])


def changed(by: int, timestamp_ms: int | None = None) -> NewEvent:
    return NewEvent("CHANGED", {"by": by}, timestamp_ms=timestamp_ms)


@dataclass
class SteppedRuntime(SystemRuntime):
    """The machine's runtime with a clock that a test moves.

    Attributes:
        seconds: What the clocks show.
    """

    seconds: float = 1000.0

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class CountingClient:
    """Passes calls on, counts them, and lets a test come in between.

    Attributes:
        inner: The client behind it.
        calls: How often each call was made.
        before: Called before a call of that name.
    """

    inner: Any
    calls: Counter[str] = field(default_factory=Counter)
    before: dict[str, Callable[[dict[str, Any]], None]] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self.inner, name)

        def counted(**request: Any) -> Any:
            self.calls[name] += 1
            if name in self.before:
                self.before[name](request)
            return call(**request)

        return counted


@pytest.fixture
def runtime() -> SteppedRuntime:
    return SteppedRuntime()


@pytest.fixture
def counting(database: InMemoryDynamoDB) -> CountingClient:
    return CountingClient(database.client())


@pytest.fixture
def stocks(counting: CountingClient, runtime: SteppedRuntime) -> EventStore:
    """Give a store whose calls are counted from now on."""
    options = StoreOptions(append_backoff=QUICK, read_backoff=QUICK, contention_backoff=QUICK)
    store = EventStore.open(counting, options=options, runtime=runtime)  # type: ignore[arg-type]
    counting.calls.clear()
    return store


@pytest.fixture
def fill(database: InMemoryDynamoDB) -> Callable[..., None]:
    """Append changes to an item, by a store of its own."""
    other = EventStore.open(database.client())

    def append(*amounts: int, item: str = "item-1", timestamps_ms: tuple[int, ...] = ()) -> None:
        version = other.current_version(item)
        times = timestamps_ms or (None,) * len(amounts)
        events = [changed(by, at) for by, at in zip(amounts, times, strict=True)]
        for start in range(0, len(events), 98):
            part = events[start : start + 98]
            other.append(AggregateRef("ITEM", item), part, expected_version=version + start)

    return append

"""What reads over many aggregates meet: a clock that a test turns, an index that lags, requests that are counted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventstore import AggregateRef, EventStore, NewEvent
from eventstore.system import SystemFlag, SystemRuntime


def append(store: EventStore, aggregate_id: str, *times_ms: int, kind: str = "COUNTED", of: str = "ITEM") -> None:
    """Append one event per time to an aggregate, in one commit."""
    events = [NewEvent(kind, {"time": time}, timestamp_ms=time) for time in times_ms]
    store.append(AggregateRef(of, aggregate_id), events, expected_version=store.current_version(aggregate_id))


def keys(events: Any) -> list[tuple[str, int]]:
    """Return aggregate ids and numbers."""
    return [(event.aggregate_id, event.sequence_number) for event in events]


class TurnedRuntime(SystemRuntime):
    """The machine's runtime with a wall clock that stands still until a test turns it."""

    def __init__(self, now_ms: int) -> None:
        self.now = now_ms
        self.slept: list[float] = []

    def now_ms(self) -> int:
        """Return what the test set."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Note the pause; none is made."""
        self.slept.append(seconds)


class Script(SystemFlag):
    """A flag whose waits carry out the steps of a test, one each; it is raised when there are no more."""

    def __init__(self, steps: Sequence[Callable[[], None]]) -> None:
        super().__init__()
        self._steps: Iterator[Callable[[], None]] = iter(steps)
        self.waits: list[float] = []

    def wait(self, timeout_seconds: float) -> bool:
        """Carry out the next step instead of waiting."""
        self.waits.append(timeout_seconds)
        step = next(self._steps, None)
        if step is None:
            self.set()
        else:
            step()
        return self.is_set()


@dataclass
class Watched:
    """Passes calls on to a client, counts them, and hides entries of indexes.

    Attributes:
        inner: The client behind it.
        calls: How often each operation was called.
        hidden: Aggregate ids whose events the indexes do not show yet.
        batch_max: At most so many keys of a BatchGetItem are answered.
        asked: Requests of Query, as they came.
    """

    inner: Any
    calls: Counter[str] = field(default_factory=Counter)
    hidden: set[str] = field(default_factory=set)
    batch_max: int = 100
    asked: list[dict[str, Any]] = field(default_factory=list)

    def query(self, **request: Any) -> Any:
        """Query, as an index that lags would answer."""
        self.calls["query"] += 1
        self.asked.append(request)
        reply = self.inner.query(**request)
        if "IndexName" in request:
            reply["Items"] = [item for item in reply["Items"] if item["aggregateId"]["S"] not in self.hidden]
        return reply

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - boto3's name
        """BatchGetItem, answered in part and in another order."""
        self.calls["batch_get_item"] += 1
        ((table, wanted),) = RequestItems.items()
        now, later = wanted["Keys"][: self.batch_max], wanted["Keys"][self.batch_max :]
        reply = self.inner.batch_get_item(RequestItems={table: {**wanted, "Keys": now}})
        reply["Responses"][table].reverse()
        if later:
            reply["UnprocessedKeys"] = {table: {**wanted, "Keys": later}}
        return reply

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self.inner, name)

        def call(**request: Any) -> Any:
            self.calls[name] += 1
            return operation(**request)

        return call

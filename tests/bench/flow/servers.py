"""Servers with manners for measurements: a broker that takes its time, calls that take theirs, an index that fails.

The broker notes what it took and confirmed in a ledger; a key is an aggregate id and a sequence number.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventstore.ports import Runtime
from relay.destinations.bus.broker import Acked, BrokerError, BrokerEvent, BrokerSession, Message, Nacked
from relay.destinations.bus.message import AGGREGATE_ID, SEQUENCE_NUMBER
from relay.destinations.index.bulk_item import ItemVerdict
from relay.destinations.index.client import IndexClient, IndexLostError
from relay.testing import InMemoryBroker

EventKey = tuple[str, int]


@dataclass(slots=True)
class Ledger:
    """What a broker took and confirmed.

    Attributes:
        copies: How often each event was taken, that is lay in a queue that took it.
        confirmed_at: When the relay heard the first confirm of each event, by the monotonic clock.
    """

    copies: Counter[EventKey] = field(default_factory=Counter)
    confirmed_at: dict[EventKey, float] = field(default_factory=dict)

    def messages(self) -> int:
        """Return how many messages were taken."""
        return sum(self.copies.copy().values())

    def repeats(self) -> int:
        """Return how many messages were taken beyond the first of each event."""
        copies = self.copies.copy()
        return sum(copies.values()) - len(copies)


class SlowBroker:
    """A `Broker` before the one in memory: each message is confirmed by itself, some time after it was sent.

    Attributes:
        ledger: What was taken and confirmed; a test may put a new one there.
        connect_seconds: What each attempt to connect takes.

    Args:
        broker: Takes the messages.
        runtime: Its clock.
        confirm_seconds: From a message to its confirm; messages do not wait for each other.
        refuses: Messages that are nacked although the queues of `broker` take them: another queue was full.
    """

    def __init__(
        self,
        broker: InMemoryBroker,
        runtime: Runtime,
        confirm_seconds: float = 0.0,
        refuses: Callable[[Message], bool] = lambda _: False,
    ) -> None:
        self.ledger = Ledger()
        self.runtime = runtime
        self.confirm_seconds = confirm_seconds
        self.refuses = refuses
        self.connect_seconds = 0.0
        self._broker = broker

    def connect(self) -> BrokerSession:
        """See `Broker.connect`."""
        time.sleep(self.connect_seconds)
        return _SlowSession(self, self._broker.connect())


@dataclass(frozen=True, slots=True)
class _Answer:
    due: float
    event: BrokerEvent
    key: EventKey


class _SlowSession:
    """A `BrokerSession` that keeps each answer for a while."""

    def __init__(self, broker: SlowBroker, inner: BrokerSession) -> None:
        self._broker = broker
        self._inner = inner
        self._runtime = broker.runtime
        self._answers: deque[_Answer] = deque()  # by due time, since all wait equally long
        self._heard: list[BrokerEvent] = []
        self._failure: BrokerError | None = None
        self._is_woken = False
        self.frame_max_bytes = inner.frame_max_bytes
        self.missing = inner.missing

    def publish(self, message: Message) -> int:
        """See `BrokerSession.publish`."""
        tag = self._inner.publish(message)
        key = (str(message.headers[AGGREGATE_ID]), int(message.headers[SEQUENCE_NUMBER]))
        try:
            events = self._inner.poll(0)
        except BrokerError as error:  # a publish does not tell of it; the next poll does
            self._failure = error
            return tag
        for event in events:
            if isinstance(event, Acked | Nacked):
                self._note(event, key, message)
            else:
                self._heard.append(event)
        return tag

    def _note(self, event: Acked | Nacked, key: EventKey, message: Message) -> None:
        if isinstance(event, Acked):
            self._broker.ledger.copies[key] += 1
            if self._broker.refuses(message):
                event = Nacked(event.tag, multiple=event.multiple)
        self._answers.append(_Answer(self._runtime.monotonic() + self._broker.confirm_seconds, event, key))

    def poll(self, timeout_seconds: float) -> Sequence[BrokerEvent]:
        """See `BrokerSession.poll`."""
        deadline = self._runtime.monotonic() + timeout_seconds
        while True:
            if self._failure is not None:
                raise self._failure
            now = self._runtime.monotonic()
            events = [*self._heard, *self._due(now)]
            self._heard = []
            if events or now >= deadline or self._is_woken:
                self._is_woken = False
                return events
            until = min(deadline, self._answers[0].due) if self._answers else deadline
            self._heard += self._inner.poll(until - now)

    def _due(self, now: float) -> list[BrokerEvent]:
        events: list[BrokerEvent] = []
        while self._answers and self._answers[0].due <= now:
            answer = self._answers.popleft()
            if isinstance(answer.event, Acked):
                self._broker.ledger.confirmed_at.setdefault(answer.key, now)
            events.append(answer.event)
        return events

    def wake(self) -> None:
        """End a poll that waits, from any part."""
        self._is_woken = True
        wake: Callable[[], None] = self._inner.wake  # type: ignore[attr-defined,unused-ignore]
        wake()

    def close(self) -> None:
        """See `BrokerSession.close`."""
        self._inner.close()


class SlowCalls:
    """A client of DynamoDB or of its streams whose every call takes that much longer."""

    def __init__(self, client: Any, call_seconds: float) -> None:
        self._client = client
        self._call_seconds = call_seconds

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found) or name == "get_waiter":
            return found

        def call(**request: Any) -> Any:
            time.sleep(self._call_seconds)
            return found(**request)

        return call


class SlowIndex:
    """An `IndexClient` that needs a while for each bulk."""

    def __init__(self, client: IndexClient, bulk_seconds: float) -> None:
        self._client = client
        self._bulk_seconds = bulk_seconds

    def prepare(self, timeout_seconds: float) -> None:
        """See `IndexClient.prepare`."""
        self._client.prepare(timeout_seconds)

    def bulk(self, body: bytes, timeout_seconds: float) -> Sequence[ItemVerdict]:
        """See `IndexClient.bulk`."""
        time.sleep(min(self._bulk_seconds, timeout_seconds))
        if self._bulk_seconds > timeout_seconds:
            raise IndexLostError("no answer in time")
        return self._client.bulk(body, timeout_seconds)

    def close(self) -> None:
        """See `IndexClient.close`."""
        self._client.close()

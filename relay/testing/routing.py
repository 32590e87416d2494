"""Exchanges, bindings and queues of the broker in memory: where a message goes."""

from collections import deque
from dataclasses import dataclass, field

from relay.destinations.bus.broker import Message


@dataclass(slots=True)
class InMemoryQueue:
    """A queue that rejects what is published to it while it is full.

    Attributes:
        name: Its name.
        max_length: Most messages it holds.
        is_refusing: It rejects as if it were full.
        is_silent: It says nothing, as a quorum queue without its majority.
        slow_seconds: How long it takes to make a message durable.
        messages: What it holds, oldest first.
    """

    name: str
    max_length: int
    is_refusing: bool = False
    is_silent: bool = False
    slow_seconds: float = 0.0
    messages: deque[Message] = field(default_factory=deque)

    @property
    def is_full(self) -> bool:
        """Tell whether it rejects what is published."""
        return self.is_refusing or len(self.messages) >= self.max_length


@dataclass(slots=True)
class _Exchange:
    alternate: str | None
    bindings: list[tuple[list[str], InMemoryQueue]] = field(default_factory=list)


class InMemoryTopology:
    """A broker's exchanges and queues, with topic patterns as in AMQP 0-9-1 and alternate exchanges as in RabbitMQ."""

    def __init__(self) -> None:
        self._exchanges: dict[str, _Exchange] = {}
        self._queues: dict[str, InMemoryQueue] = {}
        self._routes: dict[tuple[str, str], list[InMemoryQueue]] = {}

    def declare_exchange(self, name: str, alternate: str | None = None) -> None:
        """Make a topic exchange; nothing happens when it is there."""
        self._exchanges.setdefault(name, _Exchange(alternate))
        self._routes.clear()

    def declare_queue(self, name: str, max_length: int) -> InMemoryQueue:
        """Make a queue, or return the one that is there."""
        return self._queues.setdefault(name, InMemoryQueue(name, max_length))

    def bind(self, queue: str, exchange: str, pattern: str) -> None:
        """Let a queue have what matches a pattern; nothing happens when it is bound like that already.

        Raises:
            KeyError: There is no such queue or exchange.
        """
        binding = (pattern.split("."), self._queues[queue])
        bindings = self._exchanges[exchange].bindings
        if not any(words == binding[0] and bound is binding[1] for words, bound in bindings):
            bindings.append(binding)
        self._routes.clear()

    def unbind(self, queue: str) -> None:
        """Take a queue's bindings away; it keeps its messages."""
        for exchange in self._exchanges.values():
            exchange.bindings = [binding for binding in exchange.bindings if binding[1].name != queue]
        self._routes.clear()

    def has_exchange(self, name: str) -> bool:
        """Tell whether an exchange is there."""
        return name in self._exchanges

    def delete_exchange(self, name: str) -> None:
        """Take an exchange away, with its bindings."""
        del self._exchanges[name]
        self._routes.clear()

    def queue(self, name: str) -> InMemoryQueue:
        """Return a queue.

        Raises:
            KeyError: There is none of that name.
        """
        return self._queues[name]

    def route(self, exchange: str, routing_key: str) -> list[InMemoryQueue]:
        """Return the queues a message goes to; those of the alternate exchange when there are none.

        Raises:
            KeyError: There is no such exchange.
        """
        known = self._routes.get((exchange, routing_key))
        if known is None:
            known = self._routes[exchange, routing_key] = self._look_up(exchange, routing_key)
        return known

    def _look_up(self, name: str, routing_key: str) -> list[InMemoryQueue]:
        words = routing_key.split(".")
        seen: set[str] = set()
        exchange: _Exchange | None = self._exchanges[name]
        while exchange is not None:
            found = {queue.name: queue for pattern, queue in exchange.bindings if matches(pattern, words)}
            if found or exchange.alternate is None or exchange.alternate in seen:
                return list(found.values())
            seen.add(exchange.alternate)
            exchange = self._exchanges.get(exchange.alternate)
        return []


def matches(pattern: list[str], words: list[str]) -> bool:
    """Tell whether a topic pattern matches: `*` stands for one word, `#` for none or more."""
    if not pattern:
        return not words
    first, rest = pattern[0], pattern[1:]
    if first == "#":
        return any(matches(rest, words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and first in {"*", words[0]} and matches(rest, words[1:])

"""A session of the broker in memory: what was said and not read, and what is not answered yet."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from eventstore.ports import Runtime
from relay.destinations.bus.broker import BrokerError, BrokerEvent, BrokerLostError, Message, Missing
from relay.testing.confirming import answers


@dataclass(slots=True)
class _Open:
    """A message without an answer.

    Attributes:
        silent: Queues that say nothing about it.
        due: When the slowest of the others has it, on the monotonic clock.
    """

    silent: set[str]
    due: float


@dataclass(slots=True)
class _Unsaid:
    """What is known of messages and was not said yet."""

    before: list[BrokerEvent] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)


class InMemorySession:
    """A `BrokerSession`. The broker calls those methods that are not the port's, under the lock they share.

    Args:
        runtime: Clock and waiting.
        lock: Guards the broker with all its sessions.
        take: Takes a message for the session, under a tag.
        forget: Told when the session is closed, under the lock.
        frame_max_bytes: Largest frame that the broker takes.
    """

    def __init__(
        self,
        runtime: Runtime,
        lock: AbstractContextManager[object],
        take: Callable[["InMemorySession", int, Message], None],
        forget: Callable[["InMemorySession"], None],
        frame_max_bytes: int,
    ) -> None:
        self.frame_max_bytes = frame_max_bytes
        self.missing: Missing | None = None
        self.failure: BrokerError | None = None
        self._is_stalled = False
        self._runtime = runtime
        self._lock = lock
        self._take = take
        self._forget = forget
        self._bell = runtime.channel(1)
        self._said: list[BrokerEvent] = []
        self._unsaid = _Unsaid()
        self._open: dict[int, _Open] = {}
        self._is_called = False
        self._last_tag = 0

    def publish(self, message: Message) -> int:
        """See `BrokerSession.publish`."""
        with self._lock:
            if self.failure is not None:
                raise self.failure
            self._last_tag += 1
            self._take(self, self._last_tag, message)
            return self._last_tag

    def poll(self, timeout_seconds: float) -> Sequence[BrokerEvent]:
        """See `BrokerSession.poll`."""
        deadline = self._runtime.monotonic() + timeout_seconds
        while True:
            with self._lock:
                now = self._runtime.monotonic()
                events, is_called, due = self._hear(now), self._is_called, self._next_due()
                self._is_called = False
                if not events and self.failure is not None:
                    raise self.failure
            if events or is_called or now >= deadline:
                return events
            self._bell.get(min(deadline, due) - now)

    def wake(self) -> None:
        """See `BrokerSession.wake`."""
        with self._lock:
            self._is_called = True
            self._ring()

    def close(self) -> None:
        """See `BrokerSession.close`."""
        with self._lock:
            self.failure = BrokerLostError("the session is closed")
            self._forget(self)

    def fail(self, failure: BrokerError) -> None:
        """Break; what was said and not read can still be read."""
        self.failure = self.failure or failure
        self._ring()

    def tell(self, event: BrokerEvent) -> None:
        """Say something that is no answer."""
        self._said.append(event)
        self._ring()

    def returns(self, tag: int, event: BrokerEvent) -> None:
        """Answer for a message that no queue took: it is returned, and then confirmed."""
        self._unsaid.before.append(event)
        self.confirm(tag)

    def confirm(self, tag: int) -> None:
        """Answer for a message that every queue has."""
        self._unsaid.confirmed.append(tag)
        self._ring()

    def reject(self, tag: int) -> None:
        """Answer for a message that some queue has rejected, whatever the others say of it later."""
        self._unsaid.rejected.append(tag)
        self._ring()

    def hold(self, tag: int, silent: Collection[str], seconds: float) -> None:
        """Confirm a message in so many seconds, and not before its silent queues have spoken."""
        self._open[tag] = _Open(set(silent), self._runtime.monotonic() + seconds)
        self._ring()

    def heard_of(self, tag: int, queue: str, *, took: bool) -> None:
        """A silent queue has spoken about a message, which may have been answered for since."""
        held = self._open.get(tag)
        if held is None:
            return
        held.silent.discard(queue)
        if not took:
            del self._open[tag]
            self.reject(tag)
        self._ring()

    def set_stalled(self, *, is_stalled: bool) -> None:
        """Hold answers back, or say those that were held back."""
        self._is_stalled = is_stalled
        self._ring()

    def _hear(self, now: float) -> list[BrokerEvent]:
        """Return what is said by now."""
        said, self._said = self._said, []
        if self.failure is None:
            for tag in [tag for tag, held in self._open.items() if not held.silent and held.due <= now]:
                del self._open[tag]
                self._unsaid.confirmed.append(tag)
        if not self._is_stalled:
            unsaid, self._unsaid = self._unsaid, _Unsaid()
            said += unsaid.before
            said += answers(unsaid.confirmed, unsaid.rejected, self._open)
        return said

    def _next_due(self) -> float:
        return min((held.due for held in self._open.values() if not held.silent), default=float("inf"))

    def _ring(self) -> None:
        """Let a poll look again."""
        self._bell.put(None, 0)

"""Whether what is sent reaches queues of consumers again, after their bindings went with the exchange of events.

A binding cannot be seen over AMQP, and a message that no binding wants is confirmed like any other, since the alternate
exchange leads it to a queue of the relay's own. So what was confirmed is compared with how much that queue grew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from eventstore.ports import Runtime
from relay.destinations.resource_names import Names


@dataclass(frozen=True, slots=True)
class _Base:
    """What is compared with at the next count.

    Attributes:
        depth: Messages in the queue of what is unrouted.
        sent: Messages that were sent until it was counted.
    """

    depth: int
    sent: int


class Routing:
    """For two parts: the one that sends, and the one that counts.

    Args:
        names: Of exchange and queue.
        runtime: Clock and lock.
    """

    def __init__(self, names: Names, runtime: Runtime) -> None:
        self._names = names
        self._runtime = runtime
        self._lock = runtime.lock()
        self._sent = 0
        self._confirmed = 0
        self._base: _Base | None = None
        self._since_ms: int | None = None
        self._unrouted = 0
        self._log = structlog.get_logger()

    @property
    def warning(self) -> str | None:
        """What is amiss, for the operator; None when nothing is known to be."""
        since_ms = self._since_ms
        if since_ms is None:
            return None
        since = datetime.fromtimestamp(since_ms / 1000, UTC)
        return (
            f"exchange {self._names.exchange} was gone and is there again without the bindings of consumers: since"
            f" {since:%Y-%m-%d %H:%M:%S} UTC, {self._unrouted:,} events were led to {self._names.unrouted}. Let"
            " consumers bind their queues again, and move there what it holds"
        )

    def came_back(self, depth: int | None) -> None:
        """Note that the exchange was gone and was made anew.

        Args:
            depth: Messages in the queue of what is unrouted, before anything was sent; None when that is not known.
        """
        with self._lock:
            if self._since_ms is None:
                self._since_ms = self._runtime.now_ms()
                self._unrouted = 0
                self._log.warning("bus.bindings_gone", exchange=self._names.exchange, queue=self._names.unrouted)
            self._base = self._base if depth is None else _Base(depth, self._sent)

    def sent(self) -> None:
        """Note a message that was sent."""
        with self._lock:
            self._sent += 1

    def answered(self, *, confirmed: int = 0, others: int = 0) -> None:
        """Note messages that were confirmed, and others that were not and so count as unsent."""
        with self._lock:
            self._confirmed += confirmed
            self._sent -= others

    def counted_by(self, ask: Callable[[], Mapping[str, int]]) -> Mapping[str, int]:
        """Ask how many messages lie in each queue, compare, and return the answer.

        Raises:
            EventStoreError: As `ask` does; nothing is compared then.
        """
        confirmed = self._confirmed
        depths = ask()
        depth = depths.get(self._names.unrouted)
        if depth is not None:
            with self._lock:
                self._compare(depth, confirmed)
        return depths

    def _compare(self, depth: int, confirmed: int) -> None:
        """Compare what was certainly sent and confirmed between two counts with how much the queue grew meanwhile."""
        base, self._base = self._base, _Base(depth, self._sent)
        if self._since_ms is None or base is None:
            return
        grown, passed = depth - base.depth, confirmed - base.sent
        if grown < 0:
            return  # somebody empties it, and what came meanwhile cannot be told
        if grown:
            self._unrouted += grown
            self._log.warning("bus.unrouted", queue=self._names.unrouted, events=self._unrouted)
        if passed > grown:
            self._since_ms = None
            self._log.info("bus.routed_again", queue=self._names.unrouted, events=self._unrouted)

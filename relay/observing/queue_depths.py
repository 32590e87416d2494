"""How many messages are in the bus's own queues: checked periodically in a part of its own, shown as a gauge."""

from collections.abc import Callable, Mapping

from eventstore.errors import EventStoreError
from eventstore.ports import Runtime
from relay import metrics
from relay.lifecycle import Service
from relay.metrics import Meter

INTERVAL_SECONDS = 30.0


class QueueDepths(Service):
    """The part `queues`. Told to stop, it ends after the question in hand.

    What is not known now has no series: an old number would look like a new one.

    Args:
        ask: Returns how many messages lie in each queue, within its own time-outs; raises `EventStoreError`.
        runtime: Starts the part.
        meter: Shows the numbers.
        interval_seconds: Pause between two questions.
    """

    def __init__(
        self,
        ask: Callable[[], Mapping[str, int]],
        runtime: Runtime,
        meter: Meter,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        super().__init__(runtime)
        self._ask = ask
        self._interval_seconds = interval_seconds
        self._depths: Mapping[str, int] = {}  # replaced, never changed: two parts look at it
        meter.watch(
            metrics.BUS_QUEUE_MESSAGES, lambda: {(queue,): float(depth) for queue, depth in self._depths.items()}
        )

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {"queues": self._run}

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._depths = self._ask()
            except EventStoreError:
                self._depths = {}  # whoever delivers to the bus says what is wrong with it
            self._stopping.wait(self._interval_seconds)

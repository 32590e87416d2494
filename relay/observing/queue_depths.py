"""How many messages are in the bus's own queues: checked periodically in a part of its own, shown as a gauge."""

from collections.abc import Callable, Mapping

from eventstore.errors import EventStoreError
from eventstore.ports import Flag, Runtime
from relay import metrics
from relay.metrics import Meter

INTERVAL_SECONDS = 30.0


class QueueDepths:
    """Checks while a worker runs. What is unknown now has no series: an old number would look like a new one.

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
        self._ask = ask
        self._runtime = runtime
        self._interval_seconds = interval_seconds
        self._depths: Mapping[str, int] = {}  # replaced, never changed: two parts look at it
        meter.watch(
            metrics.BUS_QUEUE_MESSAGES, lambda: {(queue,): float(depth) for queue, depth in self._depths.items()}
        )

    def run(self, stop: Flag) -> None:
        """Check until told to stop."""
        while not stop.is_set():
            try:
                self._depths = self._ask()
            except EventStoreError:
                self._depths = {}  # whoever delivers to the bus says what is wrong with it
            stop.wait(self._interval_seconds)

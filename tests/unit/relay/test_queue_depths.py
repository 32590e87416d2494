"""How many messages lie in the bus's own queues, as a gauge."""

from collections.abc import Mapping

from eventstore.errors import UnreachableError
from eventstore.system import SystemRuntime
from relay.metrics import BUS_QUEUE_MESSAGES
from relay.observing.queue_depths import QueueDepths
from relay.observing.recording import RecordingMeter
from tests.support.waiting import until


def test_numbers_are_shown_while_they_are_known() -> None:
    """
    A bus that does not answer has no number: the last one would look like one of now.
    """
    runtime = SystemRuntime()
    meter = RecordingMeter(runtime)
    answers: list[Mapping[str, int] | None] = [{"inventory.unrouted": 3}]

    def ask() -> Mapping[str, int]:
        if answers[0] is None:
            raise UnreachableError("gone")
        return answers[0]

    def shown() -> dict[tuple[str, ...], object]:
        return dict(meter.series(BUS_QUEUE_MESSAGES))

    depths = QueueDepths(ask, runtime, meter, interval_seconds=0.01)
    depths.start()
    try:
        until(lambda: shown() == {("inventory.unrouted",): 3.0}, "the number is shown")
        answers[0] = None
        until(lambda: shown() == {}, "nothing is shown while nothing is known")
        answers[0] = {"inventory.unrouted": 0, "inventory.dead-letters": 1}
        until(lambda: len(shown()) == 2, "both are shown")
    finally:
        depths.stop()
    assert depths.join(5)
    assert depths.dead_part is None

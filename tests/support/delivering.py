"""Hands commits to a destination for a number of seconds of its own clock."""

from collections.abc import Callable, Sequence

from eventstore.system import SystemRuntime
from relay.destination import Chain, Destination, Report
from relay.permit import DeliveryDeadline, Permit


def deliver(destination: Destination, chains: Sequence[Chain], seconds: float, permit: Permit | None = None) -> Report:
    """Deliver with a budget of so many seconds, and with leave unless a permit says otherwise."""
    runtime = getattr(destination, "_runtime", None) or SystemRuntime()
    return destination.deliver(chains, DeliveryDeadline(runtime, seconds, permit))


class TestedPermit:
    """A leave that a test takes away.

    Attributes:
        certain_seconds: How long sending is allowed for certain; a function is asked each time.
        is_over: Asked whether nothing new may be begun.
    """

    __test__ = False

    def __init__(
        self,
        certain_seconds: float | Callable[[], float] = float("inf"),
        *,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.certain_seconds = certain_seconds
        self.is_over = is_over

    def left_seconds(self) -> float:
        return self.certain_seconds() if callable(self.certain_seconds) else self.certain_seconds

    def is_revoked(self) -> bool:
        return self.is_over() or self.left_seconds() <= 0

    def wait(self, timeout_seconds: float) -> bool:
        assert timeout_seconds < 10, "a test does not wait that long"
        return self.is_revoked() or SystemRuntime().flag().wait(timeout_seconds) or self.is_revoked()

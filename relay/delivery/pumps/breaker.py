"""When to leave a troubled destination alone for a while. Pure."""

from dataclasses import dataclass, replace

from eventstore.backoff import Backoff


@dataclass(frozen=True, slots=True)
class Breaker:
    """Opens at trouble for a growing while, then lets one delivery try.

    Attributes:
        cool_off: How long it stays open, by the number of failures in a row.
        failures: Deliveries in a row that met trouble.
        open_until: On the monotonic clock; 0 when closed.
    """

    cool_off: Backoff
    failures: int = 0
    open_until: float = 0.0

    def is_open(self, now: float) -> bool:
        """Tell whether the destination is to be left alone."""
        return now < self.open_until

    def failed(self, now: float) -> "Breaker":
        """Return the breaker after a delivery that met trouble."""
        failures = self.failures + 1
        return replace(self, failures=failures, open_until=now + self.cool_off.ceiling_seconds(failures))

    def succeeded(self) -> "Breaker":
        """Return the breaker after a delivery without trouble."""
        return replace(self, failures=0, open_until=0.0)

"""Permission to deliver: valid while the relay runs, is not paused, and holds the lease of what it delivers."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from eventstore.ports import Flag, Runtime


class Permit(Protocol):
    """What a deliverer checks before each message. Settling what was confirmed needs no permit: it is a fact.

    It ends in two ways. Gently, when the relay stops or is paused: nothing new is begun, and the delivery under way
    ends by its own budget, since a commit that is cut off in the middle is sent again from its first event. At once,
    when the lease is no longer certain: then nothing more is sent, whatever was begun.
    """

    def left_seconds(self) -> float:
        """Return how long messages may be sent for certain; 0 when they may not. A renewed lease makes it grow again.

        A stop or a pause does not shorten it.
        """
        ...

    def is_revoked(self) -> bool:
        """Tell whether nothing new may be begun, no further attempt and no parking: stopped, paused, or not certain."""
        ...

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until the permit is revoked or the time is over; tell whether it is revoked."""
        ...


def may_begin(permits: Iterable[Permit]) -> bool:
    """Tell whether one of some permits allows to begin something now: to send, or to park."""
    return any(permit.left_seconds() > 0 and not permit.is_revoked() for permit in permits)


class FlagPermit:
    """The permit of a deliverer that needs no lease, such as an operator's replay: valid until a flag is raised."""

    def __init__(self, stop: Flag) -> None:
        self._stop = stop

    def left_seconds(self) -> float:
        """See `Permit`."""
        return float("inf")

    def is_revoked(self) -> bool:
        """See `Permit`."""
        return self._stop.is_set()

    def wait(self, timeout_seconds: float) -> bool:
        """See `Permit`."""
        return self._stop.wait(timeout_seconds)


class AnyOfEach:
    """The permit of several commits together: for each of them one of its permits must hold.

    Args:
        permits: Per commit those of who claims it.
    """

    def __init__(self, permits: Sequence[Sequence[Permit]]) -> None:
        self._permits = permits

    def left_seconds(self) -> float:
        """See `Permit`."""
        return min(max((each.left_seconds() for each in group), default=0.0) for group in self._permits)

    def is_revoked(self) -> bool:
        """See `Permit`."""
        return any(all(each.is_revoked() for each in group) for group in self._permits)

    def wait(self, timeout_seconds: float) -> bool:
        """See `Permit`; the first of them is waited with."""
        return self._permits[0][0].wait(timeout_seconds)


class DeliveryDeadline:
    """When one delivery must end (its budget is used up), and until when it may send (its permit expires as well).

    Args:
        runtime: Its monotonic clock counts.
        budget_seconds: From now on.
        permit: May expire earlier.
    """

    def __init__(self, runtime: Runtime, budget_seconds: float, permit: Permit | None = None) -> None:
        self._runtime = runtime
        self._ends_at = runtime.monotonic() + budget_seconds
        self._permit = permit
        self.budget_seconds = budget_seconds

    def left_seconds(self) -> float:
        """Return the seconds in which something may be sent, never less than 0. Ask again before each message."""
        left = self.answer_seconds()
        return left if self._permit is None else min(left, self._permit.left_seconds())

    def answer_seconds(self) -> float:
        """Return the seconds of the budget that are left, never less than 0: for answers to what was sent."""
        return max(0.0, self._ends_at - self._runtime.monotonic())

    def is_permit_expired(self) -> bool:
        """Tell whether nothing may be sent whatever the budget says."""
        return self._permit is not None and self._permit.left_seconds() <= 0

"""A worker deletes rows only while it is certain of what is in force: it holds a lease, and is not fenced from it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from unittest.mock import patch

from relay.delivery.flow import Flow
from relay.delivery.work.settlements import Settlement
from tests.simulation.fleet import FleetWatch
from tests.simulation.ledger import Ledger
from tests.simulation.scheduler import Scheduler

PROMISE = "a row is deleted under a certain lease"


class Certainty:
    """Looks on while settlers take what is to be written about rows.

    Args:
        ledger: Told of a deletion without a lease.
        scheduler: Tells whose it is.
        fleet: Knows who holds what, and since when.
    """

    def __init__(self, ledger: Ledger, scheduler: Scheduler, fleet: FleetWatch) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self._fleet = fleet

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on within the block."""
        with patch.object(Flow, "settlement", self._settling(Flow.settlement)):
            yield

    def _settling(self, method: Callable[..., Settlement]) -> Callable[..., Settlement]:
        @wraps(method)
        def settlement(flow: Flow, *, may_delete: bool) -> Settlement:
            process = self._scheduler.current.process
            why = self._fleet.why_uncertain(process)  # asked when the worker asks it, before any wait
            work = method(flow, may_delete=may_delete)
            if work.deletions and why is not None and process.name.startswith("relay"):
                self._ledger.broken(
                    PROMISE, f"{process.name} deletes {[each.key for each in work.deletions][:3]}: {why}"
                )
            return work

        return settlement

"""Deliberate bugs that tables which are made anew, or restored, bring to light; see `bugs`."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from relay.delivery.aggregate import Aggregate
from relay.delivery.flow import Flow
from relay.destination import BUS
from relay.outbox.table import OutboxTable, SeenTable
from tests.simulation.bugs import planted

_TAKEN = ("a settled commit was taken by every destination", "what is marked as delivered was taken")


@planted("owing-below-memory-counts-as-delivered", "a checkpoint passes nothing that is owed", *_TAKEN)
def _owing_below_memory_counts_as_delivered() -> Iterator[None]:
    """A row that is owing, at or below what is remembered of the bus, is settled; and another table is not noticed."""
    honest = Flow._judge

    def judge(self: Flow, aggregate: Aggregate, now: float) -> None:
        for commit in [each for each in aggregate.owing if each.last <= aggregate.reach and not each.is_begun]:
            commit.delivered |= {BUS}
            aggregate.owe_no_more(commit)
            self._settle(commit, now)
        honest(self, aggregate, now)

    with patch.object(Flow, "_judge", judge), _nobody_looks():
        yield


@contextmanager
def _nobody_looks() -> Iterator[None]:
    def is_other(self: OutboxTable, table: SeenTable | None) -> bool:
        self._table = table or self._table
        return False

    with patch.object(OutboxTable, "_is_other", is_other):
        yield

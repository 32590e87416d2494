"""Memory has bounds: what the parts of a relay hold at once is looked at whenever they take more.

The limits are written here by hand, and not taken from the product: a limit that is raised by mistake is to be found.
To add one: wrap the method after which more is held, and call `_keeps` with the promise, what is held, and its limit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from relay.delivery.delivered import DeliveredMemory
from relay.delivery.flow import Flow
from relay.delivery.source import Source
from tests.simulation.ledger import Ledger
from tests.simulation.looking import followed
from tests.simulation.primitives import SimulatedChannel, SimulatedPart, SimulatedRuntime
from tests.simulation.scheduler import Scheduler

QUEUE_MAX = 4
"""What any queue of a relay holds."""

BULK_QUEUE_MAX = 17
"""What one of `append_all` holds with two appends at a time: each of a window of eight twice, and the input's end."""

PARTS_MAX = 12
"""Parts of a process beside the one of each shard."""

AGGREGATE_OVER = 2
"""Commits of one aggregate beyond its bound: one that was begun when lower ones came, and one that was asked for."""


class Bounds:
    """Looks on while the parts of relays take more.

    Args:
        ledger: Told of a broken bound.
        scheduler: Knows who is at work.
        memory_max: Aggregates that a relay may remember.
        shards_max: Shards that a relay may carry.
    """

    def __init__(self, ledger: Ledger, scheduler: Scheduler, *, memory_max: int, shards_max: int) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self._memory_max = memory_max
        self._parts_max = PARTS_MAX + shards_max
        self._last_page: dict[Source, tuple[Flow, int]] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on within the block."""
        with ExitStack() as stack:
            for owner, name, after in (
                (SimulatedChannel, "put", self._queued),
                (DeliveredMemory, "note", self._noted),
                (Flow, "brought", self._taken_in),
                (SimulatedRuntime, "spawn", self._spawned),
            ):
                stack.enter_context(patch.object(owner, name, followed(getattr(owner, name), after)))
            stack.enter_context(patch.object(Flow, "hand_in", self._handing_in(Flow.hand_in)))
            yield

    def _keeps(self, promise: str, held: int, limit: int) -> None:
        if held > limit:
            self._ledger.broken(promise, f"{held} of at most {limit} in {self._scheduler.current.process.name}")

    def _queued(self, channel: SimulatedChannel, _done: bool) -> None:  # noqa: FBT001 - what `put` returned
        is_bulk = self._scheduler.current.process.name.startswith(("writer", "visitor"))
        self._keeps("queues keep their bounds", len(channel._items), BULK_QUEUE_MAX if is_bulk else QUEUE_MAX)

    def _noted(self, memory: DeliveredMemory, _done: None) -> None:
        self._keeps("memory keeps its bound", len(memory._known), self._memory_max)

    def _handing_in(self, method: Callable[..., None]) -> Callable[..., None]:
        """Look on at pages that are handed in: each as a whole, when there is room for one row of it."""

        @wraps(method)
        def hand_in(flow: Flow, source: Source, page: Any, rows: Sequence[Any], *rest: Any) -> None:
            self._last_page[source] = flow, len(rows)
            method(flow, source, page, rows, *rest)
            over = sum(size for each, (at, size) in self._last_page.items() if at is flow and each.commits)
            self._keeps("the flow keeps its bound", flow._commits, flow.settings.commits_max + over)
            self._taken_in(flow, None)

        return hand_in

    def _taken_in(self, flow: Flow, _done: None) -> None:
        settings = flow.settings
        for aggregate in flow._aggregates.values():
            self._keeps("an aggregate keeps its bound", len(aggregate.owing), settings.kept_max + AGGREGATE_OVER)
        for side in flow._sides.values():
            self._keeps("a side keeps its bound", len(side.alone), settings.side_max)

    def _spawned(self, runtime: SimulatedRuntime, part: SimulatedPart) -> None:
        live = sum(task.process is runtime.process for task in self._scheduler.tasks())
        self._keeps("parts keep their bound", live, self._parts_max)

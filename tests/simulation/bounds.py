"""Memory has bounds: what the parts of a relay hold at once is looked at whenever they take more.

The limits are written here by hand, and not taken from the product: a limit that is raised by mistake is to be found.
To add one: wrap the method after which more is held, and call `_keeps` with the promise, what is held, and its limit.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from relay.delivery.delivered import DeliveredMemory
from relay.delivery.page import CommitPage, PageResult
from relay.delivery.pipeline import Pipeline
from relay.feed.reader import FeedPage, ShardReader
from tests.simulation.ledger import Ledger
from tests.simulation.looking import followed, preceded
from tests.simulation.primitives import SimulatedChannel, SimulatedPart, SimulatedRuntime
from tests.simulation.scheduler import Process, Scheduler

QUEUE_MAX = 4
"""What any queue holds: the inbox of a lane; others hold one thing."""

LATE_TICKETS_MAX = 8
"""Deliveries that a pipeline waits for without a page waiting for them."""

PAGES_AHEAD_MAX = 2
"""Pages of a shard that were read and whose delivery has not begun: one is about to, one is read ahead."""

PARTS_MAX = 12
"""Parts of a process beside the two of each shard."""


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
        self._parts_max = PARTS_MAX + 2 * shards_max
        self._readers: dict[tuple[Process, str], ShardReader] = {}
        self._ahead: defaultdict[tuple[Process, str], deque[object]] = defaultdict(deque)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on within the block."""
        with ExitStack() as stack:
            for owner, name, after in (
                (SimulatedChannel, "put", self._queued),
                (ShardReader, "next_page", self._page_read),
                (DeliveredMemory, "note", self._noted),
                (Pipeline, "process", self._processed),
                (SimulatedRuntime, "spawn", self._spawned),
            ):
                stack.enter_context(patch.object(owner, name, followed(getattr(owner, name), after)))
            begun = preceded(Pipeline.process, self._begun)
            stack.enter_context(patch.object(Pipeline, "process", begun))
            yield

    def _keeps(self, promise: str, held: int, limit: int) -> None:
        if held > limit:
            self._ledger.broken(promise, f"{held} of at most {limit} in {self._scheduler.current.process.name}")

    def _queued(self, channel: SimulatedChannel, _done: bool) -> None:  # noqa: FBT001 - what `put` returned
        self._keeps("queues keep their bounds", len(channel._items), QUEUE_MAX)

    def _noted(self, memory: DeliveredMemory, _done: None) -> None:
        self._keeps("memory keeps its bound", len(memory._known), self._memory_max)

    def _processed(self, pipeline: Pipeline, _result: PageResult) -> None:
        self._keeps("late deliveries keep their bound", len(pipeline._late), LATE_TICKETS_MAX)

    def _spawned(self, runtime: SimulatedRuntime, part: SimulatedPart) -> None:
        live = sum(task.process is runtime.process for task in self._scheduler.tasks())
        self._keeps("parts keep their bound", live, self._parts_max)

    def _page_read(self, reader: ShardReader, page: FeedPage) -> None:
        if page.records:
            shard = self._shard_at_work()
            if self._readers.get(shard) is not reader:  # it was opened again, and nothing is left of what was read
                self._readers[shard] = reader
                self._ahead[shard].clear()
            ahead = self._ahead[shard]
            ahead.append(page.rows)
            self._keeps("a shard is read no further ahead", len(ahead), PAGES_AHEAD_MAX)

    def _begun(self, _pipeline: Pipeline, page: CommitPage) -> None:
        """Let a page of the feed have its turn; a page that is tried again has had it."""
        ahead = self._ahead[self._shard_at_work()]
        if any(rows is page.rows for rows in ahead):
            while ahead.popleft() is not page.rows:
                pass

    def _shard_at_work(self) -> tuple[Process, str]:
        """Tell the shard by the name of the part that is at work, which is `read-` or `deliver-` and the shard's."""
        task = self._scheduler.current
        return task.process, task.name.partition("-")[2]

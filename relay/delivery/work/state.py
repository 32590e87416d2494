"""The state of the flow: what is in hand, what waits for whom, and who is to be woken."""

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import count

import structlog

from eventstore.ports import Runtime
from eventstore.rows.refused import RefusedMark
from relay.delivery.aggregate import Aggregate, Refusal, Turn
from relay.delivery.commit import OwedCommit, body_size
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.page import Fate
from relay.delivery.settings import FlowSettings
from relay.delivery.sides import SideQueue
from relay.delivery.work.bell_lock import BellLock
from relay.destination import BUS, Park
from relay.metrics import SILENT, Meter
from relay.outbox.row import RowId

_REFUSED_WAITING_MAX = 1_000


class InHand:
    """The state of the flow: what is in hand, what waits for whom, and who is to be woken."""

    def __init__(
        self,
        *,
        sides: Sequence[str],
        memory: DeliveredMemory,
        runtime: Runtime,
        settings: FlowSettings,
        meter: Meter = SILENT,
    ) -> None:
        self._names = frozenset({BUS, *sides})
        self._memory = memory
        self._runtime = runtime
        self._settings = settings
        self._meter = meter
        self._lock = BellLock(runtime)
        self._aggregates: dict[str, Aggregate] = {}
        self._ready: OrderedDict[Aggregate, None] = OrderedDict()
        self._turns: dict[str, Turn] = {}
        self._others_tried_at = float("-inf")
        self._asking: deque[Aggregate] = deque()
        self._bringing: deque[Aggregate] = deque()
        self._fetching: dict[OwedCommit, None] = {}
        self._read: dict[OwedCommit, None] = {}
        self._progress: OrderedDict[RowId, int] = OrderedDict()
        self._settled: OrderedDict[RowId, None] = OrderedDict()
        self._refusals: OrderedDict[str, Refusal] = OrderedDict()
        self._alone: OrderedDict[Aggregate, None] = OrderedDict()
        self._sides = {name: SideQueue(name) for name in sides}
        self._settling: deque[tuple[float, OwedCommit]] = deque()
        self._marks: deque[tuple[OwedCommit, str, Park]] = deque()
        self._refused: deque[tuple[OwedCommit, RefusedMark]] = deque(maxlen=_REFUSED_WAITING_MAX)
        self._awaiting: OrderedDict[OwedCommit, float] = OrderedDict()
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._ids = count()
        self._commits = self._brought = self._bytes = self._read_bytes = self._unsettled = 0
        self._defects_in_a_row = 0
        self._log = structlog.get_logger()

    def on_work(self, part: str, ring: Callable[[], None]) -> None:
        """Let a part be called when there is new work for it: `bus`, `asker`, `settler`, or a side's name."""
        self._lock.on_ring(part, ring)

    @property
    def settings(self) -> FlowSettings:
        """Its bounds."""
        return self._settings

    @property
    def names(self) -> frozenset[str]:
        """All destinations."""
        return self._names

    def counts(self) -> dict[str, int]:
        """Return how much is in hand: at rest every count is 0."""
        with self._lock:
            return {
                "commits": self._commits,
                "brought": self._brought,
                "bytes": self._bytes,
                "read_bytes": self._read_bytes,
                "unsettled": self._unsettled,
                "aggregates": len(self._aggregates),
                "ready": len(self._ready),
                "questions": len(self._asking) + len(self._bringing) + len(self._fetching),
                "marks": len(self._marks),
                **{f"side {name}": len(side.waiting) + len(side.under_way) for name, side in self._sides.items()},
            }

    def _is_here(self, aggregate: Aggregate) -> bool:
        return self._aggregates.get(aggregate.id) is aggregate

    def _later(self, at: float, do: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (at, next(self._ids), do))
        if self._due[0][0] == at:
            self._lock.ring("bus")

    def _reach(self, aggregate: Aggregate, number: int, at: float) -> None:
        if aggregate.reached(number, at):
            self._memory.note(aggregate.id, aggregate.epoch, number)

    def _weigh(self, commit: OwedCommit, *, was_read: bool) -> None:
        """Count the room that a commit's events take."""
        size = body_size(commit.row)
        self._bytes += size - commit.body_bytes
        self._read_bytes += (size if was_read else 0) - commit.read_bytes
        commit.body_bytes, commit.read_bytes = size, size if was_read else 0
        if commit.read_bytes:
            self._read[commit] = None
        else:
            self._read.pop(commit, None)

    def _release(self, commit: OwedCommit, fate: Fate) -> None:
        for page in commit.pages:
            page.release(fate)
            if page.held == 0:
                self._lock.finish(page)
        commit.pages.clear()

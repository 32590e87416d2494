"""Hands commits to a destination for a number of seconds of its own clock."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventstore.rows.outbox import OutboxRow
from eventstore.system import SystemRuntime
from relay.destination import (
    BusLostError,
    CommitKey,
    Confirmed,
    Destination,
    EventBus,
    Outcome,
    Park,
    Report,
    Retry,
    Trouble,
    TroubleKind,
)
from relay.destinations.bus.bus import Bus
from relay.permit import DeliveryDeadline, Permit

LISTEN_SECONDS = 1.0


def deliver(
    destination: Destination | Bus,
    chains: Sequence[Sequence[OutboxRow]],
    seconds: float,
    permit: Permit | None = None,
) -> Report:
    """Deliver commits, per aggregate in their order, with a budget of so many seconds.

    A bus gets one event of an aggregate after the other, many aggregates at once, as whoever drives it must; what was
    not answered in the end is `Retry("unconfirmed")`, and then its connection is thrown away.
    A permit is for a side; without one there is always leave.
    """
    if isinstance(destination, Bus):
        assert permit is None, "a bus sends what it is told to: whoever drives it asks for leave"
        return _Drive(destination, chains, destination._runtime.monotonic() + seconds).run()
    runtime = getattr(destination, "_runtime", None) or SystemRuntime()
    commits = [row for chain in chains for row in chain]
    return destination.deliver(commits, DeliveryDeadline(runtime, seconds, permit))


def idle(destination: Destination | Bus) -> None:
    """Do what a pump does while there is nothing to deliver."""
    if not isinstance(destination, Bus):
        destination.look(1.0)
    elif destination.is_open:
        try:
            destination.listen(0)
        except BusLostError:
            destination.drop()


def close(destination: Destination | Bus) -> None:
    """Release its connections."""
    if isinstance(destination, Bus):
        destination.drop()
    else:
        destination.close()


@dataclass(slots=True, eq=False)
class _Head:
    """One aggregate on its way: the events of its lowest commit that are taken."""

    rows: deque[OutboxRow]
    taken: int = 0


class _Drive:
    """Commits on their way to a bus."""

    def __init__(self, bus: Bus, chains: Sequence[Sequence[OutboxRow]], ends_at: float) -> None:
        names = [rows[0].aggregate_id for rows in chains]
        assert len(set(names)) == len(names), "two chains of one aggregate cannot be kept in order"
        self._bus: EventBus = bus
        self._runtime = bus._runtime
        self._ends_at = ends_at
        self._ready = deque(_Head(deque(rows)) for rows in chains)
        self._unanswered: set[_Head] = set()
        self._outcomes: dict[CommitKey, Outcome] = {row.key: Retry("unconfirmed") for rows in chains for row in rows}
        self._trouble: Trouble | None = None

    def run(self) -> Report:
        """Deliver until all is answered, nothing more can be, or the time is over."""
        try:
            if self._ready:
                self._bus.open()
            while self._ready or self._unanswered:
                left = self._ends_at - self._runtime.monotonic()
                if left <= 0:
                    break
                self._fill()
                if not self._may_hear():
                    break
                self._hear(min(left, LISTEN_SECONDS))
        except BusLostError as error:
            self._bus.drop()
            return Report(self._outcomes, error.trouble)
        if (self._unanswered or self._ready) and self._trouble is None:
            reason = f"{len(self._unanswered)} messages stayed unconfirmed, and {len(self._ready)} unsent"
            self._trouble = Trouble(TroubleKind.OUTAGE, reason)
        if self._unanswered or self._is_misconfigured():
            self._bus.drop()
        return Report(self._outcomes, self._trouble)

    def _may_hear(self) -> bool:
        return bool(self._unanswered) or (bool(self._ready) and not self._is_misconfigured())

    def _is_misconfigured(self) -> bool:
        return self._trouble is not None and self._trouble.kind is TroubleKind.MISCONFIGURED

    def _fill(self) -> None:
        while self._ready and self._trouble is None and len(self._unanswered) < self._bus.window:
            head = self._ready.popleft()
            row = head.rows[0]
            fault = self._bus.unsendable(row) if head.taken == 0 else None
            if fault is not None:
                self._end(head, Retry("behind_parked"), fault)
                continue
            assert row.events is not None, "commits come with their events"
            is_sent = self._bus.send(row.events[head.taken], head)
            assert is_sent, "no event is handed over twice at once"
            self._unanswered.add(head)

    def _hear(self, seconds: float) -> None:
        news = self._bus.listen(seconds)
        self._trouble = news.trouble
        for head in news.taken:
            self._unanswered.remove(head)
            self._take(head)
        for head in news.refused:
            self._unanswered.remove(head)
            self._end(head, Retry("nack"))
        for head in news.returned:
            self._unanswered.remove(head)
            self._end(head, Retry("returned"))

    def _take(self, head: _Head) -> None:
        head.taken += 1
        row = head.rows[0]
        if head.taken == len(row.events or ()):
            self._outcomes[row.key] = Confirmed()
            head.rows.popleft()
            head.taken = 0
        if head.rows:
            self._ready.append(head)

    def _end(self, head: _Head, outcome: Outcome, first: Park | None = None) -> None:
        """Say of an aggregate's commits that nothing more is sent of them."""
        for row in head.rows:
            self._outcomes[row.key] = outcome
        if first is not None:
            self._outcomes[head.rows[0].key] = first


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

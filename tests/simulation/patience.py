"""How patient publishers are: with what is refused, and with a bus that says nothing. The times are written by hand.

Seen where processes publish, poll and throw connections away; nothing is taken from what the product thinks of it,
but that the bus as a whole was in trouble, or that the tables are others.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from unittest.mock import patch

from relay.delivery.flow import Flow
from relay.destinations.bus.broker import Acked, BrokerEvent, Message, Nacked, Returned
from relay.destinations.bus.message import AGGREGATE_ID
from tests.simulation.broker import SimulatedSession
from tests.simulation.ledger import Ledger
from tests.simulation.looking import followed
from tests.simulation.scheduler import Process, Scheduler

REFUSED_SECONDS = 0.5
REFUSED_MAX_SECONDS = 10.0
"""Before the first attempt after a refusal, doubling; and the longest of them: those of a simulated world."""

_ROUNDING_SECONDS = 0.001


class Patience:
    """Looks on while processes publish.

    Args:
        ledger: Told of a publisher without patience.
        scheduler: Tells the time.
        budget_seconds: How long a bus may say nothing, the first time.
    """

    def __init__(self, ledger: Ledger, scheduler: Scheduler, budget_seconds: float) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self._budget_seconds = budget_seconds
        self._sent: defaultdict[SimulatedSession, dict[int, tuple[str, str]]] = defaultdict(dict)
        self._quiet_since: dict[SimulatedSession, float] = {}
        self._barren: defaultdict[Process, int] = defaultdict(int)
        self._fruitful: set[SimulatedSession] = set()
        self._hasty: dict[Process, str] = {}
        self._refused: defaultdict[Process, dict[str, tuple[str, int, float]]] = defaultdict(dict)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on within the block."""
        with ExitStack() as stack:
            for owner, name, change in (
                (SimulatedSession, "publish", self._publishing),
                (SimulatedSession, "poll", lambda method: followed(method, self._heard)),
                (SimulatedSession, "close", self._closing),
                (Flow, "void", lambda method: followed(method, self._recovered)),
                (Flow, "_let_others_try", lambda method: followed(method, self._others_try)),
            ):
                stack.enter_context(patch.object(owner, name, change(getattr(owner, name))))
            yield

    @property
    def _process(self) -> Process:
        return self._scheduler.current.process

    def _publishing(self, method: Callable[..., int]) -> Callable[..., int]:
        @wraps(method)
        def publish(session: SimulatedSession, message: Message) -> int:
            self._check_refused(message.message_id)
            if self._process in self._hasty:
                self._ledger.broken("silence is waited for longer each time", self._hasty[self._process])
            tag = method(session, message)
            if not self._sent[session]:
                self._quiet_since[session] = self._scheduler.seconds
            self._sent[session][tag] = message.message_id, str(message.headers[AGGREGATE_ID])
            return tag

        return publish

    def _check_refused(self, event_id: str) -> None:
        """What was refused so often in a row is not sent again so soon."""
        _, times, at = self._refused[self._process].get(event_id, ("", 0, 0.0))
        pause = min(REFUSED_MAX_SECONDS, REFUSED_SECONDS * 2 ** (times - 1)) if times else 0.0
        waited = self._scheduler.seconds - at
        if waited < pause - _ROUNDING_SECONDS:
            detail = f"{event_id} by {self._process.name}: {waited:.3f} of {pause:g} s after refusal {times}"
            self._ledger.broken("what is refused waits longer each time", detail)

    def _heard(self, session: SimulatedSession, said: Sequence[BrokerEvent]) -> None:
        now, sent = self._scheduler.seconds, self._sent[session]
        for event in said:
            if isinstance(event, Acked | Nacked | Returned):
                self._quiet_since[session] = now
            if not isinstance(event, Acked | Nacked):
                continue
            for tag in [tag for tag in sent if tag == event.tag or (event.multiple and tag < event.tag)]:
                event_id, aggregate_id = sent.pop(tag)
                if isinstance(event, Acked):
                    self._forget(aggregate_id)
                    self._barren[self._process] = 0
                    self._fruitful.add(session)
                else:
                    times = self._refused[self._process].get(event_id, ("", 0, 0.0))[1] + 1
                    self._refused[self._process][event_id] = aggregate_id, times, now

    def _forget(self, aggregate_id: str) -> None:
        refused = self._refused[self._process]
        for event_id in [each for each, (of, _, _) in refused.items() if of == aggregate_id]:
            del refused[event_id]

    def _closing(self, method: Callable[..., None]) -> Callable[..., None]:
        @wraps(method)
        def close(session: SimulatedSession) -> None:
            if session._failure is None and session.unanswered and session not in self._fruitful:
                self._note_silence(session)
            method(session)

        return close

    def _note_silence(self, session: SimulatedSession) -> None:
        """Note how long a publisher has waited that gives up; it is too soon when it goes on to publish elsewhere."""
        process = self._process
        due = min(300.0, self._budget_seconds * 2 ** self._barren[process])
        waited = self._scheduler.seconds - self._quiet_since.get(session, self._scheduler.seconds)
        self._barren[process] += 1
        if waited < due - _ROUNDING_SECONDS:
            self._hasty[process] = f"{waited:.3f} of {due:g} s, time {self._barren[process]} by {process.name}"

    def _others_try(self, flow: Flow, _none: None) -> None:
        """What was refused has been taken: all others may try again, if that was not just now."""
        if flow._others_tried_at == self._scheduler.seconds:
            self._refused[self._process].clear()

    def _recovered(self, _flow: Flow, _none: None) -> None:
        """What was refused is no more: all may try again."""
        self._refused[self._process].clear()

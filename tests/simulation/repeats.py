"""What is sent again, and by whom: who was told that the bus has an event, and how many copies of it each has sent.

A repeat may be necessary: whoever sends again what another process has sent cannot know better. These cannot be:

- a process sends again what was confirmed to it: a confirm counts from the poll that returned it;
- anything at all is sent twice in a world without faults.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from relay.destinations.bus.broker import Acked, BrokerEvent, Nacked, Returned
from tests.simulation.ledger import Ledger
from tests.simulation.scheduler import Process, Scheduler

REPEATS_ARE_CHECKED = True
"""Whether a needless repeat breaks a promise; copies are counted in any case."""


class Unread:
    """What a process has sent on one session and has not heard of."""

    def __init__(self) -> None:
        self._event_ids: dict[int, str] = {}

    def sent(self, tag: int, event_id: str) -> None:
        """Note a message."""
        self._event_ids[tag] = event_id

    def read(self, said: Iterable[BrokerEvent]) -> list[str]:
        """Return the ids of the events that are confirmed by what is read now."""
        confirmed: list[str] = []
        for event in said:
            if isinstance(event, Returned):
                tags = [tag for tag, event_id in self._event_ids.items() if event_id == event.message_id]
                self._take(tags)  # the ack which follows says nothing about it
            elif isinstance(event, Acked | Nacked):
                tags = [tag for tag in self._event_ids if tag == event.tag or (event.multiple and tag < event.tag)]
                taken = self._take(tags)
                confirmed += taken if isinstance(event, Acked) else []
        return confirmed

    def _take(self, tags: Iterable[int]) -> list[str]:
        return [self._event_ids.pop(tag) for tag in tags]


class Repeats:
    """Looks on while processes publish, and while they read what the bus says.

    Args:
        ledger: Told of a needless repeat.
        scheduler: Tells the time.
    """

    def __init__(self, ledger: Ledger, scheduler: Scheduler) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self._confirmed: defaultdict[Process, set[str]] = defaultdict(set)
        self._sent: defaultdict[str, defaultdict[Process, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._forgot_at: dict[Process, float] = {}
        self.is_calm = False

    def sent(self, process: Process, event_id: str) -> None:
        """Look at an event that a process sends."""
        if REPEATS_ARE_CHECKED:
            if event_id in self._confirmed[process]:
                self._ledger.broken(
                    "a process sends nothing again that was confirmed to it", f"{event_id} by {process.name}"
                )
            if self.is_calm and event_id in self._sent:
                self._ledger.broken("in a world without faults nothing is sent twice", f"{event_id} by {process.name}")
        self._sent[event_id][process].append(self._scheduler.seconds)

    def confirmed(self, process: Process, event_ids: Iterable[str]) -> None:
        """Note what a process has been told that the bus has; not of what it sent before it forgot everything."""
        forgot_at = self._forgot_at.get(process, -1.0)
        for event_id in event_ids:
            times = self._sent.get(event_id, {}).get(process, [forgot_at])
            if times[-1] > forgot_at:
                self._confirmed[process].add(event_id)

    def copies(self, event_id: str) -> Mapping[str, int]:
        """Return how often each process has sent an event, by the names of the processes."""
        return {process.name: len(times) for process, times in self._sent.get(event_id, {}).items()}

    def most_copies(self, since_seconds: float) -> tuple[int, str]:
        """Return how often a process has sent an event since then, at most, and which one by whom."""
        found = (
            (sum(at >= since_seconds for at in times), f"{event_id} by {process.name}")
            for event_id, senders in self._sent.items()
            for process, times in senders.items()
        )
        return max(found, default=(0, "nothing"))

    def forget(self, process: Process) -> None:
        """Forget what a process was told: it has noticed that the tables are others, and owes what they hold."""
        self._confirmed.pop(process, None)
        self._forgot_at[process] = self._scheduler.seconds

    def begin_anew(self) -> None:
        """Forget who was told what, and what was sent: another store begins, and may owe the same events again."""
        self._confirmed.clear()
        self._sent.clear()


def copies_allowed(seconds: float) -> int:
    """Return how often one process may send an event that some queue refuses, within so many seconds of the first time.

    Pauses of 1, 2, 4 … s up to 300 s, each no shorter than said: 20 copies in an hour.
    """
    copies, at, pause = 1, 1.0, 1.0
    while at <= seconds:
        copies += 1
        pause = min(2 * pause, 300.0)
        at += pause
    return copies

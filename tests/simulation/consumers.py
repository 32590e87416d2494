"""Those who read the bus: bound to everything, to one type, or joining late; each follows the consumer rule."""

from collections import deque

from tests.simulation.chance import Chance
from tests.simulation.ledger import Ledger


class SimulatedQueue:
    """A queue with one consumer, who applies an event unless its number is not greater than the last one applied.

    The weather sets `is_refusing` (it is full, and rejects), `is_silent` (a quorum queue without its majority) and
    `slow_seconds` (how long it takes to make a message durable).

    Args:
        name: For messages.
        event_type: The only type it is bound to; None for all.
        chance: Lets the consumer crash between taking messages and acknowledging them.
        ledger: Knows what was delivered first, and is told of a broken rule.
    """

    def __init__(self, name: str, event_type: str | None, chance: Chance, ledger: Ledger) -> None:
        self.name = name
        self.applied: list[tuple[str, int]] = []
        self.is_refusing = False
        self.is_silent = False
        self.slow_seconds = 0.0
        self._event_type = event_type
        self._chance = chance
        self._ledger = ledger
        self._joined_at = len(ledger.taken.firsts)
        self._messages: deque[tuple[str, int]] = deque()
        self._transient: set[tuple[str, int]] = set()
        self._last: dict[str, int] = {}
        self._before: set[tuple[str, int]] = set()

    def wants(self, event_type: str) -> bool:
        """Tell whether the queue is bound to a type."""
        return self._event_type in {None, event_type}

    def offer(self, aggregate_id: str, number: int, *, is_durable: bool = True) -> None:
        """Take a message that the queue is bound to."""
        self._messages.append((aggregate_id, number))
        if not is_durable:
            self._transient.add((aggregate_id, number))

    def lose_transient(self) -> None:
        """Keep only what is durable: the broker was started again."""
        self._messages = deque(each for each in self._messages if each not in self._transient)

    def came_after(self, aggregate_id: str, number: int) -> None:
        """Learn of a message that came before the queue was bound, and that the others have only now."""
        self._before.add((aggregate_id, number))

    def consume(self) -> None:
        """Apply what lies in the queue; a consumer that crashes gets some of it again."""
        count = len(self._messages)
        again = self._chance.strikes("crash.consumer") if count else False
        for aggregate_id, number in tuple(self._messages):
            if number > self._last.get(aggregate_id, 0):
                self._last[aggregate_id] = number
                self.applied.append((aggregate_id, number))
        for _ in range(self._chance.stream("consumer").randint(0, count) if again else count):
            self._messages.popleft()

    def check(self) -> None:
        """Every event that was first delivered since the consumer joined was applied once, in order."""
        firsts = self._ledger.taken.firsts[self._joined_at :]
        wanted = [(aggregate_id, number) for aggregate_id, number, kind in firsts if self.wants(kind)]
        missing = set(wanted) - set(self.applied) - self._before
        if missing or len(set(self.applied)) != len(self.applied):
            self._ledger.broken("the consumer rule applies every event once", f"{self.name}: {sorted(missing)[:5]}")

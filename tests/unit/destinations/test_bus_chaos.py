"""The bus against brokers that confirm, refuse, return, stall and break at random: what must hold whatever they do."""

import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

from relay.destination import Confirmed
from relay.destinations.bus.broker import (
    Acked,
    Blocked,
    BrokerEvent,
    BrokerLostError,
    Message,
    Nacked,
    Returned,
    Unblocked,
)
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.message import AGGREGATE_ID, SEQUENCE_NUMBER
from relay.destinations.bus.settings import BusSettings
from relay.testing.commits import chain
from tests.support.delivering import deliver

WINDOW = 4
ATTEMPTS_MAX = 400


class ChaoticBroker:
    """Keeps what it took, and checks at every publish that the bus may send just that."""

    def __init__(self, chance: random.Random, runtime) -> None:
        self.chance = chance
        self.runtime = runtime
        self.calm = False
        self.stored: dict[str, list[int]] = defaultdict(list)

    def connect(self) -> "ChaoticSession":
        if not self.calm and self.chance.random() < 0.1:
            raise BrokerLostError("refused")
        return ChaoticSession(self)

    def highest(self, aggregate: str) -> int:
        return max(self.stored[aggregate], default=0)


class ChaoticSession:
    frame_max_bytes = 131_072
    missing = None

    def __init__(self, broker: ChaoticBroker) -> None:
        self.broker = broker
        self.tag = 0
        self.open: dict[int, Message] = {}
        self.blocked = False

    def publish(self, message: Message) -> int:
        assert not self.blocked, "it was told to stop"
        aggregate, number = message.headers[AGGREGATE_ID], message.headers[SEQUENCE_NUMBER]
        assert aggregate not in {each.headers[AGGREGATE_ID] for each in self.open.values()}, "two unconfirmed"
        assert len(self.open) < WINDOW, "beyond the window"
        assert number <= self.broker.highest(aggregate) + 1, "an event before it was never taken"
        self.tag += 1
        if self._happens(0.02):
            raise BrokerLostError("broke in a publish")
        self.open[self.tag] = message
        return self.tag

    def poll(self, timeout_seconds: float) -> Sequence[BrokerEvent]:
        self.broker.runtime.seconds += min(timeout_seconds, 0.05)
        if self._happens(0.03):
            for message in self.open.values():
                if self._happens(0.5):
                    self._store(message)  # taken, and nobody will ever hear of it
            raise BrokerLostError("broke")
        if self._happens(0.05) or self.blocked:
            self.blocked = not self.blocked
            return [Blocked("chaos") if self.blocked else Unblocked()]
        if not self.open or self._happens(0.2):
            return []
        return self._answer()

    def wake(self) -> None:
        """Its polls do not wait."""

    def close(self) -> None:
        self.open.clear()

    def _answer(self) -> list[BrokerEvent]:
        tag = self.broker.chance.choice(list(self.open))
        multiple = self._happens(0.5)
        answered = [each for each in self.open if each == tag or (multiple and each < tag)]
        messages = [self.open.pop(each) for each in answered]
        if self._happens(0.15):
            return [Nacked(tag, multiple)]
        events: list[BrokerEvent] = []
        for message in messages:
            if self._happens(0.05):
                events.append(Returned(message.message_id, 312, "NO_ROUTE"))
            else:
                self._store(message)
        return [*events, Acked(tag, multiple)]

    def _store(self, message: Message) -> None:
        self.broker.stored[message.headers[AGGREGATE_ID]].append(message.headers[SEQUENCE_NUMBER])

    def _happens(self, probability: float) -> bool:
        return not self.broker.calm and self.broker.chance.random() < probability


@pytest.mark.parametrize("seed", range(200))
def test_nothing_lost_and_order_kept_whatever_the_broker_does(runtime, seed):
    """What is reported as taken is stored; first deliveries come in order without holes; in the end all is taken."""
    chance = random.Random(seed)
    broker = ChaoticBroker(chance, runtime)
    bus = Bus(broker, runtime, BusSettings(window=WINDOW))
    owed = {name: chain(name, *(chance.randint(1, 3) for _ in range(4))) for name in "abcdefg"}

    for attempt in range(ATTEMPTS_MAX):
        broker.calm = attempt >= ATTEMPTS_MAX // 2
        report = deliver(bus, [commits for commits in owed.values() if commits], 1.0)
        for name, commits in owed.items():
            taken = [report.outcomes[row.key] == Confirmed() for row in commits]
            assert taken == sorted(taken, reverse=True), "a commit was taken above one that was not"
            for row, is_taken in zip(commits, taken, strict=True):
                if is_taken:
                    assert set(range(row.first, row.last + 1)) <= set(broker.stored[name])
            owed[name] = commits[sum(taken) :]
        if not any(owed.values()):
            break

    assert not any(owed.values()), "all is taken once the broker is calm"
    for numbers in broker.stored.values():
        firsts = list(dict.fromkeys(numbers))
        assert firsts == list(range(1, len(firsts) + 1))

"""The flow, in whatever order things happen to it: sources come and go, events are refused, lost and silent."""

import random

import pytest

from eventstore.backoff import Backoff
from relay.delivery.commit import NEVER
from relay.delivery.source import SWEEP
from relay.destination import INDEX

from .flow_world import FlowWorld

AGGREGATES = "abcdef"
MOVES = 600
CALM_TURNS = 20


class Weather:
    """Moves at random, on a flow with narrow bounds."""

    def __init__(self, seed: int) -> None:
        self.world = FlowWorld(
            sides=[INDEX],
            commits_max=20,
            aggregate_max=4,
            brought_max=3,
            unsettled_max=5,
            side_max=4,
            remembers=2,
            refused=Backoff(base_seconds=0.1, cap_seconds=0.4),
        )
        self.chance = random.Random(seed)
        self.sources = [self.world.source(), self.world.source(kind=SWEEP)]
        self.top = {
            name: self.world.append(name, *(self.chance.randint(1, 3) for _ in range(15)))[-1].last
            for name in AGGREGATES
        }
        self._moves = (
            self.hand_in,
            self.hand_in,
            self.send,
            self.send,
            self.world.ask,
            self.world.serve,
            self.settle,
            self.wait,
            self.begin_again,
            self.trouble_index,
        )

    def move(self) -> None:
        """Let one thing happen."""
        self.chance.choice(self._moves)()

    def hand_in(self) -> None:
        """Let a source bring some of what is owed, seen just now, long ago, or to be asked for in any case."""
        owed = sorted(self.world.outbox.values(), key=lambda row: row.key)
        some = self.chance.sample(owed, min(len(owed), self.chance.randint(1, 6)))
        seen_at = self.chance.choice([self.world.now, self.world.now - 40, NEVER])
        self.world.hand_in(self.chance.choice(self.sources), some, seen_at)

    def send(self) -> None:
        """Let the bus take some of what may go, refuse it, lose it, or be silent about it."""
        for turn in self.world.take(self.chance.randint(1, 4)):
            outcome = self.chance.randint(0, 5)
            if outcome == 0:
                self.world.flow.refused(turn, "nack")
            elif outcome == 1:
                self.world.flow.silent(turn)
                self.world.flow.unsent([turn])
            elif outcome == 2:
                self.world.flow.unsent([turn])
            else:
                self.world.confirm(turn)

    def settle(self) -> None:
        """Write down what is to be written, now and then without a lease."""
        self.world.settle(may_delete=self.chance.random() < 0.7)

    def wait(self) -> None:
        """Let time pass."""
        self.world.runtime.advance(self.chance.choice([0.05, 0.5, 5.0]))

    def begin_again(self) -> None:
        """Let a source go, and another come."""
        place = self.chance.randrange(len(self.sources))
        gone = self.sources[place]
        self.world.flow.drain(gone)
        self.world.flow.withdraw(gone)
        self.sources[place] = self.world.source(kind=gone.kind)

    def trouble_index(self) -> None:
        """Let the index be troubled, or well again."""
        if self.chance.random() < 0.5:
            self.world.flow.close_side(INDEX)
        else:
            self.world.flow.open_side(INDEX)

    def calm_down(self) -> None:
        """Let a source bring all that is owed until nothing is."""
        self.world.flow.open_side(INDEX)
        for _ in range(CALM_TURNS):
            self.world.hand_in(self.sources[0], list(self.world.outbox.values()), NEVER)
            self.world.run()
            self.world.runtime.advance(10.0)


@pytest.mark.parametrize("seed", range(15))
def test_everything_goes_once_and_in_order_and_nothing_stays(seed: int) -> None:
    """
    Once it is calm, all is settled and every count is 0; no event was sent again that this process had a confirm for.
    """
    weather = Weather(seed)
    for _ in range(MOVES):
        weather.move()
    weather.calm_down()

    world = weather.world
    assert world.outbox == {}
    assert world.counts == {}
    for name, last in weather.top.items():
        assert [number for aggregate_id, number in world.on_bus if aggregate_id == name] == list(range(1, last + 1))

"""Draws the faults of a weather from one source of chance, and counts those that happened."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from eventstore.testing.dynamodb.clock import WallClock
from eventstore.testing.dynamodb.faults.weather import FAULTS, Weather

T = TypeVar("T")


class Chance:
    """Draws faults, delays and choices, and counts.

    Args:
        weather: How often each fault is met.
        random: Decides; from one seed comes one course of things, if the calls come in one order.
        clock: Tells the time, for everything that lasts a while.
    """

    def __init__(self, weather: Weather, random: Random, clock: WallClock) -> None:
        self.weather = weather
        self.met: dict[str, int] = dict.fromkeys(FAULTS, 0)
        self.now_ms: Callable[[], int] = clock.now_ms
        self._random = random

    def draws(self, fault: str) -> bool:
        """Tell whether a fault is to happen; the code that makes it happen counts it."""
        chance: float = getattr(self.weather, fault)
        return chance > 0 and self._random.random() < chance

    def meets(self, fault: str) -> bool:
        """Tell whether a fault happens here and now; count it."""
        if not self.draws(fault):
            return False
        self.met[fault] += 1
        return True

    def count(self, fault: str) -> None:
        """Count a fault that was drawn before, and has shown itself."""
        self.met[fault] += 1

    def coin(self) -> bool:
        """Return one of two."""
        return self._random.random() < 0.5  # noqa: PLR2004 - a coin

    def whole(self, low: int, high: int) -> int:
        """Return a whole number, both bounds included."""
        return self._random.randint(low, high)

    def one(self, choices: Sequence[T]) -> T:
        """Return one of these."""
        return self._random.choice(choices)

    def some(self, count: int) -> frozenset[int]:
        """Return a choice of places out of `count`: at least one, and not all when there are several."""
        most = max(1, count - 1)
        return frozenset(self._random.sample(range(count), self._random.randint(1, most)))

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """Return the things in any order."""
        return self._random.sample(things, len(things))

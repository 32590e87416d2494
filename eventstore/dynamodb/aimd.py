"""How many requests may be in flight at once: one more per good round, half as many after a throttle. Pure.

Additive increase, multiplicative decrease: writers that share a table converge to equal shares of what it can take.
"""

from dataclasses import dataclass, replace

from eventstore import checks
from eventstore.errors import InvalidInputError

SLOTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class AimdSettings:
    """The rule's numbers.

    Attributes:
        start: Requests at once when the store is opened.
        minimum: Never fewer, at least 1.
        maximum: Never more, at most 10,000; by default as many as a client of `eventstore.connect` has connections.
        increase: Added for each round of as many successes as the limit allows at once; more than 0, at most 10,000.
        decrease: Factor after a throttle, between 0 and 1.
    """

    start: int = 32
    minimum: int = 1
    maximum: int = 32
    increase: float = 1.0
    decrease: float = 0.5

    def __post_init__(self) -> None:
        """Refuse numbers that would block the limiter.

        Raises:
            InvalidInputError: Names the number and its bounds.
        """
        for field in ("minimum", "start", "maximum"):
            checks.check_count(getattr(self, field), f"limiter.{field}", 1, SLOTS_MAX)
        if not self.minimum <= self.start <= self.maximum:
            raise InvalidInputError(
                "limiter.start", f"is {self.start}, not from minimum={self.minimum} to maximum={self.maximum}"
            )
        checks.check_number(self.increase, "limiter.increase", above=0, most=SLOTS_MAX)
        checks.check_number(self.decrease, "limiter.decrease", above=0, most=1)
        if self.decrease == 1:
            raise InvalidInputError("limiter.decrease", "is 1, so that a throttle changes nothing; give less")


@dataclass(frozen=True, slots=True)
class AimdState:
    """Where the rule stands.

    Attributes:
        limit: Requests that may be on their way; its whole part counts.
        cuts: How often it was cut.
        mean_seconds: Sliding mean of how long a request takes.
    """

    limit: float
    cuts: int = 0
    mean_seconds: float = 0.0

    @property
    def slots(self) -> int:
        """How many requests may be in flight."""
        return int(self.limit)


def begin(settings: AimdSettings) -> AimdState:
    """Return the state of a store that was just opened."""
    return AimdState(limit=float(settings.start))


def grown(state: AimdState, settings: AimdSettings, in_flight: int) -> AimdState:
    """Return the state after a success.

    While less than half of the limit is in use a success says nothing about the limit, so it stays.
    """
    if in_flight * 2 < state.slots:
        return state
    return replace(state, limit=min(float(settings.maximum), state.limit + settings.increase / state.limit))


def cut(state: AimdState, settings: AimdSettings, cuts_at_start: int) -> AimdState:
    """Return the state after a throttle of a request that began when there had been `cuts_at_start` cuts.

    Requests that were on their way when the limit was cut say nothing new: one burst of throttles is one cut.
    """
    if cuts_at_start < state.cuts:
        return state
    return replace(
        state,
        limit=max(float(settings.minimum), state.limit * settings.decrease),
        cuts=state.cuts + 1,
    )


def timed(state: AimdState, seconds: float) -> AimdState:
    """Return the state after a request of that duration; the mean forgets about half after five requests."""
    mean = seconds if state.mean_seconds == 0.0 else state.mean_seconds + (seconds - state.mean_seconds) / 8
    return replace(state, mean_seconds=mean)


def retry_after_seconds(state: AimdState, waiting: int) -> float:
    """Return when those that wait now will have had their turn."""
    return (waiting + 1) * state.mean_seconds / state.slots

"""How many requests may be in flight at once: one more per good round, half as many after a throttle. Pure.

Additive increase, multiplicative decrease: writers that share a table converge to equal shares of what it can take.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class AimdSettings:
    """The rule's numbers.

    Attributes:
        start: Requests at once when the store is opened.
        minimum: Never fewer, at least 1.
        maximum: Never more; by default as many as `eventstore.connect` keeps connections.
        increase: Added for each round of as many successes as the limit allows at once.
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
            ValueError: Says what must hold.
        """
        if not 1 <= self.minimum <= self.start <= self.maximum:
            raise ValueError("limiter: 1 <= minimum <= start <= maximum must hold")
        if not 0.0 < self.decrease < 1.0:
            raise ValueError("limiter: decrease must lie between 0 and 1")
        if not self.increase > 0.0:
            raise ValueError("limiter: increase must be more than 0")


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

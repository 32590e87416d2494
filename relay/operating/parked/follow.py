"""Follows released commits until they have been delivered, were parked again, or no relay runs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from eventstore.ports import Flag, Runtime
from relay.destination import BUS, CommitKey
from relay.operating.heartbeats import HeartbeatWatch
from relay.operating.parked.release import Released
from relay.outbox.reader import OutboxReader
from relay.outbox.row import Absent, Answer, Present

CHAINS_MAX = 1_000
"""Chains that are followed at the same time; the callers say of further ones that they are not."""

_LOOK_MAX = 100
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class FollowedChain:
    """What is to arrive at a destination.

    Attributes:
        aggregate_id: The aggregate.
        destination: The destination.
        released: Last number of the commit that was released.
        up_to: Last number of the highest commit that waited behind it; its own where nothing waits.
    """

    aggregate_id: str
    destination: str
    released: int
    up_to: int


class End(StrEnum):
    """How following ended."""

    ARRIVED = "arrived"
    """All of them are where they belong, or were parked again."""

    PAUSED = "paused"
    """An operator has paused delivery."""

    NOBODY = "nobody"
    """No relay runs."""

    TOO_LONG = "too long"
    """The wait timed out."""

    STOPPED = "stopped"
    """The follower was interrupted."""


@dataclass(frozen=True, slots=True)
class ParkedAgain:
    """A chain that stopped at a commit which was parked.

    Attributes:
        chain: The chain.
        last: Last number of the commit that is parked.
        reason: Why.
    """

    chain: FollowedChain
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class Followed:
    """What following has seen.

    Attributes:
        end: How it ended.
        arrived: Chains that their destinations have, whole.
        parked_again: Chains that stopped.
        pending: Chains of which neither was seen.
    """

    end: End
    arrived: tuple[FollowedChain, ...]
    parked_again: tuple[ParkedAgain, ...]
    pending: tuple[FollowedChain, ...]


def chains_of(released: Iterable[Released]) -> list[FollowedChain]:
    """Return what to follow of what was released."""
    return [
        FollowedChain(each.key[0], name, each.key[1], each.waits_up_to if name == BUS else each.key[1])
        for each in released
        for name in each.destinations
    ]


class Follower:
    """Looks at the outbox again and again. It changes nothing."""

    def __init__(self, reader: OutboxReader, heartbeats: HeartbeatWatch, runtime: Runtime) -> None:
        self._reader = reader
        self._heartbeats = heartbeats
        self._runtime = runtime

    def follow(
        self,
        chains: Sequence[FollowedChain],
        wait_seconds: float,
        stop: Flag,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Followed:
        """Follow chains for at most `wait_seconds`.

        Raises:
            TryLaterError: DynamoDB did not answer.
        """
        assert len(chains) <= CHAINS_MAX, "the caller hands over what can be followed"
        deadline = self._runtime.monotonic() + wait_seconds
        pending = dict.fromkeys(chains)
        arrived: list[FollowedChain] = []
        parked_again: list[ParkedAgain] = []
        while True:  # until the deadline
            for chain, found in self._look(list(islice(pending, _LOOK_MAX))):
                del pending[chain]  # what is not decided goes to the end of the queue
                match found:
                    case ParkedAgain():
                        parked_again.append(found)
                    case True:
                        arrived.append(chain)
                    case _:
                        pending[chain] = None
            progress(len(arrived) + len(parked_again))
            end = self._end(bool(pending), deadline, stop)
            if end is not None:
                return Followed(end, tuple(arrived), tuple(parked_again), tuple(pending))
            stop.wait(min(_LOOK_SECONDS, max(0.0, deadline - self._runtime.monotonic())))

    def _end(self, more: bool, deadline: float, stop: Flag) -> End | None:  # noqa: FBT001 - called right above
        if not more:
            return End.ARRIVED
        if stop.is_set():
            return End.STOPPED
        self._heartbeats.look()
        if self._heartbeats.fleet.pause is not None:
            return End.PAUSED
        if self._heartbeats.nobody_lives():
            return End.NOBODY
        return End.TOO_LONG if self._runtime.monotonic() >= deadline else None

    def _look(self, chains: Sequence[FollowedChain]) -> list[tuple[FollowedChain, ParkedAgain | bool]]:
        """Say of each chain whether it has arrived or was parked; neither is False."""
        keys = {(chain.aggregate_id, number) for chain in chains for number in (chain.released, chain.up_to)}
        answers = self._reader.ask(sorted(keys))
        return [(chain, self._judge(chain, answers)) for chain in chains]

    def _judge(self, chain: FollowedChain, answers: dict[CommitKey, Answer]) -> ParkedAgain | bool:
        top = answers[chain.aggregate_id, chain.up_to]
        if _has(top, chain.destination):
            return True  # of the bus this says that everything below has arrived too: it takes commits in order
        parked = _parked(chain, chain.released, answers[chain.aggregate_id, chain.released])
        if parked is not None or chain.destination != BUS:
            return parked or False
        lowest, _ = self._reader.earlier(chain.aggregate_id, 0, chain.up_to + 1, 1)
        if lowest and BUS in lowest[0].parked:
            return ParkedAgain(chain, lowest[0].last, lowest[0].parked[BUS])
        return False


def _has(answer: Answer, destination: str) -> bool:
    return isinstance(answer, Absent) or (isinstance(answer, Present) and destination in answer.row.delivered)


def _parked(chain: FollowedChain, last: int, answer: Answer) -> ParkedAgain | None:
    if not isinstance(answer, Present) or _has(answer, chain.destination):
        return None
    reason = answer.row.parked.get(chain.destination)
    return None if reason is None else ParkedAgain(chain, last, reason)

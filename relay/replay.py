"""Replay: deliver what the outbox still owes, by hand, through the delivery that the daemon uses."""

from collections.abc import Callable
from dataclasses import dataclass

from eventstore.ports import Flag
from relay.lane import Lane
from relay.sweep import Sweep

_LANE_STOP_SECONDS = 30.0
_WALKS_WITHOUT_PROGRESS_MAX = 3
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did.

    Attributes:
        settled: Commits whose rows went.
        left: Rows that the last walk left in the outbox, whatever the reason they are left.
        complete: That walk saw all of the outbox; False when it was ended early, so that more may be left.
        trouble: What ailed the destinations, by name.
    """

    settled: int
    left: int
    complete: bool
    trouble: dict[str, str]


def replay(
    sweep: Sweep,
    lanes: tuple[Lane, ...],
    stop: Flag,
    progress: Callable[[int], None] = lambda _: None,
) -> ReplayResult:
    """Walk over the outbox until it is empty, or until walks bring nothing more.

    Args:
        sweep: Walks and delivers.
        lanes: The destinations; started and stopped here.
        stop: Raised to end early.
        progress: Told how many commits are settled so far, after each walk.

    Raises:
        TryLaterError: DynamoDB did not answer. Replay again; what was delivered is settled.
    """
    settled = 0
    fruitless = 0
    for lane in lanes:
        lane.start()
    try:
        while True:
            result = sweep.walk(stop, age_seconds=0.0)
            settled += result.settled
            progress(settled)
            fruitless = 0 if result.settled else fruitless + 1
            # A row may be late (settled by the next walk), wait behind a parked one, or lack a troubled destination.
            if result.seen == 0 or fruitless == _WALKS_WITHOUT_PROGRESS_MAX or stop.is_set():
                trouble = {lane.name: lane.trouble.reason for lane in lanes if lane.trouble is not None}
                return ReplayResult(settled, max(0, result.seen - result.settled), result.complete, trouble)
            if not result.settled:
                stop.wait(_PAUSE_SECONDS)
    finally:
        for lane in lanes:
            lane.stop(_LANE_STOP_SECONDS)

"""Whether this worker can do its work, from what its parts already know: no server is asked."""

from collections.abc import Iterable

from relay.delivery.lane import Lane
from relay.leases.fleet import WorkerState
from relay.leases.keeper import Keeper
from relay.observing.http.health import Check

SIGHT_MIN_SECONDS = 10.0
"""DynamoDB counts as out of reach when the fleet was not read for this long, or for the duration of a lease."""


def checks(keeper: Keeper, lanes: Iterable[Lane]) -> list[Check]:
    """Return one check per thing that the worker needs.

    Required are DynamoDB, the leases, and the destination that pages wait for. Another destination in trouble delays
    nobody, and a pause is what an operator wants: both are shown, and leave the worker ready.
    """
    return [_dynamodb(keeper), _leases(keeper), *(_destination(lane) for lane in lanes), _paused(keeper)]


def _dynamodb(keeper: Keeper) -> Check:
    blind = keeper.seen_seconds_ago()
    if blind <= max(SIGHT_MIN_SECONDS, keeper.lease_seconds):
        return Check("dynamodb", ok=True)
    return Check(
        "dynamodb",
        ok=False,
        reason=f"the relay table was last read {blind:.0f} s ago; see fleet.read_failed in the log",
    )


def _leases(keeper: Keeper) -> Check:
    if keeper.state is not WorkerState.WORKING:
        return Check("leases", ok=False, reason=f"this worker is {keeper.state.value}")
    fenced = sorted(key for key, held in keeper.held().items() if held.is_fenced())
    if fenced:
        return Check("leases", ok=False, reason=f"not renewed in time: {', '.join(fenced)}; nothing is delivered there")
    return Check("leases", ok=True)


def _destination(lane: Lane) -> Check:
    trouble = lane.trouble
    reason = "" if trouble is None else f"{trouble.kind.value}: {trouble.reason}"
    return Check(f"destination {lane.name}", ok=trouble is None, required=lane.in_order, reason=reason)


def _paused(keeper: Keeper) -> Check:
    pause = keeper.fleet().pause
    reason = "" if pause is None else f"by {pause.by}: {pause.reason}; `relay resume` ends it"
    return Check("not paused", ok=pause is None, required=False, reason=reason)

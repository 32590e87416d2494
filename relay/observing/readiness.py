"""Whether this worker can do its work, from what its parts already know: no server is asked."""

from collections.abc import Sequence

from relay.delivery.flow import Flow
from relay.delivery.pumps.pump import Pump
from relay.feed.trouble import FeedTrouble
from relay.leases.fleet import WorkerState
from relay.leases.keeper import Keeper
from relay.observing.http.health import Check
from relay.observing.remedies import remedy

SIGHT_MIN_SECONDS = 10.0
"""DynamoDB counts as out of reach when the fleet was not read for this long, or for the duration of a lease."""


def checks(keeper: Keeper, pumps: Sequence[Pump], flow: Flow, feed: FeedTrouble | None = None) -> list[Check]:
    """Return one check per thing that the worker needs.

    Required are DynamoDB, the leases, and the destination that pages wait for. What the feed does not say the sweep
    finds, another destination in trouble delays nobody, events that no binding wants lie safe on the bus, an aggregate
    that the bus refuses waits alone, and a pause is what an operator wants: they are shown, and leave the worker ready.
    """
    destinations = [_destination(pump) for pump in pumps]
    return [
        _dynamodb(keeper),
        _leases(keeper),
        _feed(feed),
        _room(keeper),
        *destinations,
        _amiss(pumps),
        _refused(flow),
        _paused(keeper),
    ]


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


def _feed(trouble: FeedTrouble | None) -> Check:
    reason = "" if trouble is None else f"{trouble.state.value}: {trouble.reason}"
    return Check("feed", ok=trouble is None, required=False, reason=reason)


def _room(keeper: Keeper) -> Check:
    waiting = keeper.waiting_shards()
    reason = (
        f"shards that nobody reads: {waiting}; raise RELAY_SHARDS_MAX ({keeper.shards_max} now), or start another"
        " worker. Until then the sweep delivers, later by RELAY_SWEEP_MIN_AGE_SECONDS"
    )
    return Check("room for all shards", ok=not waiting, required=False, reason=reason if waiting else "")


def _destination(pump: Pump) -> Check:
    trouble = pump.trouble
    reason = "" if trouble is None else f"{trouble.kind.value}: {trouble.reason}"
    return Check(f"destination {pump.name}", ok=trouble is None, required=pump.in_order, reason=reason)


def _amiss(pumps: Sequence[Pump]) -> Check:
    reasons = [pump.warning for pump in pumps if pump.warning is not None]
    return Check("everything routed", ok=not reasons, required=False, reason="; ".join(reasons))


def _refused(flow: Flow) -> Check:
    counts = flow.count_held_up()
    if not counts:
        return Check("nothing refused", ok=True, required=False)
    named: dict[str, list[str]] = {reason: [] for reason in counts}
    for each in flow.held_up():
        named.setdefault(each.reason, []).append(f"{each.key[0]} at {each.key[1]}")
    reasons = [
        f"aggregates that wait alone ({reason}): {counts.get(reason, len(names))}"
        + (f", such as {', '.join(names)}" if names else "")
        + f"; {remedy(reason).cause}: {remedy(reason).action}"
        for reason, names in named.items()
    ]
    return Check("nothing refused", ok=False, required=False, reason="; ".join(reasons))


def _paused(keeper: Keeper) -> Check:
    pause = keeper.fleet().pause
    reason = "" if pause is None else f"by {pause.by}: {pause.reason}; `relay resume` ends it"
    return Check("not paused", ok=pause is None, required=False, reason=reason)

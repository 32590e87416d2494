"""Who may take which lease, and when: decisions over one look at the fleet. Pure.

Time is the looker's own monotonic clock throughout; no clock is ever compared with another's. A worker sends a
heartbeat every third of a lease's duration, and believes in the lease for four fifths of the duration after the last
one was *sent*. Another takes the lease when it has seen no heartbeat for the whole duration, counted from when it
*received* the last one. What is received was sent before, so the owner has stopped before the other begins, with a
fifth of the duration to spare for clocks that run at different speeds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from relay import defaults
from relay.leases.fleet import SWEEP_KEY, Fleet, FleetSettings, Lease, WorkerState

RENEWALS_PER_LEASE = 3
VALID_SHARE = 0.8
OVERDUE_SECONDS = 0.5
"""A lease that nobody has taken for this long is taken by any worker that can, fair share or not."""
WAITING_SECONDS = 2.0
"""A shard that nobody has taken for this long beyond the moment when it could be had waits for want of room."""
FORGET_AFTER_LEASES = 6
FORGET_AFTER_SECONDS = 60.0
"""A silent worker's record is removed after both: an operator shall see who died, and a night of restarts shall not
fill the partition."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last heartbeat of a record that this looker has seen.

    Attributes:
        value: What it said; any other value is a new heartbeat.
        since: When this value was first received.
        moved: Whether it changed under this looker's eyes, which proves that somebody wrote it lately.
    """

    value: tuple[Any, ...]
    since: float
    moved: bool = False


Heartbeats = Mapping[str, Heartbeat]


@dataclass(frozen=True, slots=True)
class View:
    """What one worker knows when it decides.

    Attributes:
        fleet: As it was seen.
        me: The worker that looks.
        now: By its monotonic clock, after the look was answered.
        lease_seconds: How long a lease lasts.
        leases: Heartbeats of leases, by key.
        workers: Heartbeats of worker records, by id.
        held: Keys of the leases it holds.
        left_alone: Keys that it shall not take: it is releasing them, or could not read the shard.
        leases_max: Shards it can hold.
    """

    fleet: Fleet
    me: str
    now: float
    lease_seconds: float
    leases: Heartbeats
    workers: Heartbeats
    held: frozenset[str] = frozenset()
    left_alone: frozenset[str] = frozenset()
    leases_max: int = defaults.SHARDS_MAX
    expired: frozenset[str] = field(init=False)
    live: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "expired", frozenset(_expired(self)))
        object.__setattr__(self, "live", _live(self))


def note_heartbeats(
    before: Heartbeats, values: Mapping[str, tuple[Any, ...]], now: float, blind_seconds: float = 0.0
) -> dict[str, Heartbeat]:
    """Return the heartbeats after a look that was answered at `now`; records that are gone are forgotten.

    Args:
        before: The heartbeats after the look before.
        values: What the records say now.
        now: By the looker's monotonic clock.
        blind_seconds: Of the time since the look before; it does not count as silence.
    """
    heartbeats = {}
    for key, value in values.items():
        last = before.get(key)
        if last is None:
            heartbeats[key] = Heartbeat(value, now)
        elif last.value != value:
            heartbeats[key] = Heartbeat(value, now, moved=True)
        else:
            heartbeats[key] = replace(last, since=last.since + blind_seconds)
    return heartbeats


def blind_seconds(last_look: float, now: float, look_seconds: float) -> float:
    """Return for how long the looker could have seen no heartbeat: it was stopped, or DynamoDB did not answer.

    Then the others may have been unable to send one; they get the chance before anything is taken from them.
    """
    return max(0.0, now - last_look - 2 * look_seconds)


def lease_values(fleet: Fleet) -> dict[str, tuple[Any, ...]]:
    """Return what each lease says as its heartbeat."""
    return {key: (lease.owner, lease.term, lease.counter) for key, lease in fleet.leases.items()}


def worker_values(fleet: Fleet) -> dict[str, tuple[Any, ...]]:
    """Return what each worker's record says as its heartbeat."""
    return {worker_id: (record.counter,) for worker_id, record in fleet.workers.items()}


def valid_until(sent_at: float, lease_seconds: float) -> float:
    """Return how long an owner may believe in a lease whose take or renewal was sent at that time and succeeded."""
    return sent_at + VALID_SHARE * lease_seconds


def renew_at(sent_at: float, lease_seconds: float) -> float:
    """Return when an owner sends the next heartbeat."""
    return sent_at + lease_seconds / RENEWALS_PER_LEASE


def is_shard(lease: Lease) -> bool:
    """Tell whether a lease is of a shard that is not dealt with to its end."""
    return lease.key != SWEEP_KEY and not lease.finished


def fair_share(leases: int, workers: int) -> int:
    """Return how many leases a worker takes while others may want some: its part, rounded up."""
    return -(-leases // workers)


def takeable_since(view: View, lease: Lease) -> float | None:
    """Return since when a lease may be taken, as far as the looker knows; None when it may not.

    What names the looker as its owner and is not held is taken like any other, under a new term: the reply to a take
    was lost, or another worker handed it over. A write of the former term that is still on its way then does nothing.
    """
    if lease.finished or lease.key in view.held or lease.key in view.left_alone:
        return None
    since = view.leases[lease.key].since
    if lease.owner is None or lease.owner == view.me:
        return since
    return since + view.lease_seconds if lease.key in view.expired else None


def to_take(view: View) -> list[Lease]:
    """Return the leases to take now, in order.

    First what names this worker already, as far as it has room (see `to_give_back`). Then its share of what is free or
    abandoned; workers begin at different places, so that they rarely reach for the same one. At last what is overdue,
    even beyond the share: somebody who was counted on did not come.
    """
    since = {key: takeable_since(view, lease) for key, lease in sorted(view.fleet.leases.items())}
    in_excess = to_give_back(view)
    mine = [
        lease
        for key, lease in view.fleet.leases.items()
        if since[key] is not None and lease.owner == view.me and lease not in in_excess
    ]
    open_shards = [lease for lease in view.fleet.leases.values() if is_shard(lease)]
    others = [view.fleet.leases[key] for key, when in since.items() if when is not None]
    others = [lease for lease in others if lease.owner != view.me]
    sweep = [lease for lease in others if lease.key == SWEEP_KEY]
    shards = _rotated([lease for lease in others if is_shard(lease)], sorted(view.live).index(view.me), len(view.live))
    holding = sum(1 for lease in open_shards if lease.key in view.held or lease in mine)
    room = view.leases_max - holding
    share = max(0, min(room, fair_share(len(open_shards), len(view.live)) - holding))
    overdue = [lease for lease in shards[share:] if _is_overdue(view, since[lease.key])]
    return [*mine, *sweep, *shards[:share], *overdue[: max(0, room - share)]]


def to_give_back(view: View) -> list[Lease]:
    """Return the leases of shards that name this worker, that it does not hold, and that it has no room for.

    The reply to a take was lost, and it has taken another one meanwhile. Nobody else can have them until they are free.
    """
    open_shards = [lease for _, lease in sorted(view.fleet.leases.items()) if is_shard(lease)]
    room = max(0, view.leases_max - sum(1 for lease in open_shards if lease.key in view.held))
    mine = (lease for lease in open_shards if lease.owner == view.me and takeable_since(view, lease) is not None)
    return list(mine)[room:]


def to_ask_for(view: View) -> Lease | None:
    """Return the lease to ask another worker for, or None.

    At most one hand-over is under way in the fleet, and all workers that see the same fleet agree on who may ask: the
    one with the fewest shards. It asks the one with the most, and only when that one has at least two more, so that
    afterwards nobody has a reason to ask back. Nobody asks while something lies free, while delivery is paused, or
    after failing to read a shard: such a worker would only pass on what it gets.
    """
    if view.fleet.pause is not None or view.left_alone or pending_hand_over(view) is not None:
        return None
    loads = dict.fromkeys(view.live, 0)
    for lease in view.fleet.leases.values():
        if not is_shard(lease):
            continue
        if lease.owner is None or lease.key in view.expired:
            return None
        if lease.owner in loads:
            loads[lease.owner] += 1
    mine = loads[view.me]
    fewest, most = min(loads, key=_by_load(loads)), max(loads, key=_by_load(loads))
    if fewest != view.me or loads[most] - mine < 2 or mine >= view.leases_max:  # noqa: PLR2004 - see above
        return None
    theirs = [lease for key, lease in sorted(view.fleet.leases.items()) if lease.owner == most and is_shard(lease)]
    return next((lease for lease in theirs if view.leases[lease.key].moved), None)  # else it may be dead


def pending_hand_over(view: View) -> Lease | None:
    """Return the lease that is being handed over: a live worker asks for it, and it has an owner that is not silent."""
    for key, lease in sorted(view.fleet.leases.items()):
        if asker_of(view, lease) is not None and lease.owner is not None and key not in view.expired:
            return lease
    return None


def asker_of(view: View, lease: Lease) -> str | None:
    """Return the live worker that asks for a lease; one that is dead asks no more."""
    asker = lease.hand_over_to
    return asker if asker in view.live and asker != lease.owner and not lease.finished else None


def waiting_shards(view: View) -> int:
    """Return how many shards nobody reads for want of room: this worker has none, and no other has come for them."""
    if sum(1 for lease in view.fleet.leases.values() if is_shard(lease) and lease.key in view.held) < view.leases_max:
        return 0
    since = (takeable_since(view, lease) for lease in view.fleet.leases.values() if is_shard(lease))
    return sum(1 for when in since if when is not None and view.now - when >= WAITING_SECONDS)


def wakes_at(view: View) -> float | None:
    """Return the next moment at which something may be taken that may not be taken now, or None."""
    moments = [view.leases[key].since + view.lease_seconds for key, lease in view.fleet.leases.items() if lease.owner]
    for lease in view.fleet.leases.values():
        since = takeable_since(view, lease)
        if since is not None:
            moments.append(since + OVERDUE_SECONDS)
    return min((moment for moment in moments if moment > view.now), default=None)


def forgettable_workers(view: View) -> list[str]:
    """Return silent workers whose records may go: they own nothing, and have sent no heartbeat for long."""
    owners = {lease.owner for lease in view.fleet.leases.values()}
    patience = max(FORGET_AFTER_SECONDS, FORGET_AFTER_LEASES * view.lease_seconds)
    return [
        worker_id
        for worker_id in sorted(view.fleet.workers)
        if worker_id not in owners and worker_id != view.me and view.now - view.workers[worker_id].since >= patience
    ]


def feed_lag_seconds(view: View) -> float:
    """Return the worst feed lag that live workers report; 0 when nobody reports one."""
    reports = (record.report for worker_id, record in view.fleet.workers.items() if worker_id in view.live)
    return max((shard.lag_seconds for report in reports if report for shard in report.shards), default=0.0)


def others_at_work(view: View) -> frozenset[str]:
    """Return workers beside the looker that have just proven to be at work: a record changed under its eyes.

    Those that are leaving do not count: they are soon gone, and waited for.
    """
    moved = {worker_id for worker_id, heartbeat in view.workers.items() if heartbeat.moved}
    owners = {lease.owner for key, lease in view.fleet.leases.items() if lease.owner and view.leases[key].moved}
    passing = {worker_id for worker_id, record in view.fleet.workers.items() if record.state is not WorkerState.WORKING}
    return frozenset(moved | owners) - passing - {view.me}


def others_maybe(view: View) -> frozenset[str]:
    """Return workers beside the looker that may be at work or leaving: not silent for a whole duration yet."""
    fresh = {
        worker_id
        for worker_id, record in view.fleet.workers.items()
        if record.state is not WorkerState.JOINING and view.now - view.workers[worker_id].since < view.lease_seconds
    }
    owners = {lease.owner for key, lease in view.fleet.leases.items() if lease.owner and key not in view.expired}
    return frozenset(fresh | owners) - {view.me}


def differences(there: FleetSettings, here: FleetSettings) -> dict[str, tuple[str, str]]:
    """Return the settings on which a worker and the fleet do not agree: name → in force, here."""
    pairs = {
        "destinations": (", ".join(sorted(there.destinations)), ", ".join(sorted(here.destinations))),
        "name_prefix": (there.name_prefix, here.name_prefix),
        "lease_seconds": (f"{there.lease_ms / 1000:g}", f"{here.lease_ms / 1000:g}"),
        "protocol": (str(there.protocol), str(here.protocol)),
    }
    found = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not there.shares_bus_with(here):
        found["bus"] = (", ".join(sorted(there.bus or ())), ", ".join(sorted(here.bus or ())))
    return found


def is_move(there: FleetSettings, here: FleetSettings, moved_from: frozenset[str]) -> bool:
    """Tell whether the bus alone differs, and the one in force was announced as what this worker moves away from."""
    return set(differences(there, here)) == {"bus"} and not moved_from.isdisjoint(there.bus or ())


def _expired(view: View) -> list[str]:
    return [
        key
        for key, lease in view.fleet.leases.items()
        if lease.owner is not None
        and lease.owner != view.me
        and view.now - view.leases[key].since >= view.lease_seconds
    ]


def _live(view: View) -> frozenset[str]:
    """Return the workers that count: working and not silent, with no abandoned lease."""
    silent = {view.fleet.leases[key].owner for key in view.expired}
    owners = {lease.owner for key, lease in view.fleet.leases.items() if lease.owner and key not in view.expired}
    fresh = {worker_id for worker_id in view.fleet.workers if _is_fresh_worker(view, worker_id)}
    unrecorded = owners - set(view.fleet.workers)
    busy = {worker_id for worker_id in owners if _is_at_work(view, worker_id)}
    return frozenset((fresh | unrecorded | busy) - silent | {view.me})


def _is_at_work(view: View, worker_id: str) -> bool:
    record = view.fleet.workers.get(worker_id)
    return record is not None and record.state is WorkerState.WORKING


def _is_fresh_worker(view: View, worker_id: str) -> bool:
    return _is_at_work(view, worker_id) and view.now - view.workers[worker_id].since < view.lease_seconds


def _is_overdue(view: View, since: float | None) -> bool:
    return since is not None and view.now - since >= OVERDUE_SECONDS


def _rotated(leases: list[Lease], place: int, places: int) -> list[Lease]:
    start = place * len(leases) // places
    return leases[start:] + leases[:start]


def _by_load(loads: Mapping[str, int]) -> Callable[[str], tuple[int, str]]:
    return lambda worker_id: (loads[worker_id], worker_id)

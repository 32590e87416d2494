"""The relay at a glance: outbox, feed, workers and destinations, put together from what each of them reports. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from relay.feed.lineage import Shard
from relay.feed.trouble import FeedState, FeedTrouble
from relay.feed.unread import RETENTION_SECONDS, Unread
from relay.leases.fleet import SWEEP_KEY, Fleet, Lease, WorkerRecord, lease_key
from relay.leases.position import Position
from relay.leases.worker_report import DestinationReport, HeldUpReport, ShardReport, SweepReport
from relay.operating import heartbeats
from relay.outbox.debt import Survey

UP = "up"
_SEVERITY = ("misconfigured", "lost", "outage", "breaker_open", UP)
_FEED_SEVERITY = (FeedState.DENIED.value, FeedState.ABSENT.value, FeedState.OUTAGE.value, FeedState.UP.value)


@dataclass(frozen=True, slots=True)
class ShardView:
    """One shard of the feed.

    Attributes:
        shard: Its id.
        parent: The shard it was split from.
        state: `unread`, `reading`, `finished`, or `trimmed` when the feed no longer has what comes next.
        owner: The worker that holds its lease.
        owner_is_silent: Whether that worker has sent no heartbeat for longer than a lease lasts.
        lag_seconds: Now minus the time of the oldest that is unread; 0 when all is read; None when nobody knows.
        trim_seconds: Until the feed trims what is unread; None as above, and when all of the shard is dealt with.
        in_flight: Commits in its owner's hands; None when it does not say it.
        checkpoint_at_ms: When its checkpoint was written, by the writer's clock.
    """

    shard: str
    parent: str | None
    state: str
    owner: str | None
    owner_is_silent: bool
    lag_seconds: float | None
    trim_seconds: float | None
    in_flight: int | None
    checkpoint_at_ms: int | None


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker.

    Attributes:
        record: Its record.
        is_silent: Whether it has sent no heartbeat for longer than a lease lasts: it is dead, or cut off.
        silent_seconds: Since its last heartbeat.
        leases: How many leases it holds, the sweep's included.
    """

    record: WorkerRecord
    is_silent: bool
    silent_seconds: float
    leases: int


@dataclass(frozen=True, slots=True)
class DestinationView:
    """One destination, as the live workers see it; the worst report counts.

    Attributes:
        name: Its name.
        state: As in `DestinationReport`; `unknown` when no worker says anything.
        reason: What is wrong.
        workers: Workers that say so.
    """

    name: str
    state: str
    reason: str
    workers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedView:
    """The feed, as the live workers see it, and as it looks from here; the worst word counts.

    Attributes:
        state: As in `FeedReport`.
        reason: What is wrong, and what to do.
        workers: Workers that say so; none when only this look does.
    """

    state: str = UP
    reason: str = ""
    workers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldUpView:
    """An aggregate that waits alone, since the bus does not take its next event though it takes others'.

    Attributes:
        report: What its worker says.
        worker: The worker; the one that has tried for longest when two say it.
        since_seconds: Since the first attempt that failed.
        next_seconds: Until the next; 0 when it is due or under way.
    """

    report: HeldUpReport
    worker: str
    since_seconds: float
    next_seconds: float


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it.

    Attributes:
        at_ms: When it was looked at.
        survey: The outbox counted.
        fleet: As it was read.
        shards: In the listing's order.
        workers: By id.
        destinations: By name, the bus first.
        sweep: What the sweep's last walk found, by its owner's report.
        sweep_owner: The worker that walks it.
        held_up: Aggregates that wait alone, those that wait longest first; some of them when they are many.
        held_up_count: How many they are; one that two workers have counts twice when not all are named.
        feed: How the feed is.
        shards_waiting: Shards that nobody reads, since no worker has room, as live workers say.
        shards_max: The least room for shards that one of these workers has; 0 when none says it.
    """

    at_ms: int
    survey: Survey
    fleet: Fleet
    shards: tuple[ShardView, ...]
    workers: tuple[WorkerView, ...]
    destinations: tuple[DestinationView, ...]
    sweep: SweepReport | None
    sweep_owner: str | None
    held_up: tuple[HeldUpView, ...] = ()
    held_up_count: int = 0
    feed: FeedView = FeedView()
    shards_waiting: int = 0
    shards_max: int = 0

    @property
    def live_workers(self) -> int:
        """Workers that send heartbeats."""
        return sum(not worker.is_silent for worker in self.workers)

    @property
    def oldest_age_seconds(self) -> float | None:
        """Age of the oldest commit that is owed and not parked."""
        oldest = self.survey.oldest_committed_at_ms
        return None if oldest is None else max(0.0, (self.at_ms - oldest) / 1000)


def compose(
    fleet: Fleet,
    survey: Survey,
    stream_label: str,
    listing: Iterable[Shard],
    unread: Mapping[str, Unread],
    names: Iterable[str],
    now_ms: int,
    *,
    trouble: FeedTrouble | None = None,
) -> Overview:
    """Put the overview together.

    Args:
        fleet: As the relay table shows it.
        survey: The outbox counted.
        stream_label: Of the outbox's stream.
        listing: All shards of the feed.
        unread: By shard, what lies behind its checkpoint, where no live worker says it.
        names: All destinations.
        now_ms: The looker's clock.
        trouble: Why the feed could not be looked at from here.
    """
    alive = heartbeats.seemingly_alive(fleet, now_ms)
    owned = dict.fromkeys(fleet.workers, 0)
    for lease in fleet.leases.values():
        if lease.owner in owned:
            owned[lease.owner] += 1
    sweep_lease = fleet.leases.get(SWEEP_KEY)
    waiting_alone = held_up(fleet, now_ms)
    reports = (fleet.workers[worker_id].report for worker_id in alive)
    crowded = [report for report in reports if report is not None and report.shards_waiting]
    return Overview(
        at_ms=now_ms,
        survey=survey,
        fleet=fleet,
        shards=tuple(
            _shard(shard, fleet.leases.get(lease_key(stream_label, shard.id)), fleet, unread.get(shard.id), now_ms)
            for shard in listing
        ),
        workers=tuple(
            WorkerView(worker, name not in alive, heartbeats.silent_seconds(worker, now_ms), owned[name])
            for name, worker in sorted(fleet.workers.items())
        ),
        destinations=tuple(destination(name, fleet, alive) for name in names),
        sweep=_sweep(fleet, sweep_lease),
        sweep_owner=None if sweep_lease is None else sweep_lease.owner,
        held_up=waiting_alone,
        held_up_count=_held_up_count(waiting_alone, fleet, alive),
        feed=_feed(fleet, alive, trouble),
        shards_waiting=max((each.shards_waiting for each in crowded), default=0),
        shards_max=min((each.shards_max for each in crowded), default=0),
    )


def held_up(fleet: Fleet, now_ms: int) -> tuple[HeldUpView, ...]:
    """Return the aggregates that wait alone, as live workers say, each once, those that wait longest first."""
    found: dict[str, HeldUpView] = {}
    for worker_id in sorted(heartbeats.seemingly_alive(fleet, now_ms)):
        report = fleet.workers[worker_id].report
        for each in () if report is None else report.held_up:
            known = found.get(each.aggregate_id)
            if known is None or each.since_ms < known.report.since_ms:
                since = max(0.0, (now_ms - each.since_ms) / 1000)
                until = max(0.0, (each.next_ms - now_ms) / 1000)
                found[each.aggregate_id] = HeldUpView(each, worker_id, since, until)
    return tuple(sorted(found.values(), key=lambda view: -view.since_seconds))


def _held_up_count(named: tuple[HeldUpView, ...], fleet: Fleet, alive: frozenset[str]) -> int:
    """Return how many wait alone: those that are named, and of each worker those that it counts beyond them."""
    reports = [fleet.workers[worker_id].report for worker_id in alive]
    return len(named) + sum(max(0, each.held_up_count - len(each.held_up)) for each in reports if each is not None)


def newest_label(fleet: Fleet) -> str:
    """Return the label of the newest stream that has leases; empty when none has, for a feed that cannot be listed."""
    return max((lease.stream_label or "" for lease in fleet.leases.values()), default="")


def leased(fleet: Fleet) -> list[Shard]:
    """Return the shards of that stream, as far as they have leases."""
    label = newest_label(fleet)
    found = (lease.shard_id for _, lease in sorted(fleet.leases.items()) if lease.stream_label == label)
    return [Shard(shard_id, None) for shard_id in found if shard_id is not None]


def unreported(fleet: Fleet, stream_label: str, listing: Iterable[Shard], now_ms: int) -> list[Shard]:
    """Return the unfinished shards on which no live worker reports."""
    found = []
    for shard in listing:
        lease = fleet.leases.get(lease_key(stream_label, shard.id))
        if lease is not None and (lease.finished or _report(lease, fleet, now_ms) is not None):
            continue
        found.append(shard)
    return found


def position(fleet: Fleet, stream_label: str, shard_id: str) -> Position | None:
    """Return up to where a shard was dealt with; None before its first record."""
    lease = fleet.leases.get(lease_key(stream_label, shard_id))
    return None if lease is None else lease.position


def _shard(shard: Shard, lease: Lease | None, fleet: Fleet, unread: Unread | None, now_ms: int) -> ShardView:
    report = None if lease is None else _report(lease, fleet, now_ms)
    finished = lease is not None and lease.finished
    lag = _lag_seconds(report, unread, now_ms)
    state = "unread" if lease is None or lease.position is None else "reading"
    if finished:
        state = "finished"
    elif unread is not None and unread.is_trimmed:
        state = "trimmed"
    owner = None if lease is None else lease.owner
    worker = None if owner is None else fleet.workers.get(owner)
    return ShardView(
        shard=shard.id,
        parent=shard.parent,
        state=state,
        owner=owner,
        owner_is_silent=owner is not None and (worker is None or heartbeats.seems_dead(worker, fleet, now_ms)),
        lag_seconds=None if finished else lag,
        trim_seconds=None if finished or lag is None else max(0.0, RETENTION_SECONDS - lag),
        in_flight=None if report is None else report.in_flight,
        checkpoint_at_ms=None if lease is None or lease.position is None else lease.updated_at_ms,
    )


def _lag_seconds(report: ShardReport | None, unread: Unread | None, now_ms: int) -> float | None:
    if report is not None:
        return report.lag_seconds
    if unread is None or unread.is_trimmed:
        return None
    return 0.0 if unread.oldest_at_ms is None else max(0.0, (now_ms - unread.oldest_at_ms) / 1000)


def _report(lease: Lease, fleet: Fleet, now_ms: int) -> ShardReport | None:
    worker = None if lease.owner is None else fleet.workers.get(lease.owner)
    if worker is None or worker.report is None or heartbeats.seems_dead(worker, fleet, now_ms):
        return None
    return next((shard for shard in worker.report.shards if shard.shard == lease.shard_id), None)


def destination(name: str, fleet: Fleet, alive: frozenset[str]) -> DestinationView:
    """Return a destination as those workers see it that are alive; the worst report counts."""
    said: list[tuple[str, DestinationReport]] = [
        (worker_id, each)
        for worker_id in sorted(alive)
        for report in [fleet.workers[worker_id].report]
        if report is not None
        for each in report.destinations
        if each.name == name
    ]
    if not said:
        return DestinationView(name, "unknown", "", ())
    state = min((each.state for _, each in said), key=_severity)
    reason = next((each.reason for _, each in said if each.state == state and each.reason), "")
    return DestinationView(name, state, reason, tuple(worker_id for worker_id, each in said if each.state == state))


def _feed(fleet: Fleet, alive: frozenset[str], trouble: FeedTrouble | None) -> FeedView:
    said = {
        worker_id: report.feed
        for worker_id in sorted(alive)
        for report in [fleet.workers[worker_id].report]
        if report is not None and report.feed is not None
    }
    worst = min((each.state for each in said.values()), key=_feed_severity, default=UP)
    if worst == UP:  # what is refused to who looks need not be refused to the workers
        is_known = bool(said) and trouble is not None and trouble.state is FeedState.DENIED
        return FeedView() if trouble is None or is_known else FeedView(trouble.state.value, trouble.reason)
    reason = next((each.reason for each in said.values() if each.state == worst and each.reason), "")
    return FeedView(worst, reason, tuple(name for name, each in said.items() if each.state == worst))


def _feed_severity(state: str) -> int:
    return _FEED_SEVERITY.index(state) if state in _FEED_SEVERITY else 0


def _severity(state: str) -> int:
    return _SEVERITY.index(state) if state in _SEVERITY else 0


def _sweep(fleet: Fleet, lease: Lease | None) -> SweepReport | None:
    owner = None if lease is None or lease.owner is None else fleet.workers.get(lease.owner)
    if owner is not None and owner.report is not None and owner.report.sweep is not None:
        return owner.report.sweep
    reports = (worker.report.sweep for worker in fleet.workers.values() if worker.report is not None)
    walks = [report for report in reports if report is not None]
    return max(walks, key=lambda report: report.walked_at_ms, default=None)

"""One round over a page's commits, as plain values: what to send where, and what the reports mean. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

from eventstore.rows.outbox import OutboxRow
from relay.delivery.order import Plan
from relay.destination import BUS, Chain, CommitKey, Confirmed, Outcome, Park, Report

DEFECT_CLASS = "unreadable"


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a page that one round takes, so that its events fit into memory.

    Attributes:
        chains: Per aggregate the commits for the bus, a prefix of what may go.
        sides: Per other destination the commits for it.
    """

    chains: Mapping[str, tuple[OutboxRow, ...]]
    sides: Mapping[str, tuple[CommitKey, ...]]

    @property
    def keys(self) -> frozenset[CommitKey]:
        """All commits in it."""
        return frozenset(self.in_turn)

    @property
    def in_turn(self) -> tuple[CommitKey, ...]:
        """All commits in it, each once, in the order in which their events are wanted: for the bus first."""
        chained = (row.key for chain in self.chains.values() for row in chain)
        return tuple(dict.fromkeys((*chained, *(key for keys in self.sides.values() for key in keys))))

    @property
    def for_bus(self) -> frozenset[CommitKey]:
        """Those for the bus."""
        return frozenset(row.key for chain in self.chains.values() for row in chain)


def take_share(
    plan: Plan,
    rows: Mapping[CommitKey, OutboxRow],
    side_work: Mapping[str, Iterable[CommitKey]],
    events_max: int,
    last: Collection[str] = (),
) -> Share:
    """Return the part of a plan that goes in this round: as many commits as `events_max` events still to be read allow.

    Args:
        plan: What may go.
        rows: The commits as they are now.
        side_work: Per other destination the commits for it.
        events_max: Room for events.
        last: Aggregates whose turn comes after all others: the bus refused them while others waited for room.
    """
    left = events_max
    taken: set[CommitKey] = set()

    def fits(key: CommitKey) -> bool:
        nonlocal left
        row = rows[key]
        count = 0 if key in taken or row.events is not None or row.defect is not None else row.last - row.first + 1
        if count > left:
            return False
        left -= count
        taken.add(key)
        return True

    chains = {
        aggregate_id: fitting
        for aggregate_id, chain in sorted(plan.chains.items(), key=lambda each: each[0] in last)
        if (fitting := tuple(takewhile(lambda row: fits(row.key), chain)))
    }
    return Share(chains, {name: tuple(key for key in keys if fits(key)) for name, keys in side_work.items()})


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What a round sends.

    Attributes:
        bus: Chains for the bus; each ends before the first commit that has a defect.
        sides: Per other destination the commits it lacks.
        defects: Commits that can never be sent as they are and whose turn has come, by destination.
    """

    bus: tuple[Chain, ...]
    sides: Mapping[str, tuple[OutboxRow, ...]]
    defects: tuple[tuple[CommitKey, str], ...]


def readable(share: Share, rows: Mapping[CommitKey, OutboxRow]) -> Share:
    """Return what is left of a share when the commits whose events could not be read for want of room are left out."""

    def is_read(key: CommitKey) -> bool:
        return rows[key].events is not None or rows[key].defect is not None

    chains = {
        aggregate_id: fitting
        for aggregate_id, chain in share.chains.items()
        if (fitting := tuple(takewhile(lambda row: is_read(row.key), chain)))
    }
    return Share(chains, {name: tuple(key for key in keys if is_read(key)) for name, keys in share.sides.items()})


def dispatch(share: Share, rows: Mapping[CommitKey, OutboxRow]) -> Dispatch:
    """Return what to send of a share whose commits have their events."""
    chains: list[Chain] = []
    defects: list[tuple[CommitKey, str]] = []
    for planned in share.chains.values():
        chain: list[OutboxRow] = []
        for row in (rows[commit.key] for commit in planned):
            if row.defect is not None:
                if not chain:  # everything below is on the bus, so it is parked in its turn
                    defects.append((row.key, BUS))
                break
            chain.append(row)
        if chain:
            chains.append(tuple(chain))
    sides: dict[str, tuple[OutboxRow, ...]] = {}
    for name, keys in share.sides.items():
        wanted = [rows[key] for key in keys]
        defects.extend((row.key, name) for row in wanted if row.defect is not None)
        sides[name] = tuple(row for row in wanted if row.defect is None)
    return Dispatch(tuple(chains), sides, tuple(defects))


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What reports said.

    Attributes:
        delivered: Per commit the destinations that took it.
        parked: Commits to park, with the destination and the reason.
    """

    delivered: Mapping[CommitKey, frozenset[str]] = field(default_factory=dict)
    parked: tuple[tuple[CommitKey, str, Park], ...] = ()


def judge_bus(chains: Iterable[Chain], report: Report) -> Verdicts:
    """Read the bus's report chain by chain: nothing above a commit that was not taken counts as taken or parked."""
    delivered: dict[CommitKey, frozenset[str]] = {}
    parked: list[tuple[CommitKey, str, Park]] = []
    for chain in chains:
        for row in chain:
            outcome = report.outcomes[row.key]
            if isinstance(outcome, Confirmed):
                delivered[row.key] = frozenset({BUS})
                continue
            if isinstance(outcome, Park):
                parked.append((row.key, BUS, outcome))
            break
    return Verdicts(delivered, tuple(parked))


def judge_side(name: str, report: Report) -> Verdicts:
    """Read the report of a destination that keeps no order."""
    delivered = {key: frozenset({name}) for key, outcome in report.outcomes.items() if isinstance(outcome, Confirmed)}
    parked = tuple((key, name, outcome) for key, outcome in report.outcomes.items() if isinstance(outcome, Park))
    return Verdicts(delivered, parked)


def refresh(old: OutboxRow | None, new: OutboxRow) -> OutboxRow:
    """Return a row as it was read now, with what this page already knows of it: its events, and who has taken it."""
    if old is None:
        return new
    return replace(
        new,
        events=new.events if new.events is not None else old.events,
        defect=new.defect or old.defect,
        delivered=new.delivered | old.delivered,
    )


def taken(row: OutboxRow, names: frozenset[str]) -> OutboxRow:
    """Return a row after destinations took it."""
    return replace(row, delivered=row.delivered | names)


def parked(row: OutboxRow, name: str, reason: str) -> OutboxRow:
    """Return a row after it was parked for a destination."""
    return replace(row, parked={**row.parked, name: reason})


def reasons(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return how many commits were not taken, by reason."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        if not isinstance(outcome, Confirmed):
            label = outcome.error_class if isinstance(outcome, Park) else outcome.reason
            counts[label] = counts.get(label, 0) + 1
    return counts

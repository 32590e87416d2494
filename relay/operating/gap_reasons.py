"""Why a gap is one: what its rows say, and what the fleet says of the destinations that lack them. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from relay.destination import BUS
from relay.leases.fleet import SWEEP_KEY, Fleet, Pause
from relay.observing.remedies import remedy
from relay.operating import heartbeats, overview
from relay.operating.gaps import Gap
from relay.operating.overview import UP, DestinationView


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for all gaps.

    Attributes:
        live_workers: How many workers send heartbeats.
        pause: An operator's pause, in force.
        has_sweep: Whether a live worker walks over the outbox.
        destinations: Each destination as the live workers see it, by name.
    """

    live_workers: int = 0
    pause: Pause | None = None
    has_sweep: bool = False
    destinations: Mapping[str, DestinationView] = field(default_factory=dict)


def conditions(fleet: Fleet, names: Collection[str], now_ms: int) -> Conditions:
    """Return what holds for all gaps, as the relay table shows it.

    Args:
        fleet: As it was read.
        names: All destinations.
        now_ms: The looker's clock.
    """
    alive = heartbeats.seemingly_alive(fleet, now_ms)
    sweep = fleet.leases.get(SWEEP_KEY)
    return Conditions(
        live_workers=len(alive),
        pause=fleet.pause,
        has_sweep=sweep is not None and sweep.owner in alive,
        destinations={name: overview.destination(name, fleet, alive) for name in names},
    )


def reasons(gap: Gap, found: Conditions) -> list[str]:
    """Return why a gap is one: at least one clause, those that need a person first."""
    parts = [f"waits alone ({gap.held_up}): {remedy(gap.held_up).cause}"] if gap.held_up else []
    parts += [f"refused by {name} {mark.attempts:,} times ({mark.reason})" for name, mark in gap.refused.items()]
    parts += [f"parked for {name}, {reason}" for name, reason in gap.parked.items()]
    if gap.waiting:
        parts.append(f"{gap.waiting:,} behind it" if gap.parked or gap.unreadable else f"{gap.waiting:,} wait")
    if gap.unreadable:
        parts.append(f"{gap.unreadable:,} unreadable, {gap.fault or ''}")
    if gap.settled:
        parts.append(f"{gap.settled:,} settled, row not deleted")
    explained = {*gap.parked, *gap.refused, *([BUS] if gap.held_up or gap.waiting else [])}
    if not gap.unreadable:
        parts += [
            f"{name} lacks {count:,}: {_lacking(name, found)}"
            for name, count in gap.lacking.items()
            if name not in explained
        ]
    return parts


def _lacking(name: str, found: Conditions) -> str:
    """Return why a destination does not have what nothing is wrong with."""
    seen = found.destinations.get(name)
    if not found.live_workers:
        return "no relay runs"
    if found.pause is not None:
        return f"delivery is paused by {found.pause.by}: {found.pause.reason}"
    if seen is None or seen.state == "unknown":
        return "no worker reports on it"
    if seen.state != UP:
        return f"{_STATES.get(seen.state, seen.state)}, {seen.reason}"
    if not found.has_sweep:
        return "the feed has not brought it, and no worker sweeps"
    return "nothing is wrong; it goes when the feed or the sweep comes to it"


_STATES = {
    "misconfigured": "it refuses everything",
    "outage": "it is out of reach or too slow",
    "breaker_open": "it is out of reach or refuses, and is left alone for a while",
}

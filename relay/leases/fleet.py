"""The fleet: what all workers share, as one consistent read of the relay table shows it. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from relay.leases.position import Position
from relay.leases.worker_report import WorkerReport

SWEEP_KEY = "lease#sweep"

PROTOCOL = 1
"""Of the records of the fleet; raised when a worker that knows only the one before could do harm beside a newer one."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to consume one shard, or to sweep, and the position reached.

    Attributes:
        key: Of its record: `lease#<stream label>#<shard id>`, or `lease#sweep`.
        owner: The worker that holds it; None when nobody does.
        term: Raised whenever it changes hands, so that a former owner's writes are refused.
        counter: Raised by its owner as a heartbeat.
        hand_over_to: A worker that asks for it.
        finished: The shard is closed and all of it is dealt with.
        position: Everything up to here is dealt with; None before the first record.
        updated_at_ms: When the position was written, by its writer's clock.
    """

    key: str
    owner: str | None
    term: int
    counter: int
    hand_over_to: str | None = None
    finished: bool = False
    position: Position | None = None
    updated_at_ms: int | None = None

    @property
    def stream_label(self) -> str | None:
        """The stream it belongs to; None for the sweep's."""
        parts = self.key.split("#", 2)
        return parts[1] if len(parts) == 3 else None  # noqa: PLR2004 - lease, label, shard

    @property
    def shard_id(self) -> str | None:
        """The shard; None for the sweep's."""
        parts = self.key.split("#", 2)
        return parts[2] if len(parts) == 3 else None  # noqa: PLR2004 - as above


class WorkerState(StrEnum):
    """What a worker is doing."""

    JOINING = "joining"
    """It finds out whether its settings are those in force; it holds nothing."""
    WORKING = "working"
    LEAVING = "leaving"
    """It finishes what is in flight and takes nothing more; its leases will be free soon."""


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """One worker's record. Whether it is alive is judged by the reader's own clock: does its counter move?

    Attributes:
        worker_id: Its name, unique for every start.
        counter: Raised as a heartbeat.
        host: The machine it runs on.
        pid: Its process there.
        release: Of the package.
        started_at_ms: By its clock.
        updated_at_ms: Of the record, by its clock.
        report: What it says of itself; None when that cannot be read.
        state: What it is about.
    """

    worker_id: str
    counter: int
    host: str
    pid: int
    release: str
    started_at_ms: int
    updated_at_ms: int
    report: WorkerReport | None
    state: WorkerState = WorkerState.WORKING


@dataclass(frozen=True, slots=True)
class Pause:
    """Delivery is stopped, by an operator.

    Attributes:
        by: Who did it.
        at_ms: When, by their clock.
        reason: Why.
    """

    by: str
    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """What all workers must agree on.

    Attributes:
        destinations: Names of all destinations.
        name_prefix: First part of the names at the destinations.
        lease_ms: How long a lease lasts without a heartbeat.
        protocol: Of these records; raised when an older worker could no longer work beside a newer one.
        bus: Nodes of the bus and its virtual host, each as `host:port/vhost`, without credentials; None when that is
            not known: the bus is in memory, or a release that did not note it wrote the record.
    """

    destinations: frozenset[str]
    name_prefix: str
    lease_ms: int
    protocol: int
    bus: frozenset[str] | None = None

    def agrees_with(self, other: "FleetSettings") -> bool:
        """Tell whether two workers may work side by side; of one cluster each may name some nodes alone."""
        return self.shares_bus_with(other) and replace(self, bus=None) == replace(other, bus=None)

    def shares_bus_with(self, other: "FleetSettings") -> bool:
        """Tell whether both name a node in common, or one of them names none."""
        return self.bus is None or other.bus is None or not self.bus.isdisjoint(other.bus)


@dataclass(frozen=True, slots=True)
class Fleet:
    """All of it.

    Attributes:
        leases: By key.
        workers: By id.
        pause: None when delivery goes on.
        settings: In force; None before the first worker.
        unreadable: One sentence for each record that cannot be read; no worker takes such a lease.
    """

    leases: Mapping[str, Lease] = field(default_factory=dict)
    workers: Mapping[str, WorkerRecord] = field(default_factory=dict)
    pause: Pause | None = None
    settings: FleetSettings | None = None
    unreadable: tuple[str, ...] = ()


def lease_key(stream_label: str, shard_id: str) -> str:
    """Return the key of a shard's lease."""
    return f"lease#{stream_label}#{shard_id}"

"""A keeper of leases that does as a test says, for parts that work under a lease."""

from collections.abc import Collection, Mapping
from typing import Any

from eventstore.errors import UnreachableError
from eventstore.ports import Runtime
from relay.leases.fleet import Lease
from relay.leases.held import HeldLease
from relay.leases.position import Position

LEASE_SECONDS = 3600.0


class ObedientKeeper:
    """A keeper, and the table behind its leases; notes what happens in which order."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._held: dict[str, HeldLease] = {}
        self.happened: list[tuple[Any, ...]] = []
        self.paused = False
        self.waiting = 0
        self.unreachable = False

    def give(self, key: str, *, term: int = 1) -> HeldLease:
        """Let the worker hold a lease."""
        held = HeldLease(
            Lease(key, "worker-1", term, 1),
            "worker-1",
            self._runtime.monotonic(),
            lease_seconds=LEASE_SECONDS,
            table=self,  # type: ignore[arg-type]
            runtime=self._runtime,
        )
        self._held[key] = held
        return held

    def saved(self) -> list[Position]:
        """Return the checkpoints that were written."""
        return [each[1] for each in self.happened if each[0] in {"saved", "finished"}]

    def held(self) -> Mapping[str, HeldLease]:
        """See `Keeper`."""
        return {key: held for key, held in self._held.items() if not held.is_over()}

    def waiting_shards(self) -> int:
        """See `Keeper`."""
        return self.waiting

    def is_paused(self) -> bool:
        """See `Keeper`."""
        return self.paused

    def offer(self, keys: Collection[str]) -> None:
        """See `Keeper`."""
        if self.unreachable:
            raise UnreachableError("DynamoDB did not answer")
        self.happened.extend(("offered", key.rpartition("#")[2]) for key in keys)

    def release(self, held: HeldLease, *, to: str | None = None, cooldown_seconds: float = 0.0) -> None:
        """See `Keeper`."""
        self.happened.append(("released", to, cooldown_seconds))
        held.end()

    def save(self, _key: str, _owner: str, _term: int, position: Position | None, *, finished: bool) -> None:
        """See `FleetTable`."""
        self.happened.append(("finished" if finished else "saved", position))

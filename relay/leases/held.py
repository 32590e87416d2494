"""A lease that this worker holds: how long for certain, whether another asks for it, and its checkpoint."""

from typing import Protocol

from eventstore.ports import Flag, Runtime
from relay.leases import rules
from relay.leases.errors import LeaseFencedError, LeaseLostError
from relay.leases.fleet import Lease
from relay.leases.fleet_table import FleetTable
from relay.leases.position import Position

_SLICE_SECONDS = 0.25


class PauseGate(Protocol):
    """Tells whether delivery is stopped by an operator; the keeper is one."""

    def is_paused(self) -> bool:
        """Tell whether delivery is stopped."""
        ...


class HeldLease:
    """One lease under one term. The keeper renews it; the shard's consumer checks it and saves under it.

    Each of its values is set by one part alone and read by any, so that reading needs no lock.
    """

    def __init__(
        self,
        lease: Lease,
        owner: str,
        sent_at: float,
        *,
        lease_seconds: float,
        table: FleetTable,
        runtime: Runtime,
    ) -> None:
        self._lease = lease
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._table = table
        self._runtime = runtime
        self._valid_until = rules.valid_until(sent_at, lease_seconds)
        self._wanted_by: str | None = None
        self._position = lease.position
        self._is_over = False
        self._is_finished = False
        self.renew_at = rules.renew_at(sent_at, lease_seconds)  # the keeper's own
        self.tried_at = sent_at  # as above

    @property
    def key(self) -> str:
        """Key of the lease."""
        return self._lease.key

    @property
    def shard_id(self) -> str | None:
        """The shard; None for the sweep's."""
        return self._lease.shard_id

    @property
    def stream_label(self) -> str | None:
        """The stream of the shard; None for the sweep's."""
        return self._lease.stream_label

    @property
    def term(self) -> int:
        """The term under which it is held."""
        return self._lease.term

    @property
    def position(self) -> Position | None:
        """Everything up to here is dealt with, as far as it is written; None before the first record."""
        return self._position

    @property
    def wanted_by(self) -> str | None:
        """The live worker that asks for it."""
        return self._wanted_by

    def is_wanted(self) -> bool:
        """Tell whether another worker asks for it: finish the page in hand, then `Keeper.release(to=wanted_by)`."""
        return self._wanted_by is not None

    def is_over(self) -> bool:
        """Tell whether it was lost, released or finished; it never comes back under this term."""
        return self._is_over

    def is_finished(self) -> bool:
        """Tell whether it is over because its shard was dealt with to the end."""
        return self._is_finished

    def is_fenced(self) -> bool:
        """Tell whether it is over, or may be another's because its heartbeat is late; then deliver nothing."""
        return self.left_seconds() <= 0.0

    def left_seconds(self) -> float:
        """Return how long it is this worker's for certain; 0 when it is not. A renewal makes it grow again."""
        return 0.0 if self._is_over else max(0.0, self._valid_until - self._runtime.monotonic())

    def save(self, position: Position | None, *, finished: bool = False) -> None:
        """Write the checkpoint; `finished` also ends the lease: the shard is closed and all of it is dealt with.

        Raises:
            LeaseLostError: Another worker has it, or it is over. Nothing was written; give the page up.
            LeaseFencedError: It is not certain to be ours now. Nothing was written; try again once it is renewed.
            TryLaterError: It may be unwritten; the shard is read again from the checkpoint before at worst.
        """
        if self._is_over:
            raise LeaseLostError(self.key, worker_id=self._owner, term=self.term)
        if self.is_fenced():
            raise LeaseFencedError(self.key)
        try:
            self._table.save(self.key, self._owner, self.term, position, finished=finished)
        except LeaseLostError:
            self.end()
            raise
        self._position = position
        if finished:
            self._is_finished = True
            self.end()

    def permit(self, stop: Flag, gate: PauseGate) -> "LeasePermit":
        """Return the permit to deliver: valid until `stop` is raised, the lease is fenced, or delivery is paused."""
        return LeasePermit(self, stop, gate, self._runtime)

    def renewed(self, lease: Lease, sent_at: float, wanted_by: str | None) -> None:
        """Note a renewal; the keeper's own.

        Args:
            lease: The row after it.
            sent_at: When its request left, by the monotonic clock: the row cannot have changed hands before.
            wanted_by: The live worker that asks for it.
        """
        assert lease.term == self.term, "another term is another lease"
        self._valid_until = rules.valid_until(sent_at, self._lease_seconds)
        self.renew_at = rules.renew_at(sent_at, self._lease_seconds)
        self._wanted_by = wanted_by

    def note_wanted(self, wanted_by: str | None) -> None:
        """Note who asks for it; the keeper's own."""
        self._wanted_by = wanted_by

    def end(self) -> None:
        """Make it over, for good."""
        self._is_over = True


class LeasePermit:
    """The `Permit` that a lease gives."""

    def __init__(self, held: HeldLease, stop: Flag, gate: PauseGate, runtime: Runtime) -> None:
        self._held = held
        self._stop = stop
        self._gate = gate
        self._runtime = runtime

    def left_seconds(self) -> float:
        """Return how long messages may be sent for certain: a delivery under way ends in spite of a stop or a pause."""
        return self._held.left_seconds()

    def is_revoked(self) -> bool:
        """Tell whether nothing new may be begun now."""
        return self._stop.is_set() or self._gate.is_paused() or self._held.is_fenced()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until delivering is not allowed or the time is over; tell whether it is not allowed."""
        deadline = self._runtime.monotonic() + timeout_seconds
        while not self.is_revoked():  # until the deadline at most
            left = deadline - self._runtime.monotonic()
            if left <= 0:
                return False
            self._stop.wait(min(left, _SLICE_SECONDS))
        return True

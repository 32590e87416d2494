"""What operators do, each time as a process of its own: replay, release, drop, and pause and resume delivery."""

from collections.abc import Callable
from contextlib import suppress
from random import Random

from eventstore.backoff import Backoff
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import EventStoreError
from eventstore.ports import DynamoClient
from relay.leases.fleet import Pause
from relay.leases.fleet_table import FleetTable
from relay.operating import audit_trail
from relay.operating.audit_trail import AuditTrail
from relay.operating.heartbeats import HeartbeatWatch
from relay.operating.parked.drop import Dropper
from relay.operating.parked.follow import Follower, chains_of
from relay.operating.parked.release import Releaser
from relay.operating.parked.selection import Selection
from relay.outbox.reader import OutboxReader
from tests.simulation.checkers import DESTINATIONS, Checkers
from tests.simulation.ledger import CommitKey, Ledger
from tests.simulation.primitives import SimulatedRuntime

_MISTAKES = 0.3
"""Chance that a drop is asked for a commit that may not be parked, or whose turn has not come."""

_BACKOFF = Backoff(attempts_max=6, base_seconds=0.05, cap_seconds=1.0)
_TABLES = TableNames()


class Operators:
    """The verbs of operators; each returns what one process does."""

    def __init__(self, ledger: Ledger, checkers: Checkers, client: Callable[[], DynamoClient], draw: Random) -> None:
        self._ledger = ledger
        self._checkers = checkers
        self._client = client
        self._draw = draw

    def release(self, runtime: SimulatedRuntime, *, everything: bool = False) -> Callable[[], None]:
        """Remove marks, and follow what was released for a while."""
        draw, parked = self._draw, self._checkers.parked()
        selection = Selection(
            aggregate_id=draw.choice(parked)[0] if parked and not everything and draw.random() < 0.5 else None,
            destination=None if everything else draw.choice((None, *DESTINATIONS)),
        )
        wait_seconds = 0.0 if everything else draw.choice((0.0, 20.0))

        def body() -> None:
            client = self._client()
            with suppress(EventStoreError):
                releaser = Releaser(client, _TABLES, runtime, _BACKOFF)
                released = list(releaser.release(selection, dry_run=False))
                heartbeats = HeartbeatWatch(FleetTable(client, _TABLES, runtime, _BACKOFF).look, runtime)
                follower = Follower(OutboxReader(client, _TABLES, runtime, _BACKOFF), heartbeats, runtime)
                followed = follower.follow(chains_of(released), wait_seconds, runtime.flag())
                for chain in followed.arrived:
                    self._check_arrived(chain.destination, (chain.aggregate_id, chain.up_to))

        return body

    def drop(self, runtime: SimulatedRuntime, keys: list[CommitKey] | None = None) -> Callable[[], None]:
        """Drop commits: those that are given, else one that is parked, or one that an operator takes for parked."""
        if keys is None:
            owed, parked = self._checkers.owed(), self._checkers.parked()
            candidates = owed if self._draw.random() < _MISTAKES else parked
            keys = [self._draw.choice(candidates)] if candidates else []

        def body() -> None:
            dropper = Dropper(self._client(), _TABLES, runtime, _BACKOFF, self._checkers.destinations)
            for key in keys:
                with suppress(EventStoreError):
                    row, marks = dropper.find(key, None)
                    dropper.drop(row.id, marks, "an operator", "simulated")

        return body

    def pause(self, runtime: SimulatedRuntime) -> Callable[[], None]:
        """Stop delivery."""

        def body() -> None:
            client = self._client()
            with suppress(EventStoreError):
                record = audit_trail.new_record(runtime, "pause", "an operator", "simulated", {})
                AuditTrail(client, _TABLES, runtime, _BACKOFF).write(record)
                pause = Pause("an operator", record.at_ms, "simulated")
                FleetTable(client, _TABLES, runtime, _BACKOFF).pause(pause)

        return body

    def _check_arrived(self, destination: str, key: CommitKey) -> None:
        commit = self._ledger.commits[key]
        if not self._ledger.has(destination, commit):
            self._ledger.broken("what is said to have arrived has", f"{key} at the {destination}")

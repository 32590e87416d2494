"""Workers without anything to carry, on one in-memory table and one clock that moves when a test says so."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from eventstore import TableNames
from eventstore.backoff import Backoff
from eventstore.dynamodb import tables
from eventstore.testing import InMemoryDynamoDB, ManualRuntime
from relay.leases.fleet import PROTOCOL, Fleet, FleetSettings, Lease, lease_key
from relay.leases.fleet_table import FleetTable
from relay.leases.held import HeldLease
from relay.leases.identity import WorkerIdentity
from relay.leases.keeper import Keeper, KeeperSettings
from relay.leases.worker_report import WorkerReport

LABEL = "2025-01-01T00:00:00.000"
TABLE = "inventory_relay"
SETTINGS = FleetSettings(frozenset({"bus", "index"}), "inventory", 10_000, PROTOCOL)
TICK_SECONDS = 0.25

Effect = Callable[[], dict[str, Any]]
Fault = Callable[[Effect], dict[str, Any]]


def throttled(_effect: Effect) -> dict[str, Any]:
    """Refuse for load."""
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Call")


def request_lost(_effect: Effect) -> dict[str, Any]:
    """Let the request never arrive."""
    raise ConnectTimeoutError(endpoint_url="memory:")


def reply_lost(effect: Effect) -> dict[str, Any]:
    """Let the call take effect, and nobody hear of it."""
    effect()
    raise ReadTimeoutError(endpoint_url="memory:")


def server_error_after(effect: Effect) -> dict[str, Any]:
    """Let the call take effect, and answer with a server's error."""
    effect()
    response: Any = {
        "Error": {"Code": "InternalServerError", "Message": "oops"},
        "ResponseMetadata": {"HTTPStatusCode": 500},
    }
    raise ClientError(response, "Call")


def cut_short(effect: Effect) -> dict[str, Any]:
    """Let the call take effect, and the body of its reply arrive empty."""
    effect()
    return {}


def answers_lost(place: int) -> Fault:
    """Return a fault: a call of statements takes effect, and what became of one, or of the last, is not told."""

    def fault(effect: Effect) -> dict[str, Any]:
        reply = effect()
        answers = reply["Responses"]
        answers[min(place, len(answers) - 1)] = {"Error": {"Code": "InternalServerError", "Message": "oops"}}
        return reply

    return fault


AFTER = (reply_lost, server_error_after)
BEFORE = (throttled, request_lost)


@dataclass
class Way:
    """The way of every call to DynamoDB. The next calls of an operation meet the faults that are lined up for it."""

    faults: dict[str, list[Fault]] = field(default_factory=dict)
    always: Fault | None = None
    calls: list[str] = field(default_factory=list)

    def carry(self, operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        """Carry a call out."""
        self.calls.append(operation)
        waiting = self.faults.get(operation)
        if waiting:
            return waiting.pop(0)(effect)
        return effect() if self.always is None else self.always(effect)


@dataclass(eq=False)
class Member:
    """One worker of the fleet.

    Attributes:
        keeper: Of its leases.
        is_away: It is not stepped: stopped, or dead.
    """

    keeper: Keeper
    is_away: bool = False

    @property
    def name(self) -> str:
        """Its id."""
        return self.keeper.worker_id

    def shards(self) -> list[str]:
        """Return the shards that it holds and may deliver."""
        held = self.keeper.held().values()
        return sorted(each.shard_id for each in held if each.shard_id is not None and not each.is_fenced())

    def lease(self, shard: str) -> HeldLease:
        """Return the lease of a shard that it holds."""
        return self.keeper.held()[lease_key(LABEL, shard)]


class World:
    """A table, a clock, and workers."""

    def __init__(self) -> None:
        self.runtime = ManualRuntime()
        self.way = Way()
        self.client = InMemoryDynamoDB(clock=self.runtime, passage=self.way).client()
        tables.init(self.client, TableNames(), self.runtime)
        self.members: list[Member] = []
        self.stop = self.runtime.flag()
        self.reports: dict[str, WorkerReport] = {}
        self.busy: list[Member] = []

    def table(self, attempts_max: int = 2) -> FleetTable:
        """Return a door to the table."""
        return FleetTable(self.client, TableNames(), self.runtime, Backoff(attempts_max, 0.0, 0.0))

    def member(
        self,
        name: str,
        *,
        settings: FleetSettings = SETTINGS,
        leases_max: int = 16,
        moved_from: frozenset[str] = frozenset(),
    ) -> Member:
        """Return a new worker that has not joined."""
        identity = WorkerIdentity(name, "host", 1, "0.1.0")
        keeper = Keeper(
            self.table(),
            identity,
            KeeperSettings(settings, leases_max=leases_max, moved_from=moved_from),
            self.runtime,
            lambda: self.reports.get(name, WorkerReport()),
        )
        return Member(keeper)

    def join(self, name: str, **settings: Any) -> Member:
        """Return a new worker that has joined."""
        member = self.member(name, **settings)
        member.keeper.join_fleet(self.stop)
        self.members.append(member)
        return member

    def offer(self, *shards: str) -> None:
        """Create leases."""
        for shard in shards:
            self.table().create_lease(lease_key(LABEL, shard))

    def run(self, seconds: float, each_tick: Callable[[], None] | None = None) -> None:
        """Let time pass; every worker that is not away does what is due, and hands over what is asked for.

        A worker in the middle of a call, whose way lets time pass, is not disturbed.
        """
        for _ in range(round(seconds / TICK_SECONDS)):
            self.runtime.advance(TICK_SECONDS)
            for member in list(self.members):
                if not member.is_away and member not in self.busy:
                    with self.at_work(member):
                        member.keeper.step()
                        self.hand_over(member)
            if each_tick is not None:
                each_tick()

    @contextmanager
    def at_work(self, member: Member) -> Iterator[None]:
        """Let nobody disturb a worker."""
        self.busy.append(member)
        try:
            yield
        finally:
            self.busy.remove(member)

    def hand_over(self, member: Member) -> None:
        """Hand over what is asked for; there is nothing in flight."""
        for held in member.keeper.held().values():
            if held.is_wanted():
                member.keeper.release(held, to=held.wanted_by)

    def seconds_until(self, is_so: Callable[[], bool], within: float) -> float:
        """Let time pass until something is so, and return how much."""
        start = self.runtime.monotonic()
        while not is_so():
            assert self.runtime.monotonic() - start < within, "it did not come about in time"
            self.run(TICK_SECONDS)
        return self.runtime.monotonic() - start

    def fleet(self) -> Fleet:
        """Return what is in the table."""
        return self.table().look()

    def lease(self, shard: str) -> Lease:
        """Return a lease as it is in the table."""
        return self.fleet().leases[lease_key(LABEL, shard)]

    def row(self, record_key: str) -> dict[str, Any]:
        """Return a record as it is in the table."""
        key = {"recordType": {"S": "fleet"}, "recordKey": {"S": record_key}}
        item: dict[str, Any] = self.client.get_item(TableName=TABLE, Key=key, ConsistentRead=True)["Item"]
        return item

    def put_row(self, item: Mapping[str, Any]) -> None:
        """Write a record behind everybody's back."""
        self.client.put_item(TableName=TABLE, Item=dict(item))

    def owners(self) -> dict[str, str | None]:
        """Return the owner of each shard, as the table says."""
        return {each.shard_id: each.owner for each in self.fleet().leases.values() if each.shard_id is not None}

"""What calls cost on the in-memory DynamoDB, told by ReturnConsumedCapacity: the measuring behind the cost page."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from eventstore import AggregateRef, EventStore, NewEvent, StoreOptions, TableNames
from eventstore.dynamodb import tables
from eventstore.testing import InMemoryDynamoDB

AGGREGATE = AggregateRef("INVENTORY_ITEM", "0197a5f0-0000-7000-8000-000000000001")
ANOTHER = AggregateRef("INVENTORY_ITEM", "0197a5f0-0000-7000-8000-000000000002")
PAYLOAD_BYTES = {"300 B": 300, "2 KiB": 2048}
INDEXES = ("EventTypeIndex", "AggregateTypeIndex", "TimestampIndex")
NEW_YEAR_2025_MS = 1_735_689_600_000

_METADATA = {"correlation_id": "0197a5f0-0000-7000-8000-00000000000a", "user": "u-7"}
_UNMETERED = frozenset({"create_table", "describe_table", "list_tables"})


@dataclass
class Meter:
    """A client that adds up what its calls cost.

    Attributes:
        inner: The client behind it.
        units: Capacity units so far, by table without its prefix, or by index.
    """

    inner: Any
    units: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self.inner, name)
        if name in _UNMETERED:
            return call

        def metered(**request: Any) -> Any:
            reply = call(ReturnConsumedCapacity="INDEXES", **request)
            consumed = reply.get("ConsumedCapacity", [])
            for each in consumed if isinstance(consumed, list) else [consumed]:
                self.units[each["TableName"].removeprefix("inventory_")] += each["Table"]["CapacityUnits"]
                for index, part in each.get("GlobalSecondaryIndexes", {}).items():
                    self.units[index] += part["CapacityUnits"]
            return reply

        return metered

    def cost_of(self, work: Callable[[], object]) -> dict[str, float]:
        """Return what some work costs, by table or index; what it costs nothing of is left out."""
        before = dict(self.units)
        work()
        return {name: units - before.get(name, 0) for name, units in self.units.items() if units != before.get(name, 0)}


@dataclass
class Metered:
    """A store whose calls are metered.

    Attributes:
        database: The database, for clients beside the meter.
        meter: The client of the store.
        store: The store.
    """

    database: InMemoryDynamoDB
    meter: Meter
    store: EventStore

    @property
    def client(self) -> Any:
        """The metered client, for other parts than the store."""
        return self.meter

    def cost_of(self, work: Callable[[EventStore], object]) -> dict[str, float]:
        """Return what some work on the store costs, by table or index."""
        return self.meter.cost_of(lambda: work(self.store))

    def total_of(self, work: Callable[[EventStore], object]) -> float:
        """Return what some work on the store costs in all."""
        return sum(self.cost_of(work).values())

    def items(self, table: str, **further: Any) -> list[dict[str, Any]]:
        """Return what lies in a table, or in one of its indexes; not metered."""
        found: list[dict[str, Any]] = self.database.client().scan(TableName=f"inventory_{table}", **further)["Items"]
        return found


def open_metered(
    *, without: Collection[str] = (), options: StoreOptions | None = None, index_shards: int = 4
) -> Metered:
    """Return a metered store on tables that may lack some of their indexes."""
    database = InMemoryDynamoDB()
    client = database.client()
    for request in tables.create_requests(tables.load_template(), TableNames()):
        kept = [index for index in request.pop("GlobalSecondaryIndexes", []) if index["IndexName"] not in without]
        keys = {key["AttributeName"] for part in (request, *kept) for key in part["KeySchema"]}
        request["AttributeDefinitions"] = [
            each for each in request["AttributeDefinitions"] if each["AttributeName"] in keys
        ]
        client.create_table(**request, **({"GlobalSecondaryIndexes": kept} if kept else {}))
    tables.init(client, index_shards=index_shards)
    meter = Meter(client)
    return Metered(database, meter, EventStore.open(meter, options=options))


def events(count: int, payload: str) -> list[NewEvent]:
    """Return like events whose payload, as JSON text, has the size of that name."""
    frame = len('{"text":""}')
    data = {"text": "x" * (PAYLOAD_BYTES[payload] - frame)}
    return [
        NewEvent("STOCK_RECEIVED", data, _METADATA, timestamp_ms=NEW_YEAR_2025_MS + number) for number in range(count)
    ]

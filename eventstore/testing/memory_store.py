"""A store on the in-memory DynamoDB with its tables, in one line of a test."""

from typing import Any, Generic, TypeVar, overload

from eventstore.context import StoreContext, StoreOptions
from eventstore.dynamodb import tables
from eventstore.dynamodb.store_record import INDEX_SHARDS_DEFAULT
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import Runtime
from eventstore.schema import EventTypes
from eventstore.store import EventStore
from eventstore.testing.dynamodb import InMemoryDynamoDB
from eventstore.testing.manual_runtime import ManualRuntime

R = TypeVar("R", bound=Runtime)


class InMemoryEventStore(EventStore, Generic[R]):
    """An `EventStore` that exposes its database and clock. Made by `in_memory_store`."""

    def __init__(self, context: StoreContext, database: InMemoryDynamoDB, clock: R) -> None:
        super().__init__(context)
        self._database = database
        self._clock = clock

    @property
    def database(self) -> InMemoryDynamoDB:
        """The database, for another store on it, or for a look at rows: `database.client().scan(TableName=…)`."""
        return self._database

    @property
    def clock(self) -> R:
        """The clock of store and database."""
        return self._clock


@overload
def in_memory_store(
    *,
    events: EventTypes | None = None,
    clock: None = None,
    options: StoreOptions | None = None,
    database: InMemoryDynamoDB | None = None,
    table_names: TableNames | None = None,
    index_shards: int = INDEX_SHARDS_DEFAULT,
) -> InMemoryEventStore[ManualRuntime]: ...


@overload
def in_memory_store(
    *,
    events: EventTypes | None = None,
    clock: R,
    options: StoreOptions | None = None,
    database: InMemoryDynamoDB | None = None,
    table_names: TableNames | None = None,
    index_shards: int = INDEX_SHARDS_DEFAULT,
) -> InMemoryEventStore[R]: ...


def in_memory_store(
    *,
    events: EventTypes | None = None,
    clock: Runtime | None = None,
    options: StoreOptions | None = None,
    database: InMemoryDynamoDB | None = None,
    table_names: TableNames | None = None,
    index_shards: int = INDEX_SHARDS_DEFAULT,
) -> InMemoryEventStore[Any]:
    """Return a store on a DynamoDB in memory, ready to be used; making one takes some milliseconds.

    Args:
        events: As in `EventStore.open`.
        clock: Clock, waiting and randomness of store and database; a `ManualRuntime` when left out, so that nothing
            waits and ids and times are the same in each run. `eventstore.system.SystemRuntime()` is the machine's own.
        options: As in `EventStore.open`.
        database: One that is there already, such as another store's; tables that it lacks are made. A new one on the
            same clock when left out.
        table_names: Names of the tables; `inventory_…` when left out.
        index_shards: Write shards of index keys, 1 to 64, for tables that are new.

    Raises:
        InvalidInputError: `index_shards` cannot be.
        TableLayoutError: The database has a table of that name with another layout.
    """
    runtime: Runtime = ManualRuntime() if clock is None else clock
    database = database or InMemoryDynamoDB(clock=runtime)
    names, client = table_names or TableNames(), database.client()
    tables.init(client, names, runtime, index_shards=index_shards, protect=False)
    store = EventStore.open(client, names, options=options, runtime=runtime, events=events)
    return InMemoryEventStore(store.context, database, runtime)

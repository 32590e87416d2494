"""What every part of an open store is handed: the tables, what is in force for them, and the ports."""

from dataclasses import dataclass, field

from eventstore import limits
from eventstore.backoff import Backoff
from eventstore.decoding import EventDecoder, RowDecoder
from eventstore.ports import DynamoClient, Runtime
from eventstore.store_record import StoreRecord
from eventstore.table_names import TableNames


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a store behaves.

    Attributes:
        embed_max_bytes: An outbox row up to this size carries its events, which spares the relay a read. Above 1,024
            it costs more write units and makes delivery of large events a little faster.
        append_backoff: Attempts of one append, and the delays between them.
        read_backoff: Attempts of one read call, and the delays between them.
    """

    embed_max_bytes: int = limits.EMBED_MAX_BYTES_DEFAULT
    append_backoff: Backoff = field(default_factory=Backoff)
    read_backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True)
class StoreContext:
    """An open store's parts.

    Attributes:
        client: The DynamoDB client.
        tables: Names of the tables.
        record: Epoch and index shards in force.
        options: How the store behaves.
        runtime: Clock, waiting and randomness.
        decoder: Makes events of rows, on every read path.
    """

    client: DynamoClient
    tables: TableNames
    record: StoreRecord
    options: StoreOptions
    runtime: Runtime
    decoder: EventDecoder = field(default_factory=RowDecoder)

"""What every part of an open store gets: the tables, the settings in force for them, and the ports."""

from dataclasses import dataclass, field, replace
from typing import Any

from eventstore import checks, limits
from eventstore.backoff import SECONDS_MAX, Backoff, Deadline
from eventstore.dynamodb.aimd import AimdSettings
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.store_record import LatestRecord, StoreRecord
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import InvalidInputError
from eventstore.event_codec import EventDecoder, EventEncoder, PlainEncoder, RowDecoder
from eventstore.ports import DynamoClient, Runtime

LIMITER_QUEUE_MAX = 1_000_000


class StoreClient:
    """A store's client: the one it was given, until the store is closed; then whatever is asked of it is refused."""

    def __init__(self, inner: DynamoClient) -> None:
        self._inner: DynamoClient | None = inner

    def __getattr__(self, name: str) -> Any:
        """Return what the client has under a name.

        Raises:
            InvalidInputError: The store is closed.
        """
        if name.startswith("__"):  # of Python's own, which asks also before there is a client
            raise AttributeError(name)
        self.check()
        return getattr(self._inner, name)

    def check(self) -> None:
        """Refuse to go on when the store is closed.

        Raises:
            InvalidInputError: It is.
        """
        if self._inner is None:
            raise InvalidInputError("store", "is closed; open a new one")

    def refuse(self) -> None:
        """Refuse whatever is asked from now on; requests on their way go on. Safe to repeat."""
        self._inner = None


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a store behaves.

    Attributes:
        embed_max_bytes: An outbox row up to this size carries its events, which spares the relay a read; 0 to 409,600,
            what an item can hold. Above 1,024 it costs more write units and makes delivery of large events a little
            faster.
        append_backoff: Attempts of one append, and the delays between them.
        read_backoff: Attempts of one read call, and the delays between them.
        append_deadline_seconds: Time of an append that names none. With a client that `connect` made, the call ends
            then, also when DynamoDB hangs; with another one it may last as long as that client's time-outs say.
        contention_backoff: Rounds of an append whose version is left to the store (`EXISTS`, `ANY`), and the delays
            between them.
        limiter: How many requests of appends may be on their way at once, and how throttles change that.
        limiter_queue_max: Appends that may wait for their turn, 0 to 1,000,000; more are turned away at once.
        settle_backoff: Delays between two looks of `wait_settled`.
        index_refresh_seconds: The index's `refresh_interval`: how late searches show what the index has taken.
    """

    embed_max_bytes: int = limits.EMBED_MAX_BYTES_DEFAULT
    append_backoff: Backoff = field(default_factory=Backoff)
    read_backoff: Backoff = field(default_factory=Backoff)
    append_deadline_seconds: float = 60.0
    contention_backoff: Backoff = field(
        default_factory=lambda: Backoff(attempts_max=16, base_seconds=0.02, cap_seconds=1)
    )
    limiter: AimdSettings = field(default_factory=AimdSettings)
    limiter_queue_max: int = 1024
    settle_backoff: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.05, cap_seconds=1.0))
    index_refresh_seconds: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot work, where it is given.

        Raises:
            InvalidInputError: Names the option and its bounds.
        """
        for name in ("append_backoff", "read_backoff", "contention_backoff", "settle_backoff"):
            if not isinstance(getattr(self, name), Backoff):
                raise InvalidInputError(f"options.{name}", "is no Backoff; give one")
        if not isinstance(self.limiter, AimdSettings):
            raise InvalidInputError("options.limiter", "is no AimdSettings; give one")
        checks.check_count(self.embed_max_bytes, "options.embed_max_bytes", 0, limits.ITEM_MAX_BYTES)
        checks.check_count(self.limiter_queue_max, "options.limiter_queue_max", 0, LIMITER_QUEUE_MAX)
        checks.check_number(self.append_deadline_seconds, "options.append_deadline_seconds", above=0, most=SECONDS_MAX)
        checks.check_number(self.index_refresh_seconds, "options.index_refresh_seconds", least=0, most=SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class StoreContext:
    """An open store's parts.

    Attributes:
        client: The DynamoDB client.
        tables: Names of the tables.
        record: Epoch and index shards as of the opening: what is written here says the same for as long as it is open.
        options: How the store behaves.
        runtime: Clock, waiting and randomness.
        decoder: Makes events of rows, on every read path.
        encoder: Makes events of what callers append, on every append path.
        deadline: When the time of the call at hand is over; None outside of calls that have one.
        latest: The record as it was lately, for reads; made from `record` when left out.
    """

    client: DynamoClient
    tables: TableNames
    record: StoreRecord
    options: StoreOptions
    runtime: Runtime
    decoder: EventDecoder = field(default_factory=RowDecoder)
    encoder: EventEncoder = field(default_factory=PlainEncoder)
    deadline: Deadline | None = None
    latest: LatestRecord = field(default=None)  # type: ignore[assignment]  # never None once it is made

    def __post_init__(self) -> None:
        """Make what is left out; `replace` hands it on."""
        given: object = self.latest
        if given is None:
            object.__setattr__(self, "latest", LatestRecord(self.tables, self.record, self.runtime.monotonic()))

    @property
    def index_shards(self) -> int:
        """How many write shards a read has to ask, as of the last half minute.

        Raises:
            TryLaterError: DynamoDB did not answer in time.
        """
        return self.latest.index_shards(self.caller)

    @property
    def caller(self) -> Caller:
        """What makes reads of the store, within the bounds of its options and the deadline."""
        return Caller(self.client, self.runtime, self.options.read_backoff, self.deadline)

    def until(self, deadline: Deadline) -> "StoreContext":
        """Return the same for a call whose time is over then."""
        return replace(self, deadline=deadline)

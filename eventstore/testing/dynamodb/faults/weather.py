"""Which faults an in-memory DynamoDB injects, how often, and within which bounds."""

from dataclasses import dataclass, fields

from eventstore.testing.dynamodb.tokens import TOKEN_VALID_MS

UNLIMITED_ITEMS = 1_000_000
"""More than a page of 1 MB holds: pages end where AWS ends them."""

DAY_MS = 24 * 60 * 60 * 1000
ITERATOR_VALID_MS = 15 * 60 * 1000
"""Sources: AWS, API reference of GetShardIterator (an iterator expires 15 minutes after it was given out); "Change
data capture for DynamoDB Streams" (records older than 24 hours may be removed at any moment)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """The faults that an in-memory DynamoDB may meet; each is permitted by a document of AWS, and none is on by itself.

    A fault is the chance, from 0 to 1, that it is met where it can be. `InMemoryDynamoDB.met` counts it under its name
    each time it was.

    Attributes:
        throttle: A call is refused for load, and has no effect.
        server_error: A call is answered with a 5xx, and has no effect.
        server_error_after: A call is answered with a 5xx, and took effect; or some statements of a batch are answered
            with InternalServerError, and may have taken effect.
        lost_request: The connection breaks before the call takes effect.
        lost_reply: The connection breaks after the call took effect.
        cut_short: A reply that always has members arrives without them, as botocore gives back a body that was cut
            short.
        transaction_conflict: A transaction, the write of one item, or a statement of a batch is refused for another
            that is under way.
        unprocessed: A part of a batch is given back unprocessed; some statements of a batch are throttled or answered
            with InternalServerError, and have no effect.
        hide_transaction: Items of a transaction are not readable at once. Until its reply is handed to the caller, or
            `hide_ms_max` is over if the reply gets lost, GetItem, Query, Scan and BatchGetItem answer, item by item,
            from before it, consistent ones too; writes to these items conflict; TransactGetItems conflicts, or gives
            all of it; the same request token is answered with TransactionInProgressException. A passage that lets time
            go by between effect and reply shows this to others.
        hide_ms_max: The bound of that, in milliseconds.
        token_valid_ms: How long a request token is known, as if a repeat came so much later; 10 minutes on AWS.
        stale_read: Eventually consistent reads answer from before a write.
        stale_ms_max: Upper bound of its duration.
        short_page: A page of Query or Scan ends early, with a LastEvaluatedKey.
        page_items_max: Bound of each page of Query, Scan, DescribeStream and ListStreams, and of what BatchGetItem
            answers at a time, in items; as if so many made a full megabyte. It makes a page of few items full, always.
        delay_index: An index follows a change of an item late, and so in another order than the table; the changes of
            one item keep theirs.
        index_delay_ms_max: Upper bound of the delay.
        swap_records: The records of one commit enter the feed in another order than the items were written.
        hold_record: A record enters the feed late, behind records of other items; those of one item keep their order.
        hold_ms_max: Upper bound of the delay.
        split_shard: A commit is followed by the split of an open shard.
        rotate_shards: A commit is followed by the end of an open shard, or of all, with one child each.
        shards_open_max: No shard is split beyond this many open ones.
        list_late: A new shard is not in listings at first.
        list_late_ms_max: Upper bound of its duration.
        open_parent: A shard that is closed is listed as open, beside its children.
        open_parent_ms_max: Upper bound of its duration.
        short_listing: A page of a listing of shards ends before its limit.
        empty_page: GetRecords gives no records where there are some, and an iterator to go on with.
        short_feed_page: GetRecords gives fewer records than there are.
        linger_at_end: The last records of a closed shard come with an iterator; the page behind it is empty and has
            none. (Without the fault, the last records come without an iterator.)
        expire_iterator: An iterator has expired before its time.
        old_iterator: An iterator that was given out more than 15 minutes ago has expired.
        trim: Records older than `trim_after_ms` are removed from the feed, and closed shards with them, when it is
            looked at.
        trim_after_ms: The age from which on a record may be removed.
    """

    throttle: float = 0
    server_error: float = 0
    server_error_after: float = 0
    lost_request: float = 0
    lost_reply: float = 0
    cut_short: float = 0
    transaction_conflict: float = 0
    unprocessed: float = 0
    hide_transaction: float = 0
    hide_ms_max: int = 2_000
    token_valid_ms: int = TOKEN_VALID_MS
    stale_read: float = 0
    stale_ms_max: int = 1_000
    short_page: float = 0
    page_items_max: int = UNLIMITED_ITEMS
    delay_index: float = 0
    index_delay_ms_max: int = 3_000
    swap_records: float = 0
    hold_record: float = 0
    hold_ms_max: int = 2_000
    split_shard: float = 0
    rotate_shards: float = 0
    shards_open_max: int = 8
    list_late: float = 0
    list_late_ms_max: int = 5_000
    open_parent: float = 0
    open_parent_ms_max: int = 5_000
    short_listing: float = 0
    empty_page: float = 0
    short_feed_page: float = 0
    linger_at_end: float = 0
    expire_iterator: float = 0
    old_iterator: float = 0
    trim: float = 0
    trim_after_ms: int = DAY_MS

    def __post_init__(self) -> None:
        wrong = [f"{name} is a chance from 0 to 1" for name in FAULTS if not 0 <= getattr(self, name) <= 1]
        wrong += [f"{name} is at least 1" for name in BOUNDS if getattr(self, name) < 1]
        if wrong:
            raise ValueError("; ".join(wrong))

    @classmethod
    def rough(cls) -> "Weather":
        """Return a weather in which every fault happens now and then, and most calls succeed."""
        return cls(
            throttle=0.02,
            server_error=0.01,
            server_error_after=0.01,
            lost_request=0.01,
            lost_reply=0.01,
            cut_short=0.02,
            transaction_conflict=0.02,
            unprocessed=0.1,
            hide_transaction=0.3,
            stale_read=0.2,
            short_page=0.1,
            delay_index=0.3,
            swap_records=0.5,
            hold_record=0.2,
            split_shard=0.005,
            rotate_shards=0.005,
            list_late=0.5,
            open_parent=0.5,
            short_listing=0.2,
            empty_page=0.1,
            short_feed_page=0.2,
            linger_at_end=0.5,
            expire_iterator=0.01,
            old_iterator=1,
            trim=0.5,
        )


BOUNDS = tuple(field.name for field in fields(Weather) if field.type in {int, "int"})
FAULTS = tuple(field.name for field in fields(Weather) if field.name not in BOUNDS)
"""The names of all faults."""

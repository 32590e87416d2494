"""Defaults that several parts go by: each value stands here once, and settings and parts refer to it. Pure.

Whoever changes one changes it for `relay run` (the variable RELAY_… of the same name) and for a relay put together by
hand alike.
"""

from eventstore.dynamodb.table_names import PREFIX_DEFAULT

NAME_PREFIX = PREFIX_DEFAULT
"""First part of the names at the destinations, as of those of the tables."""

BUS_BUDGET_SECONDS = 10.0
"""How long the bus may answer nothing; what is unconfirmed then counts as unsent."""

BUS_QUEUE_TYPE = "quorum"

SIDE_BUDGET_SECONDS = 10.0
"""Longest delivery to another destination, such as one bulk request of the index."""

SIDE_PATIENCE_SECONDS = 1.0
"""How long a commit waits for another destination once the bus has it; the delivery may go on after that."""

INDEX_REPLICAS = 1

FEED_POLL_MAX_SECONDS = 0.5
"""Longest pause between looks at a quiet shard."""

DISCOVERY_SECONDS = 10.0
"""How often the feed is looked at for new shards; a shard that could not be read is left alone for as long."""

SHARDS_MAX = 16
"""Shards that one worker carries at most."""

CHECKPOINT_INTERVAL_SECONDS = 1.0

SWEEP_MIN_AGE_SECONDS = 60.0
"""The sweep takes rows of this age; a reader that lags by more may find that it was there before."""

SWEEP_INTERVAL_SECONDS = 10.0

OUTBOX_PAGE_ROWS = 500
"""Rows in one page of a walk over the outbox, whoever walks: at most 1 MB is read for it."""

DRAIN_SECONDS = 20.0

LEASE_SECONDS = 10.0

ROOM_COMMITS = 5_000
"""Commits that a worker has in hand before its readers wait."""

ROOM_MAX_BYTES = 64 * 1024 * 1024
"""The same in bytes of their events."""

READ_MAX_BYTES = 16 * 1024 * 1024
"""Events, read by key since the outbox does not carry them, that a worker holds before it reads no more for now."""

MEMORY_AGGREGATES_MAX = 100_000
"""Aggregates of which is remembered what the bus has; about 210 bytes each."""

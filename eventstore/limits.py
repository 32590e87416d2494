"""The numbers DynamoDB and AMQP set, each with its source, those that follow from them, and defaults of the store."""

TRANSACTION_MAX_ACTIONS = 100
"""Actions in one TransactWriteItems or TransactGetItems. Source: AWS, API reference of TransactWriteItems."""

TRANSACTION_MAX_BYTES = 4 * 1024 * 1024
"""Aggregate size of the items in one transaction. Source: AWS, API reference of TransactWriteItems."""

ITEM_MAX_BYTES = 400 * 1024
"""One item, names and values. Source: AWS, "Quotas in Amazon DynamoDB", item size."""

PARTITION_KEY_MAX_BYTES = 2048
"""Source: AWS, "Quotas in Amazon DynamoDB", partition key length."""

SORT_KEY_MAX_BYTES = 1024
"""Source: AWS, "Quotas in Amazon DynamoDB", sort key length."""

COMMIT_MAX_EVENTS = TRANSACTION_MAX_ACTIONS - 2
"""Events in one commit: beside them stand the outbox row and the check of the predecessor."""

ROUTING_KEY_MAX_BYTES = 255
"""A routing key `<aggregateType>.<eventType>` is an AMQP short string. Source: AMQP 0-9-1, 4.2.5.3."""

EMBED_MAX_BYTES_DEFAULT = 1024
"""An outbox row up to this size carries its events; DynamoDB counts writes in units of 1 KiB, so it costs nothing."""

QUERY_MAX_ROWS = 100_000
"""Rows that a Query is asked for at most: a page of 1 MB holds fewer, and DynamoDB Local takes no number of 32 bits."""

BATCH_GET_MAX_KEYS = 100
"""Source: AWS, API reference of BatchGetItem."""

BATCH_MAX_STATEMENTS = 25
"""Source: AWS, API reference of BatchExecuteStatement."""

SCHEMA_VERSION_MAX = 2**31 - 1
"""The search index holds it as an `integer`. Source: Elasticsearch, "Numeric field types"."""

SEQUENCE_NUMBER_MAX = 10**15
"""Far above any history, below 2**53, so that every JSON reader keeps it exact."""

FOLLOW_OVERLAP_SECONDS_DEFAULT = 10.0
"""How far each look of a follower goes back behind the one before it: indexes show events late, clocks differ."""

FOLLOW_POLL_SECONDS_DEFAULT = 1.0
"""Pause between two looks of a follower."""

VERIFY_EVENT_IDS_MAX_DEFAULT = 250_000
"""Event ids that a verification remembers, about 100 bytes each."""

STORE_RECORD_FRESH_SECONDS = 30.0
"""How old a reader's knowledge of the write shards may be; a follower asks at each look."""

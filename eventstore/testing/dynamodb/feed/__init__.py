"""The feed of a table in the in-memory DynamoDB: change records in shards."""

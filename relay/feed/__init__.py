"""The feed: DynamoDB Streams, its shards, and positions in them. The feed is a doorbell; the tables are the truth."""

"""Where the in-memory DynamoDB keeps items: by key, in partitions, and in secondary indexes."""

"""The faults of the in-memory DynamoDB, and what applies them."""

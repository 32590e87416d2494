"""What can go wrong in the in-memory DynamoDB, and what acts on it."""

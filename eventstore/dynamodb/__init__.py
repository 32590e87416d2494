"""DynamoDB: its calls and how they are repeated, and the tables of a store."""

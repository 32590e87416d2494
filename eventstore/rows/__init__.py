"""The rows of the tables: one codec for each kind. Pure."""

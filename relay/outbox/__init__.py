"""The outbox table: its rows read and changed, and what is owed, counted."""

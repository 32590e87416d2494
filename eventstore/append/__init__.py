"""Storing events: one frozen transaction, sent until it is decided, alone or in bulk."""

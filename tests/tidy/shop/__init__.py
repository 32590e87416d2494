"""A small user's project: what a service on the event store looks like, for type checkers and for a run in memory."""

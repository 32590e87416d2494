"""The relay: delivers every committed event to its destinations, at least once and in order."""

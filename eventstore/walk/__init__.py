"""The whole store from the beginning: all events, in segments, and the ids of all aggregates."""

from eventstore.walk.event_walk import EventWalk

__all__ = ["EventWalk"]

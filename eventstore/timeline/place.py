"""An event's place among all events: the one order in which reads over many aggregates give them. Pure."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Place(NamedTuple):
    """Where an event stands: by time, then aggregate, then number. No two events share one."""

    timestamp_ms: int
    aggregate_id: str
    number: int


def is_behind(place: Place, given: Place | None, *, backwards: bool) -> bool:
    """Tell whether a place comes after one that was given, in the direction of reading."""
    if given is None:
        return True
    return place < given if backwards else place > given


def merge(lines: Iterable[Iterator[Place]], *, backwards: bool) -> Iterator[Place]:
    """Yield the places of lines that are each in order, in order; holds one place of each."""
    return heapq.merge(*lines, reverse=backwards)


def nearest(places: Iterable[Place], count: int, *, backwards: bool) -> list[Place]:
    """Return the first `count` places in the direction of reading, in order; holds no more than these."""
    return heapq.nlargest(count, places) if backwards else heapq.nsmallest(count, places)


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most `size` items; each is gathered when it is asked for."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch

"""The stock of items: a state in a dict, one in a class, decisions about both, and views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_type

from eventstore import (
    CachePolicy,
    Decide,
    EventStore,
    Evolve,
    Loaded,
    Projection,
    ReadModel,
    RecordedEvent,
    Repository,
    SnapshotPolicy,
    Transacted,
)

from .events import Received, Removed


@dataclass(frozen=True)
class Stock:
    """How much of an item there is."""

    on_hand: int = 0
    orders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remove:
    """A command: take some of it for an order."""

    quantity: int
    order: str


class SoldOutError(Exception):
    """There is not enough of it."""


def evolve(state: Stock, event: RecordedEvent) -> Stock:
    """Return the stock after an event."""
    match event.payload:
        case Received(quantity=quantity):
            return replace(state, on_hand=state.on_hand + quantity)
        case Removed(quantity=quantity, order=order):
            return Stock(state.on_hand - quantity, (*state.orders, order))
        case _:
            return state


def remove(state: Stock, command: Remove) -> Sequence[Removed]:
    """Decide whether an order gets what it asks for."""
    if command.order in state.orders:
        return []
    if command.quantity > state.on_hand:
        raise SoldOutError(command.order)
    return [Removed(command.quantity, command.order)]


def count(state: dict[str, int], event: RecordedEvent) -> dict[str, int]:
    """Return how often each type has come."""
    return {**state, event.type: state.get(event.type, 0) + 1}


def remember_last(state: Received | None, event: RecordedEvent) -> Received | None:
    """Return the last delivery."""
    return event.payload if isinstance(event.payload, Received) else state


EVOLVE: Evolve[Stock] = evolve
DECIDE: Decide[Stock, Remove] = remove


class Shelf:
    """All that the shop asks its store about items."""

    def __init__(self, store: EventStore) -> None:
        self.items = Repository(
            store,
            aggregate_type="Item",
            initial=Stock,
            evolve=evolve,
            snapshots=SnapshotPolicy(every_events=100),
            cache=CachePolicy(size=10),
        )
        self.ready = Repository(store, aggregate_type="Item", initial=Stock(), evolve=evolve)
        self.tallies = Repository(store, aggregate_type="Item", initial=dict, evolve=count)
        self.empty = Projection(store, "empty", initial={}, evolve=count)
        self.made = Projection(store, "made", initial=lambda: Stock(1), evolve=evolve)
        self.last = Projection(store, "last", initial=None, evolve=remember_last)
        self.length = Projection(store, "length", initial=0, evolve=lambda length, _: length + 1)
        self.all = ReadModel(store, "all", initial=dict, evolve=count)

    def sell(self, sku: str, command: Remove) -> int:
        """Take some of an item, once for each order, and return what is left."""
        done = self.items.transact(sku, remove, command, idempotency_key=command.order)
        assert_type(done, Transacted[Stock])
        return self.items.load(sku).state.on_hand

    def views(self, sku: str) -> dict[str, object]:
        """Return everything about an item."""
        tally = self.tallies.load(sku)
        assert_type(tally, Loaded[dict[str, int]])
        assert_type(self.ready.load(sku).state, Stock)
        assert_type(self.made.load(sku).state, Stock)
        assert_type(self.last.load(sku).state, Received | None)
        assert_type(self.length.load(sku).state, int)
        assert_type(self.all.state, dict[str, int])
        return {
            "tally": tally.state,
            "empty": self.empty.load(sku).state,
            "made": self.made.load(sku).state.on_hand,
            "last": self.last.load(sku).state,
            "length": self.length.load(sku).state,
        }

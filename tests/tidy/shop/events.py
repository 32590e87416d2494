"""What can happen to an item on the shelf, and to the till."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eventstore import AggregateRef, EventTypes, NewEvent, TypedEvent, metadata

types = EventTypes(strict=True)


@types.register("STOCK_RECEIVED", 2)
@dataclass(frozen=True)
class Received:
    """Goods came in."""

    quantity: int
    shelf: str = "A"


@types.register("STOCK_REMOVED")
@dataclass(frozen=True)
class Removed:
    """Goods went out."""

    quantity: int
    order: str


@types.upcaster("STOCK_RECEIVED", 1)
def add_shelf(data: dict[str, Any]) -> dict[str, Any]:
    """Give the first deliveries, which had none, a shelf."""
    return {**data, "shelf": "A"}


types.add_plain("TILL_CHANGED")


def item(sku: str) -> AggregateRef:
    """Return the aggregate of an item."""
    return AggregateRef("Item", sku)


def late(quantity: int, at: datetime) -> TypedEvent:
    """Return a delivery that is entered after it came."""
    return NewEvent.of(Received(quantity), metadata=metadata(correlation_id="late"), timestamp_ms=at)


def till_changed(cents: int) -> NewEvent:
    """Return a plain event, without a class."""
    return NewEvent("TILL_CHANGED", {"cents": cents}, timestamp_ms=datetime.now(UTC))

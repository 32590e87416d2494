"""A seeded warehouse: goods arrive, are reserved, leave, come back and are counted."""

import random
from collections.abc import Iterator

from eventstore.model import AggregateRef, NewEvent
from relay.demo.planned import PlannedCommit

AGGREGATE_TYPE = "INVENTORY_ITEM"
COMMITS_DEFAULT = 2_000
ITEMS = 300
_SKEW = 1.1
_USERS = ("ada", "grace", "edsger", "barbara")
_PLACES = ("NORTH", "SOUTH", "HARBOUR")


def commits(seed: int, count: int) -> Iterator[PlannedCommit]:
    """Yield that many commits; the same for the same seed. A few items are asked for often, most of them seldom."""
    dice = random.Random(seed)  # noqa: S311 - a repeatable scenario
    weights = [1 / (rank + 1) ** _SKEW for rank in range(ITEMS)]
    stock: dict[int, int] = {}
    for number in range(count):
        (item,) = dice.choices(range(ITEMS), weights)
        aggregate = AggregateRef(AGGREGATE_TYPE, f"SKU-{item:04d}")
        metadata = {"correlation_id": f"order-{seed}-{number}", "user": dice.choice(_USERS)}
        events = [NewEvent(kind, data, metadata) for kind, data in _happenings(dice, item, stock)]
        yield PlannedCommit(aggregate, tuple(events))


def _happenings(dice: random.Random, item: int, stock: dict[int, int]) -> list[tuple[str, dict[str, object]]]:
    """Return what happens next to an item; its stock never falls below zero."""
    place = dice.choice(_PLACES)
    if item not in stock:
        stock[item] = dice.randint(20, 200)
        return [
            ("ITEM_REGISTERED", {"name": f"Article {item}", "unit_price": round(dice.uniform(0.5, 40.0), 2)}),
            ("STOCK_RECEIVED", {"quantity": stock[item], "place": place}),
        ]
    quantity = dice.randint(1, 12)
    if stock[item] < quantity:
        stock[item] += 100
        return [("STOCK_RECEIVED", {"quantity": 100, "place": place})]
    match dice.randrange(10):
        case 0:
            stock[item] += quantity
            return [("STOCK_RETURNED", {"quantity": quantity, "place": place})]
        case 1:
            return [("STOCK_COUNTED", {"quantity": stock[item], "place": place})]
        case 2 | 3 | 4:
            stock[item] -= quantity
            return [
                ("STOCK_RESERVED", {"quantity": quantity, "place": place}),
                ("STOCK_REMOVED", {"quantity": quantity, "place": place}),
            ]
        case _:
            stock[item] -= quantity
            return [("STOCK_REMOVED", {"quantity": quantity, "place": place})]

"""Everything goes wrong at once: three sources of two relays, pages in any order, faults on every side."""

import random
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from eventstore.ports import Flag
from eventstore.rows.outbox import OutboxRow
from eventstore.testing.dynamodb.errors import ServiceError, transaction_cancelled
from relay.assembly import Relay
from relay.delivery.commit import NEVER
from relay.delivery.page import CommitPage
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.source import FEED
from relay.destinations.index.client import IndexLostError
from relay.permit import FlagPermit
from relay.testing.broker import QUEUE_MAX_LENGTH
from relay.testing.checker import CheckVerdict, DeliveryChecker
from tests.support.waiting import until

from .conftest import QUEUE, Bench

AGGREGATES = 6
COMMITS = 240
TURNS_MAX = 2_000


class Gremlin:
    """A trap that throttles, loses replies, cancels transactions and leaves parts of batches undone, by chance."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def __call__(
        self, operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        chance = self._random.random()
        if chance < 0.04:
            raise ServiceError("ThrottlingException", "slow down")
        if operation == "TransactGetItems" and chance < 0.1:
            codes = [self._random.choice(["None", "TransactionConflict"]) for _ in request["TransactItems"]]
            raise transaction_cancelled(
                [{"Code": code, "Message": ""} for code in (*codes[:-1], "TransactionConflict")]
            )
        if operation == "BatchExecuteStatement" and chance < 0.1:
            return {"Responses": [{"Error": {"Code": "ThrottlingError"}} for _ in request["Statements"]]}
        reply = effect()
        if chance > 0.97:
            raise ServiceError("InternalServerError", "the reply is lost", status=500)
        return reply


def pages_of(rows: list[OutboxRow], chance: random.Random) -> list[list[OutboxRow]]:
    """Cut rows into pages and swap some of the rows, and some of the pages."""
    rows = sorted(rows, key=lambda row: row.last + chance.random() * 6)
    pages = []
    while rows:
        size = chance.randint(1, 25)
        pages.append(rows[:size])
        rows = rows[size:]
    return sorted(pages, key=lambda page: page[0].last + chance.random() * 10)


def carry(relay: Relay, pages: list[list[OutboxRow]], stop: Flag) -> None:
    """Hand pages in as a shard's reader does, one after the other; now and then begin again as a new holder."""
    source = relay.flow.open_source(FEED, FlagPermit(stop))
    for number, rows in enumerate(pages):
        page = CommitPage(FEED, 0.0)
        over = threading.Event()
        page.ring = over.set
        relay.flow.hand_in(source, page, rows, NEVER)
        page.is_sealed = True
        while not page.is_over and not stop.is_set():
            over.wait(0.01)
        assert page.is_dealt_with or stop.is_set()
        if number % 5 == 4:
            relay.flow.withdraw(source)
            source = relay.flow.open_source(FEED, FlagPermit(stop))


def harass(bench: Bench, chance: random.Random) -> None:
    """Let one thing go wrong with a destination."""
    match chance.randint(0, 4):
        case 0:
            bench.broker.nack_next(chance.randint(1, 5))
        case 1:
            bench.broker.drop_after(chance.randint(0, 40), taken=chance.random() < 0.5)
        case 2:
            bench.index.busy_next(chance.randint(1, 20))
        case 3:
            bench.index.lose_reply(IndexLostError("lost"))
        case _:
            bench.broker.drop_connections()


def calm_down(bench: Bench) -> None:
    """End the storm; the breaker forgets it too, so that the test need not wait for its cool-off."""
    bench.way.trap = None
    bench.broker.nack_next(0)
    bench.index.busy_next(0)
    bench.index._lost_replies.clear()
    for pump in bench.relay.pumps:
        if isinstance(pump, SidePump):
            pump._breaker = pump._breaker.succeeded()


def verdict_on(bench: Bench) -> CheckVerdict:
    """Return what a checker says of all that is stored, on the bus and in the index."""
    checker = DeliveryChecker()
    for row in bench.client.scan(TableName="inventory_events")["Items"]:
        checker.stored(row)
    for message in bench.broker.consumer(QUEUE, prefetch=QUEUE_MAX_LENGTH).receive(0):
        checker.came(message)
    for document in bench.index.documents():
        checker.indexed(document)
    return checker.verdict()


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_and_first_deliveries_are_in_order(bench: Bench, seed: int) -> None:
    """
    At the end every event is on the bus and in the index, as it was stored, and each aggregate's first came in order.
    """
    chance = random.Random(seed)
    for number in range(COMMITS):
        bench.append(f"item-{number % AGGREGATES}", count=chance.randint(1, 3), text="x" * chance.choice([1, 1200]))
    rows = bench.outbox()
    last = {row.aggregate_id: row.last for row in rows}
    other = bench.another_relay()
    for relay in (bench.relay, other):
        relay._memory._aggregates_max = 3  # so that it forgets
    bench.way.trap = Gremlin(seed)
    stop = bench.runtime.flag()
    parts = [
        bench.runtime.spawn("consumer", partial(carry, relay, pages_of(rows, chance), stop))
        for relay in (bench.relay, bench.relay, other)
    ]
    for turn in range(TURNS_MAX):
        if not any(part.is_alive() for part in parts):
            break
        harass(bench, chance)
        parts[turn % len(parts)].join(0.02)
    calm_down(bench)
    for part in parts:
        assert part.join(30), "the storm does not end"
        assert part.failure is None
    until(lambda: not bench.outbox() or bench.sweep().seen < 0, "the sweep settles what is left")
    bench.rest()

    verdict = verdict_on(bench)
    assert verdict.is_clean, str(verdict)
    assert verdict.events == sum(last.values())

"""Two-item transactions a second of the in-memory DynamoDB: wall time and CPU time. `make bench` runs it."""

# ruff: noqa: T201 - a benchmark talks to a person

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from eventstore import TableNames
from eventstore.dynamodb import tables
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb.faults.weather import Weather

ROUNDS = 5
TRANSACTIONS = 5_000
AGGREGATES = 500


@dataclass(frozen=True, slots=True)
class Speed:
    """Transactions a second: the median of some rounds.

    Attributes:
        wall: Of time that passed.
        cpu: Of time that the process worked.
    """

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured.

    Attributes:
        name: In a few words.
        make: Makes an empty database with the tables named by `tables`.
        tables: The two tables that a transaction writes to.
    """

    name: str
    make: Callable[[], InMemoryDynamoDB]
    tables: tuple[str, str]


def plain() -> InMemoryDynamoDB:
    """Return a database with two tables that have neither index nor feed."""
    database = InMemoryDynamoDB()
    for name in ("left", "right"):
        database.client().create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": "aggregateId", "AttributeType": "S"},
                {"AttributeName": "sequenceNumber", "AttributeType": "N"},
            ],
            KeySchema=[
                {"AttributeName": "aggregateId", "KeyType": "HASH"},
                {"AttributeName": "sequenceNumber", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    return database


def store() -> InMemoryDynamoDB:
    """Return a database with the store's tables: three indexes on the events, a feed of the outbox."""
    database = InMemoryDynamoDB()
    tables.init(database.client(), TableNames(), SystemRuntime())
    return database


def store_in_weather() -> InMemoryDynamoDB:
    """Return the same, with faults that delay and reorder and refuse nothing."""
    database = store()
    database.weather = Weather(delay_index=0.3, swap_records=0.5, hold_record=0.2, stale_read=0.2)
    return database


CASES = (
    Case("two plain tables", plain, ("left", "right")),
    Case("the store's tables", store, ("inventory_events", "inventory_outbox")),
    Case("the store's tables, indexes and feed late", store_in_weather, ("inventory_events", "inventory_outbox")),
)


def measure(case: Case, *, transactions: int, rounds: int) -> Speed:
    """Return the speed of a case; each round has a database of its own, and requests that were made before."""
    walls, cpus = [], []
    for _ in range(rounds):
        client = case.make().client()
        requests = [_request(case.tables, number) for number in range(transactions)]
        wall, cpu = time.perf_counter(), time.process_time()
        for request in requests:
            client.transact_write_items(**request)
        walls.append(transactions / (time.perf_counter() - wall))
        cpus.append(transactions / (time.process_time() - cpu))
    return Speed(statistics.median(walls), statistics.median(cpus))


def _request(names: tuple[str, str], number: int) -> dict[str, Any]:
    """Return an append of one event of 200 bytes: its row and its outbox row, each on the condition that it is new."""
    draw = Random(number)
    row = {
        "aggregateId": {"S": f"item-{number % AGGREGATES}"},
        "sequenceNumber": {"N": str(number // AGGREGATES + 1)},
        "commitId": {"S": f"{draw.getrandbits(128):032x}"},
        "eventData": {"S": "x" * 200},
        "eventTypeShard": {"S": f"MOVED#{draw.randrange(4)}"},
        "aggregateTypeShard": {"S": f"ITEM#{draw.randrange(4)}"},
        "dayShard": {"S": f"2025-01-01#{draw.randrange(4)}"},
        "timestamp": {"N": str(1_735_689_600_000 + number)},
    }
    return {
        "ClientRequestToken": f"token-{number}",
        "TransactItems": [
            {"Put": {"TableName": name, "Item": row, "ConditionExpression": "attribute_not_exists(aggregateId)"}}
            for name in names
        ],
    }


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a table for the docs."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.in_memory_dynamodb", description=__doc__)
    parser.add_argument("--transactions", type=int, default=TRANSACTIONS, help=f"of each round ({TRANSACTIONS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of which the median counts ({ROUNDS})")
    options = parser.parse_args(arguments)
    print(f"{options.rounds} rounds of {options.transactions:,} transactions, one thread,")
    print(f"Python {platform.python_version()} on {platform.machine()}\n")
    print("| two-item transactions on | a second of wall time | a second of CPU time |")
    print("| --- | --- | --- |")
    for case in CASES:
        speed = measure(case, transactions=options.transactions, rounds=options.rounds)
        print(f"| {case.name} | {speed.wall:,.0f} | {speed.cpu:,.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

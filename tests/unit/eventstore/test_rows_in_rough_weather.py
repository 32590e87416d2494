"""Rows of the caller's own beside appends, while replies get lost, tokens are forgotten and transactions are hidden."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    Backoff,
    Decision,
    EventStore,
    NewEvent,
    OutcomeUnknownError,
    Repository,
    RowConditionError,
    RowPut,
    StoreOptions,
    TryLaterError,
    WrongExpectedVersionError,
)
from eventstore.testing import InMemoryDynamoDB, ManualRuntime, Weather, in_memory_store

STORM = Weather(
    throttle=0.05,
    server_error_after=0.15,
    lost_request=0.1,
    lost_reply=0.15,
    transaction_conflict=0.1,
    hide_transaction=0.5,
    stale_read=0.2,
)
ADDRESSES = [f"{name}@example.com" for name in "abcd"]
QUICK = Backoff(attempts_max=5, base_seconds=0.01, cap_seconds=0.1)


class Forgetful:
    """A client whose server now and then forgets a token."""

    def __init__(self, inner: Any, random: Random) -> None:
        self._inner, self._random, self._number = inner, random, 0

    def transact_write_items(self, **request: Any) -> Any:
        self._number += 1
        if self._random.random() < 0.3:
            request["ClientRequestToken"] = f"token-{self._number}"
        return self._inner.transact_write_items(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class World:
    """A store in a storm, and what its callers were told."""

    def __init__(self, seed: int) -> None:
        self.random, clock = Random(seed), ManualRuntime()
        self.database = InMemoryDynamoDB(clock=clock, random=Random(seed))
        options = StoreOptions(append_backoff=QUICK, read_backoff=QUICK)
        self.store = in_memory_store(clock=clock, database=self.database, options=options)
        self.store.context.client.create_table(
            TableName="emails",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "email", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "email", "KeyType": "HASH"}],
        )
        client: Any = Forgetful(self.database.client(), self.random)
        self.forgetful = EventStore.open(client, options=options, runtime=clock)
        self.database.weather = STORM

    def end(self) -> dict[str, str]:
        """Return owners by address, once the storm is over."""
        self.database.weather = Weather()
        self.store.clock.sleep(5.0)
        rows = self.database.client().scan(TableName="emails", ConsistentRead=True)["Items"]
        return {row["email"]["S"]: row["owner"]["S"] for row in rows}


@pytest.mark.parametrize("seed", range(25))
def test_an_address_is_there_exactly_if_its_event_is(seed: int) -> None:
    """
    Whatever callers are told: stored is stored with its row, a refused condition has stored nothing.
    """
    world = World(seed)
    told: dict[str, str] = {}
    for number in range(30):
        customer, address = f"c-{number}", world.random.choice(ADDRESSES)
        also = [RowPut("emails", {"email": address, "owner": customer}, "attribute_not_exists(email)")]
        key = "register" if world.random.random() < 0.5 else None
        for _ in range(2 if key else 1):  # a repeat under a key is answered as the first time
            try:
                world.forgetful.append(
                    AggregateRef("Customer", customer),
                    [NewEvent("REGISTERED", {"email": address})],
                    expected_version=0,
                    idempotency_key=key,
                    also=also,
                )
                told[customer] = "stored"
            except RowConditionError:
                assert told.get(customer) != "stored"
                told[customer] = "refused"
            except (TryLaterError, OutcomeUnknownError):
                pass

    owners = world.end()
    stored = {
        customer: events[0].data["email"]
        for number in range(30)
        if (events := world.store.load(customer := f"c-{number}"))
    }
    assert {owner: address for address, owner in owners.items()} == stored
    assert {customer for customer, what in told.items() if what == "stored"} <= stored.keys()
    assert {customer for customer, what in told.items() if what == "refused"} & stored.keys() == set()


@pytest.mark.parametrize("seed", range(25))
def test_decisions_over_several_move_what_is_there(seed: int) -> None:
    """
    Each move is made once, with its row, or not at all, and what is moved is neither lost nor doubled.
    """
    world = World(seed)
    items: Repository[int] = Repository(
        world.forgetful, aggregate_type="Item", initial=10, evolve=lambda total, event: total + event.data["by"]
    )
    names, done = ["x", "y", "z"], set()
    for move in range(15):
        source, target = world.random.sample(names, 2)

        def decide(
            states: Mapping[str, int], _: int, path: tuple[str, str] = (source, target), move: int = move
        ) -> Any:
            events = {name: NewEvent("CHANGED", {"by": by}) for name, by in zip(path, (-1, 1), strict=True)}
            row = RowPut("emails", {"email": f"m-{move}", "owner": "-"}, "attribute_not_exists(email)")
            return Decision(events if states[path[0]] > 0 else None, also=[row] if states[path[0]] > 0 else [])

        for _ in range(3):
            try:
                result = items.transact_many(names, decide, move, idempotency_key=f"m-{move}")
            except (TryLaterError, OutcomeUnknownError, WrongExpectedVersionError):
                pass
            else:
                if result.results:
                    done.add(f"m-{move}")

    moved = set(world.end())
    fresh: Repository[int] = Repository(
        world.store, aggregate_type="Item", initial=10, evolve=lambda total, event: total + event.data["by"]
    )
    assert done <= moved
    assert sum(fresh.load(name).state for name in names) == 30
    assert sum(world.store.current_version(name) for name in names) == 2 * len(moved)

"""A key of `transact` stands for one command: another is refused, the same one is answered, also after a deploy."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import msgspec
import pydantic
import pytest

from eventstore import (
    AggregateRef,
    CorruptRowError,
    EventStore,
    IdempotencyConflictError,
    InvalidInputError,
    Repository,
)
from eventstore.repository.repeated_commands import fingerprint_of
from eventstore.testing import InMemoryDynamoDB

from .conftest import Stock, changed, evolve

Fill = Callable[..., None]


@dataclass(frozen=True)
class Take:
    quantity: int


@dataclass(frozen=True)
class Put:
    quantity: int


def decide(stock: Stock, command: Any) -> list[Any]:
    del stock
    return [changed(-1 if isinstance(command, Take) else 1)]


def items_of(store: EventStore) -> Repository[Stock]:
    return Repository(store, aggregate_type="ITEM", initial=Stock(), evolve=evolve)


@pytest.mark.parametrize("other", [Take(2), Put(1), 1, None, {"quantity": 1}])
def test_another_command_under_a_used_key_is_refused(stocks: EventStore, other: Any) -> None:
    """
    It is not answered with the success of the first one, and nothing is stored.
    """
    first = items_of(stocks).transact("item-1", decide, Take(1), idempotency_key="k")

    with pytest.raises(IdempotencyConflictError, match="another command") as caught:
        items_of(stocks).transact("item-1", decide, other, idempotency_key="k")

    assert first.result is not None
    assert (caught.value.key, caught.value.stored_commit_id) == ("k", first.result.commit_id)
    assert stocks.current_version("item-1") == 1
    assert items_of(stocks).transact("item-1", decide, Take(1), idempotency_key="k").result.already_stored  # type: ignore[union-attr]


def test_another_command_that_was_quicker_is_seen(
    stocks: EventStore, database: InMemoryDynamoDB, counting: Any
) -> None:
    """
    Also when both have decided the same events, between the look at the key and the append.
    """
    quick = items_of(EventStore.open(database.client()))

    def overtake(_: Any) -> None:
        counting.before.clear()
        quick.transact("item-1", decide, Put(1), idempotency_key="k")

    counting.before["transact_write_items"] = overtake
    with pytest.raises(IdempotencyConflictError, match="another command"):
        items_of(stocks).transact("item-1", decide, Put(2), idempotency_key="k")
    assert stocks.current_version("item-1") == 1


def test_the_callers_own_fingerprint_decides(stocks: EventStore) -> None:
    """
    A command that differs from delivery to delivery is the same one where the caller says so.
    """
    items = items_of(stocks)
    items.transact("item-1", decide, Put(1), idempotency_key="k", command_fingerprint="message 7")

    again = items.transact("item-1", decide, Put(2), idempotency_key="k", command_fingerprint="message 7")

    assert again.result is not None
    assert again.result.already_stored
    with pytest.raises(IdempotencyConflictError):
        items.transact("item-1", decide, Put(1), idempotency_key="k", command_fingerprint="message 8")
    with pytest.raises(InvalidInputError, match="without an idempotency_key"):
        items.transact("item-1", decide, Put(1), command_fingerprint="message 8")


def test_a_key_that_an_append_has_used_says_nothing_of_commands(stocks: EventStore) -> None:
    """
    Its events decide: a command that decides the same is a repeat, any other is refused.
    """
    aggregate = AggregateRef("ITEM", "item-1")
    first = stocks.append(aggregate, [changed(-1)], expected_version=0, idempotency_key="k")

    again = items_of(stocks).transact("item-1", decide, Take(1), idempotency_key="k")

    assert again.result is not None
    assert again.result.commit_id == first.commit_id
    with pytest.raises(IdempotencyConflictError):
        items_of(stocks).transact("item-1", decide, Put(1), idempotency_key="k")
    assert stocks.current_version("item-1") == 1


def test_a_key_without_its_events_is_corrupt(stocks: EventStore, database: InMemoryDynamoDB) -> None:
    """
    After a restore the answer "stored" would be a lie, as `append` says already.
    """
    items_of(stocks).transact("item-1", decide, Take(1), idempotency_key="k")
    for table in ("inventory_events", "inventory_outbox"):
        database.client().delete_item(
            TableName=table, Key={"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "1"}}
        )

    with pytest.raises(CorruptRowError, match="a commit that is not stored up to event 1") as caught:
        items_of(stocks).transact("item-1", decide, Take(1), idempotency_key="k")
    assert caught.value.table == "inventory_idempotency"


class Size(Enum):
    SMALL = 1
    LARGE = 2


class Struct(msgspec.Struct):
    quantity: Any


class Model(pydantic.BaseModel):
    quantity: Any


class Plain:
    def __init__(self, quantity: int) -> None:
        self.quantity = quantity


NOW = datetime(2025, 1, 1, tzinfo=UTC)
COMMANDS: list[Any] = [
    *(None, True, 1, 1.0, "1", b"1", Decimal(1), Size.SMALL, Size.LARGE, NOW, NOW.date(), NOW.time()),
    *([], {}, set(), [1], {"a": 1}, {1}, {1: "a"}, {"1": "a"}, [[1], 2], [1, [2]]),
    *(
        Take(1),
        Take(2),
        Put(1),
        Struct(1),
        Struct("1"),
        Model(quantity=1),
        Plain(1),
        Plain(2),
        SimpleNamespace(quantity=1),
    ),
    *(Struct(Take(1)), Struct(Put(1)), Struct([Take(1)]), uuid.UUID(int=1), ["dict", []], ["Take", {"quantity": 1}]),
]


def test_commands_are_told_apart() -> None:
    """
    By their types and by what they hold, at any depth.
    """
    assert len({fingerprint_of(command) for command in COMMANDS}) == len(COMMANDS)


def grown(**fields: Any) -> Any:
    return make_dataclass("Take", [("quantity", int), *((name, Any, default) for name, default in fields.items())])


SAME: dict[str, tuple[Any, Any]] = {
    "made anew": (Take(1), Take(1)),
    "a field with a default was added": (Take(1), grown(reason="")(1)),
    "the default was given": (grown(reason="")(1), grown(reason="")(1, "")),
    "a field that is not compared": (
        grown(at=field(default=0, compare=False))(1, at=1),
        grown(at=field(default=0, compare=False))(1, at=2),
    ),
    "another order of names": ({"a": 1, "b": {2, 3}}, {"b": {3, 2}, "a": 1}),
    "a tuple for a list": ([1, 2], (1, 2)),
    "another kind of class": (type("Take", (Plain,), {})(1), Take(1)),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_command_keeps_its_fingerprint(name: str) -> None:
    """
    In another process, and after a deploy that changes nothing of what it says.
    """
    one, other = SAME[name]

    assert fingerprint_of(one) == fingerprint_of(other)


def test_fingerprints_stay_what_they_are() -> None:
    """
    They lie in tables: another way to make them would refuse every repeat.
    """
    assert fingerprint_of(Take(1)) == sha256(b'[["Take",{"quantity":1}]]').hexdigest()
    assert (
        fingerprint_of({"b": (1.5,), "a": Size.SMALL})
        == sha256(b'[["dict",[["a",["Size","SMALL"]],["b",["list",[["float","1.5"]]]]]]]').hexdigest()
    )


holds_itself: list[Any] = []
holds_itself.append(holds_itself)


@pytest.mark.parametrize("command", [object(), lambda: None, Struct([object()]), holds_itself])
def test_what_has_no_fingerprint_needs_one(stocks: EventStore, command: Any) -> None:
    """
    Nothing was asked or stored; without a key any command will do.
    """
    items = items_of(stocks)

    with pytest.raises(InvalidInputError, match="give one") as caught:
        items.transact("item-1", decide, command, idempotency_key="k")
    assert caught.value.field == "command_fingerprint"
    assert items.transact("item-1", decide, command).version == 1

"""A repeat under a key is answered after a harmless deploy, and other content is refused as before."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pydantic
import pytest

from eventstore import (
    Append,
    CorruptRowError,
    EventSchemaError,
    EventStore,
    EventTypes,
    IdempotencyConflictError,
    InvalidInputError,
    NewEvent,
)
from eventstore.testing import InMemoryDynamoDB
from tests.unit.eventstore.conftest import ITEM

Rows = Callable[[str], list[dict[str, Any]]]


def store_of(database: InMemoryDynamoDB, cls: type | None = None, version: int = 1, **options: Any) -> EventStore:
    events = EventTypes(**options)
    if cls is not None:
        events.add_class(cls, "PLACED", version)
    return EventStore.open(database.client(), events=events)


@dataclass(frozen=True)
class Card:
    number: str


@dataclass(frozen=True)
class Placed:
    sku: str
    card: Card | None = None


@dataclass(frozen=True)
class NotedCard:
    number: str
    holder: str = ""


@dataclass(frozen=True)
class NotedPlaced:
    sku: str
    card: NotedCard | None = None
    note: str = ""
    tags: list[str] = field(default_factory=list)


class StructPlaced(msgspec.Struct, omit_defaults=True):
    sku: str
    card: NotedCard | None = None
    note: str = ""


class ModelCard(pydantic.BaseModel):
    number: str
    holder: str = ""


class ModelPlaced(pydantic.BaseModel):
    sku: str
    card: ModelCard | None = None
    note: str = pydantic.Field(default="", alias="theNote")


BEFORE = Placed("bolt", Card("1"))
AFTER: list[Any] = [
    NotedPlaced("bolt", NotedCard("1")),
    StructPlaced("bolt", NotedCard("1")),
    ModelPlaced(sku="bolt", card=ModelCard(number="1")),
]
OTHERS: list[Any] = [
    NotedPlaced("bolt", NotedCard("2")),
    NotedPlaced("bolt", NotedCard("1", "Ann")),
    NotedPlaced("bolt", NotedCard("1"), note="x"),
    NotedPlaced("nut", NotedCard("1")),
    StructPlaced("bolt", NotedCard("1"), "x"),
    ModelPlaced(sku="bolt", card=ModelCard(number="1"), theNote="x"),
]


@pytest.mark.parametrize("again", AFTER, ids=lambda each: type(each).__name__)
def test_a_field_with_a_default_was_added(database: InMemoryDynamoDB, again: Any) -> None:
    """
    To the class or to one inside of it, which may be of another kind by now: the first answer.
    """
    first = store_of(database, Placed).append(ITEM, [BEFORE], expected_version=0, idempotency_key="k")

    repeat = store_of(database, type(again)).append(ITEM, [again], expected_version=1, idempotency_key="k")

    assert (repeat.commit_id, repeat.already_stored, repeat.version) == (first.commit_id, True, 1)


@pytest.mark.parametrize("again", AFTER, ids=lambda each: type(each).__name__)
def test_a_default_that_is_not_spelt_out_is_the_same(database: InMemoryDynamoDB, again: Any) -> None:
    """
    A repeat that leaves out what the class would add says the same as the first append, which has it spelt out.
    """
    store_of(database, type(again)).append(ITEM, [again], expected_version=0, idempotency_key="k")
    plain = NewEvent("PLACED", {"sku": "bolt", "card": {"number": "1"}})

    assert store_of(database, type(again)).append(ITEM, [plain], expected_version=1, idempotency_key="k").already_stored


@pytest.mark.parametrize("again", OTHERS)
def test_what_says_something_else_is_still_refused(database: InMemoryDynamoDB, again: Any) -> None:
    """
    Another value, or a value in the new field: nothing is stored.
    """
    store = store_of(database, type(again))
    store_of(database, Placed).append(ITEM, [BEFORE], expected_version=0, idempotency_key="k")

    with pytest.raises(IdempotencyConflictError):
        store.append(ITEM, [again], expected_version=1, idempotency_key="k")
    assert store.current_version("item-1") == 1


@pytest.mark.parametrize("data", [{"sku": "bolt", "x": 1}, {"sku": "bolt", "x": 2}, {"sku": 1}, {"sku": True}])
def test_what_the_class_leaves_aside_is_content_too(database: InMemoryDynamoDB, data: dict[str, Any]) -> None:
    """
    Two payloads that the class cannot tell apart are two all the same.
    """

    class Sku(msgspec.Struct):
        sku: Any

    store = store_of(database, Sku)
    store.append(ITEM, [NewEvent("PLACED", {"sku": "bolt"})], expected_version=0, idempotency_key="k")

    with pytest.raises(IdempotencyConflictError):
        store.append(ITEM, [NewEvent("PLACED", data)], expected_version=1, idempotency_key="k")


def raised(database: InMemoryDynamoDB) -> EventStore:
    events = EventTypes()
    events.add_upcaster(lambda data: {"pieces": data["number"]}, "COUNTED", 1, to_type="STOCK_COUNTED")
    return EventStore.open(database.client(), events=events)


def test_the_schema_version_was_raised(database: InMemoryDynamoDB) -> None:
    """
    What upcasters make of the stored event is what the program sends now, under another name as well.
    """
    old = NewEvent("COUNTED", {"number": 3})
    first = EventStore.open(database.client()).append(ITEM, [old, old], expected_version=0, idempotency_key="k")
    now = NewEvent("STOCK_COUNTED", {"pieces": 3}, schema_version=2)

    repeat = raised(database).append(ITEM, [now, now], expected_version=2, idempotency_key="k")
    mixed = raised(database).append(ITEM, [old, now], expected_version=2, idempotency_key="k")

    assert (repeat.commit_id, mixed.commit_id) == (first.commit_id, first.commit_id)
    for others in ([now], [now, now, now], [now, NewEvent("STOCK_COUNTED", {"pieces": 4}, schema_version=2)]):
        with pytest.raises(IdempotencyConflictError):
            raised(database).append(ITEM, others, expected_version=2, idempotency_key="k")


def test_a_program_that_is_too_old_to_compare_says_so(database: InMemoryDynamoDB) -> None:
    """
    It cannot tell whether it repeats what a newer one has stored.
    """
    newer = NewEvent("COUNTED", {"pieces": 3}, schema_version=2)
    EventStore.open(database.client()).append(ITEM, [newer], expected_version=0, idempotency_key="k")
    events = EventTypes()
    events.add_plain("COUNTED", 1)

    with pytest.raises(EventSchemaError, match="update it"):
        EventStore.open(database.client(), events=events).append(
            ITEM, [NewEvent("COUNTED", {"number": 3})], expected_version=1, idempotency_key="k"
        )


def test_every_append_of_many_is_compared(database: InMemoryDynamoDB) -> None:
    """
    Repeats in one transaction are answered together.
    """
    store = store_of(database, Placed)
    store.append_many([Append(ITEM, [BEFORE], 0, "k")])

    (repeat,) = store_of(database, NotedPlaced).append_many([Append(ITEM, [AFTER[0]], 0, "k")])

    assert repeat.already_stored


def test_a_key_without_its_events_is_not_compared(database: InMemoryDynamoDB) -> None:
    """
    A restore has brought back the key alone: a person must look.
    """
    store_of(database, Placed).append(ITEM, [BEFORE], expected_version=0, idempotency_key="k")
    for table in ("inventory_events", "inventory_outbox"):
        database.client().delete_item(
            TableName=table, Key={"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "1"}}
        )

    with pytest.raises(CorruptRowError, match="a commit that is not stored"):
        store_of(database, NotedPlaced).append(ITEM, [AFTER[0]], expected_version=0, idempotency_key="k")


def test_a_fingerprint_is_kept_with_the_key(store: EventStore, rows: Rows) -> None:
    """
    The same events for another command are another append; without a fingerprint the events decide.
    """
    event = NewEvent("PLACED", {"a": 1})
    store.append(ITEM, [event], expected_version=0, idempotency_key="k", command_fingerprint="order 7")

    assert [row["command"] for row in rows("inventory_idempotency")] == [{"S": "order 7"}]
    with pytest.raises(IdempotencyConflictError, match="another command led to: its fingerprint is order 7") as caught:
        store.append(ITEM, [event], expected_version=1, idempotency_key="k", command_fingerprint="order 8")
    assert caught.value.given_commit_id is None
    for fingerprint in ("order 7", None):
        again = store.append(ITEM, [event], expected_version=1, idempotency_key="k", command_fingerprint=fingerprint)
        assert again.already_stored


@pytest.mark.parametrize(("fingerprint", "key"), [("", "k"), ("f", None), (7, "k"), ("\ud800", "k"), ("f" * 1025, "k")])
def test_what_cannot_be_a_fingerprint_is_refused(store: EventStore, fingerprint: Any, key: Any) -> None:
    """
    Text of 1 to 1,024 bytes that belongs to a key.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.append(
            ITEM, [NewEvent("PLACED", {})], expected_version=0, idempotency_key=key, command_fingerprint=fingerprint
        )
    assert caught.value.field == "command_fingerprint"

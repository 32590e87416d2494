"""No event is stored that its own class could not read back, or would read as something else."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pydantic
import pytest

from eventstore import EventStore, EventTypes, InvalidInputError, NewEvent, NotJsonError
from eventstore.testing import InMemoryDynamoDB
from tests.unit.eventstore.conftest import ITEM, FaultyClient

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class Received:
    quantity: int


@dataclass(frozen=True)
class Line:
    sku: str
    note: Any = None


@dataclass(frozen=True)
class Ordered:
    lines: list[Line]
    extras: dict[str, Any] = field(default_factory=dict)


class Moved(msgspec.Struct):
    place: str
    quantity: int = 1


class Renamed(pydantic.BaseModel):
    quantity: int = pydantic.Field(default=0, serialization_alias="qty")


class Needed(pydantic.BaseModel):
    quantity: int = pydantic.Field(serialization_alias="qty")


class Summed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    price: int

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        return self.price * 2


class Paid(pydantic.BaseModel):
    card: pydantic.SecretStr


class Charged(pydantic.BaseModel):
    payment: Paid | None = None


class One(pydantic.BaseModel):
    number: str


class Other(pydantic.BaseModel):
    number: str


class Either(pydantic.BaseModel):
    by: One | Other


class Short(pydantic.BaseModel):
    text: str

    @pydantic.field_serializer("text")
    def cut(self, text: str) -> str:
        return text[:3]


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Doubled:
    quantity: int

    def __post_init__(self) -> None:
        self.quantity *= 2


CLASSES: list[type] = [Received, Ordered, Moved, Renamed, Needed, Summed, Paid, Charged, Either, Short, Doubled]


@pytest.fixture
def proving(client: FaultyClient) -> EventStore:
    events = EventTypes()
    for cls in CLASSES:
        events.add_class(cls, cls.__name__.upper())
    return EventStore.open(client, events=events)  # type: ignore[arg-type]


UNREADABLE: dict[str, tuple[Callable[[], object], str, str]] = {
    "text for a number": (lambda: Received("40"), ".quantity", "Expected `int`, got `str`"),  # type: ignore[arg-type]
    "a float for a number": (lambda: Received(3.0), ".quantity", "got `float`"),  # type: ignore[arg-type]
    "a bool for a number": (lambda: Received(True), ".quantity", "got `bool`"),
    "nothing for a number": (lambda: Received(None), ".quantity", "got `null`"),  # type: ignore[arg-type]
    "inside of a list": (lambda: Ordered([Line("a"), Line(5)]), ".lines[1].sku", "got `int`"),  # type: ignore[arg-type]
    "a Struct's field": (lambda: Moved("a", "many"), ".quantity", "got `str`"),  # type: ignore[arg-type]
    "another name in writing": (lambda: Needed(quantity=3), ".quantity", "Field required"),
    "another name, with a default": (lambda: Renamed(quantity=3), ".quantity", "as another value"),
    "a computed field that is forbidden": (lambda: Summed(price=3), ".total", "not permitted"),
    "a secret, of which stars are written": (lambda: Paid(card="4111"), ".card", "as another value"),  # type: ignore[arg-type]
    "a secret deep inside": (
        lambda: Charged(payment=Paid(card="4111")),  # type: ignore[arg-type]
        ".payment.card",
        "as another value",
    ),
    "one of two models that look alike": (lambda: Either(by=Other(number="1")), ".by", "as another value"),
    "a serializer that cuts": (lambda: Short(text="letters"), ".text", "as another value"),
    "an object where anything may be": (
        lambda: Ordered([Line("a", datetime(2025, 1, 1, tzinfo=UTC))]),
        ".lines[0].note",
        "as another value",
    ),
    "a dataclass in a plain dict": (lambda: Ordered([], {"line": Line("a")}), ".extras.line", "as another value"),
    "a number as a key where anything may be": (
        lambda: Ordered([Line("a", {1: "a"})]),
        ".lines[0].note.1",
        "as another",
    ),
    "a set where anything may be": (lambda: Ordered([Line("a", {1})]), ".lines[0].note", "as another value"),
    "an Enum where anything may be": (lambda: Ordered([Line("a", Colour.RED)]), ".lines[0].note", "as another value"),
    "a class that changes what it reads": (lambda: Doubled(2), ".quantity", "as another value"),
    "a model that checked nothing": (lambda: Needed.model_construct(quantity="x"), ".quantity", "Field required"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_does_not_come_back_is_refused(proving: EventStore, client: FaultyClient, name: str) -> None:
    """
    The error leads to the field, names the class and says what to do; nothing is sent.
    """
    make, place, says = UNREADABLE[name]
    given = make()

    with pytest.raises(InvalidInputError) as caught:
        proving.append(ITEM, [Received(1), NewEvent.of(given)], expected_version=0)

    assert caught.value.field == f"events[1].data{place}"
    assert f"by {type(given).__name__}, the class of '{type(given).__name__.upper()}' version 1" in caught.value.reason
    assert says in caught.value.reason
    assert "give values of the annotated types, or change the class" in caught.value.reason
    assert client.sent == []


def test_a_refusal_keeps_the_secret(proving: EventStore) -> None:
    """
    Values that were refused are not in the message: it goes into logs.
    """
    with pytest.raises(InvalidInputError) as caught:
        proving.append(ITEM, [Paid(card=pydantic.SecretStr("4111-1111"))], expected_version=0)
    assert "4111" not in str(caught.value)


def test_a_plain_dict_of_a_registered_type_is_read_as_well(proving: EventStore, client: FaultyClient) -> None:
    """
    Whoever loads it gets the class, so the class has to take it.
    """
    with pytest.raises(InvalidInputError, match="Expected `int`, got `str`") as caught:
        proving.append(ITEM, [NewEvent("RECEIVED", {"quantity": "40"})], expected_version=0)
    assert caught.value.field == "events[0].data.quantity"
    assert client.sent == []

    proving.append(ITEM, [NewEvent("RECEIVED", {"quantity": 40, "more": 1})], expected_version=0)
    assert proving.load("item-1")[0].payload == Received(40)


def test_old_versions_are_lifted_before_they_are_stored(database: InMemoryDynamoDB) -> None:
    """
    An event that upcasters cannot bring to the latest version would stop every reader.
    """
    events = EventTypes()
    events.add_class(Received, "RECEIVED", 3)
    events.add_upcaster(lambda data: {"quantity": data["number"]}, "RECEIVED", 2)
    store = EventStore.open(database.client(), events=events)

    for event, part, says in (
        (
            NewEvent("RECEIVED", {"number": 1}),
            "schema_version",
            "no upcaster leads from 'RECEIVED' version 1",
        ),
        (NewEvent("RECEIVED", {}, schema_version=2), "data", "raised KeyError: 'number'"),
        (NewEvent("RECEIVED", {"number": "1"}, schema_version=2), "data", "does not fit Received"),
    ):
        with pytest.raises(InvalidInputError, match=says) as caught:
            store.append(ITEM, [event], expected_version=0)
        assert caught.value.field == f"events[0].{part}"
    store.append(ITEM, [NewEvent("RECEIVED", {"number": 1}, schema_version=2)], expected_version=0)
    assert store.load("item-1")[0].payload == Received(1)


@dataclass
class Wide:
    tags: tuple[str, ...] = ()
    price: float = 0.0
    amount: Decimal = Decimal(0)
    ident: uuid.UUID | None = None
    kinds: frozenset[str] = frozenset()
    colour: Colour = Colour.RED
    by_number: dict[int, str] = field(default_factory=dict)
    by_ident: dict[uuid.UUID, int] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    cached: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        self.cached += 1


class Kept(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    text: str = "a"
    hidden: str = pydantic.Field(default="h", exclude=True)
    _looked_at: int = pydantic.PrivateAttr(default=0)

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def size(self) -> int:
        return len(self.text)


def kept() -> Kept:
    made = Kept(text="b", hidden="x", more=[1])  # type: ignore[call-arg]
    made._looked_at = 7
    return made


@pytest.mark.parametrize(
    "given",
    [
        Wide(
            tags=["a", "b"],  # type: ignore[arg-type]
            price=3,
            ident=str(uuid.UUID(int=7)),  # type: ignore[arg-type]
            kinds=["a"],  # type: ignore[arg-type]
            by_ident={str(uuid.UUID(int=7)): 1},  # type: ignore[dict-item]
            lines=[{"sku": "a"}],  # type: ignore[list-item]
        ),
        Wide(
            tags=("a",),
            price=1.5,
            amount=Decimal("1.50"),
            ident=uuid.UUID(int=7),
            kinds=frozenset("ab"),
            by_number={1: "a"},
            lines=[Line("a", [1, {}])],
        ),
    ],
)
def test_values_that_the_annotation_takes_are_stored(database: InMemoryDynamoDB, given: Wide) -> None:
    """
    A list for a tuple, text for a UUID, a whole number for a float: nothing is lost, and the class reads its own type.
    """
    events = EventTypes()
    events.add_class(Wide, "WIDE")
    store = EventStore.open(database.client(), events=events)

    store.append(ITEM, [given], expected_version=0)

    read = store.load("item-1")[0].payload
    assert (read.tags, read.ident) == (tuple(given.tags), uuid.UUID(int=7))


def test_what_a_model_leaves_out_on_purpose_is_no_change(database: InMemoryDynamoDB) -> None:
    """
    Excluded and private fields are not stored, and a computed one may come back as an extra one, as the model says.
    """
    events = EventTypes()
    events.add_class(Kept, "KEPT")
    store = EventStore.open(database.client(), events=events)

    store.append(ITEM, [kept()], expected_version=0)

    read = store.load("item-1")[0].payload
    assert (read.text, read.hidden, read.model_extra) == ("b", "h", {"more": [1], "size": 1})
    with pytest.raises(InvalidInputError, match="as another value") as caught:
        store.append(ITEM, [Kept(more=Line("a"))], expected_version=1)  # type: ignore[call-arg]
    assert caught.value.field == "events[0].data.more"


@dataclass
class Card:
    number: str


@dataclass
class Iban:
    number: str


@dataclass
class Settled:
    by: Card | Iban


@dataclass
class Prepared:
    quantity: int
    factor: InitVar[int] = 1


@dataclass
class Shared:
    part: Fraction


class SharedModel(pydantic.BaseModel):
    part: Fraction


BY_NAME = "an annotation that is not there at run time: name 'Fraction' is not defined"


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (Settled, "Settled, the class of 'A' version 1, could not be read back: Type unions may not contain more than"),
        (Prepared, "Prepared, the class of 'A' version 1, could not be read back: dataclasses with `InitVar`"),
        (Shared, f"Shared, the class of 'A' version 1, has {BY_NAME}.*outside of `if TYPE_CHECKING`"),
        (SharedModel, f"SharedModel, the class of 'A' version 1, has {BY_NAME}.*outside of `if TYPE_CHECKING`"),
    ],
)
def test_a_class_that_cannot_be_read_is_refused_when_the_store_is_opened(
    database: InMemoryDynamoDB, cls: type, says: str
) -> None:
    """
    At the latest: before anything could be stored by it.
    """

    def use() -> EventStore:
        events = EventTypes()
        events.add_class(cls, "A")
        return EventStore.open(database.client(), events=events)

    with pytest.raises(InvalidInputError, match=says.replace("(", r"\(")) as caught:
        use()
    assert caught.value.field == "cls"


def test_a_class_may_name_what_comes_later_in_its_module(database: InMemoryDynamoDB) -> None:
    """
    Only when the store is opened must all annotations be there.
    """
    events = EventTypes()

    @events.register("EARLY")
    @dataclass
    class Early:
        late: Late

    store = EventStore.open(database.client(), events=events)
    store.append(ITEM, [Early(Late(1))], expected_version=0)
    assert store.load("item-1")[0].payload == Early(Late(1))


def test_what_has_no_form_in_json_is_named(database: InMemoryDynamoDB) -> None:
    """
    The path leads to the value, in nested objects too.
    """
    events = EventTypes()
    events.add_class(Ordered, "ORDERED")
    store = EventStore.open(database.client(), events=events)

    for note, says in ((object(), "has no form in JSON"), (10**5000, "4,300 digits"), (float("nan"), "is nan")):
        with pytest.raises(NotJsonError, match=says) as caught:
            store.append(ITEM, [Ordered([Line("a"), Line("b", [0, note])])], expected_version=0)
        assert caught.value.field == "events[0].data.lines[1].note[1]"


def test_fields_are_those_of_the_class_not_of_its_equality(database: InMemoryDynamoDB) -> None:
    """
    A class that counts as equal by an id alone is compared field by field.
    """
    events = EventTypes()
    events.add_class(ById, "BYID")
    with pytest.raises(InvalidInputError, match="as another value"):
        EventStore.open(database.client(), events=events).append(ITEM, [ById("a", Line("x"))], expected_version=0)


@dataclass
class Late:
    number: int


@dataclasses.dataclass(eq=False)
class ById:
    ident: str
    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ById) and other.ident == self.ident

    def __hash__(self) -> int:
        return hash(self.ident)


def test_an_object_that_contains_itself_is_refused(database: InMemoryDynamoDB) -> None:
    """
    In our words, however deep.
    """
    events = EventTypes()
    events.add_class(Ordered, "ORDERED")
    extras: dict[str, Any] = {}
    extras["again"] = extras
    with pytest.raises(NotJsonError, match=r"events\[0\].data.extras.again") as caught:
        EventStore.open(database.client(), events=events).append(ITEM, [Ordered([], extras)], expected_version=0)
    assert "RecursionError" in caught.value.reason


@dataclass
class Unset:
    quantity: int
    later: int = field(init=False)


def test_a_field_that_was_never_set_is_refused(database: InMemoryDynamoDB) -> None:
    """
    It is not stored, and its class would not be complete without it.
    """
    events = EventTypes()
    events.add_class(Unset, "UNSET")
    with pytest.raises(InvalidInputError, match="later"):
        EventStore.open(database.client(), events=events).append(ITEM, [Unset(1)], expected_version=0)

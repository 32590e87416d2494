"""What a value has lost on its way to text and back, by values."""

from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest

from eventstore.repository.round_trip import is_whole, loss, vars_of


@dataclass
class Line:
    sku: str
    quantity: int = 1


@dataclass(frozen=True)
class Fixed:
    inner: list[int]


class Struct(msgspec.Struct):
    inner: Any


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    shown: Any
    _hidden: int = pydantic.PrivateAttr(default=0)


class Plain:
    def __init__(self, number: int) -> None:
        self.number = number

    @cached_property
    def double(self) -> int:
        return 2 * self.number


class Names(dict[str, Any]):
    pass


def named(**attributes: Any) -> Names:
    made = Names(a=1)
    vars(made).update(attributes)
    return made


def hidden(number: int) -> Model:
    made = Model(shown=1)
    made._hidden = number
    return made


BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2025, 1, 1, 12, tzinfo=BERLIN)


@pytest.mark.parametrize(
    "make",
    [
        lambda: [1, "a", 1.5, True, None, b"x"],
        lambda: {"a": [1], "b": {"c": (1, 2)}},
        lambda: {1, 2},
        lambda: frozenset({"a"}),
        lambda: deque([1], maxlen=2),
        lambda: defaultdict(int, a=1),
        lambda: OrderedDict(a=1, b=2),
        lambda: Line("a", 2),
        lambda: Fixed([1]),
        lambda: Struct([1]),
        lambda: Model(shown=[1], more=2),
        lambda: named(b=2),
        lambda: Decimal("1.5"),
        lambda: float("nan"),
        lambda: NOON,
        lambda: time(12, tzinfo=UTC),
    ],
)
def test_what_is_the_same_has_lost_nothing(make: Any) -> None:
    """
    Of every kind that a state is made of.
    """
    assert loss(make(), make(), "state") is None


@pytest.mark.parametrize(
    ("value", "back", "wanted"),
    [
        (1, 2, "state is 1, and comes back as 2"),
        ("a", "b", "state is 'a', and comes back as 'b'"),
        (True, 1, "state is a bool, and comes back as a int"),
        (0.0, -0.0, "state is 0.0, and comes back as -0.0"),
        ((1,), [1], "state is a tuple, and comes back as a list"),
        ([1, 2], [1, 3], "state[1] is 2, and comes back as 3"),
        ([1, 2], [1], "the length of state is 2, and comes back as 1"),
        ({"a": 1}, {"a": 2}, "state['a'] is 1, and comes back as 2"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "state, a key is 'a', and comes back as 'b'"),
        ({1: "x"}, {"1": "x"}, "state, a key is a int, and comes back as a str"),
        ({1, 2}, {1, 3}, "state, an element is a int, and comes back as a object"),
        ({1}, {True}, "state, an element is a int, and comes back as a bool"),
        (
            defaultdict(int),
            defaultdict(list),
            "state.default_factory is <class 'int'>, and comes back as <class 'list'>",
        ),
        (deque([1], 2), deque([1], 3), "state.maxlen is 2, and comes back as 3"),
        (Line("a", 2), Line("a", 3), "state.quantity is 2, and comes back as 3"),
        ([Fixed([1])], [Fixed([2])], "state[0].inner[0] is 1, and comes back as 2"),
        (Struct([1]), Struct([2]), "state.inner[0] is 1, and comes back as 2"),
        (Model(shown=1), Model(shown=2), "state.shown is 1, and comes back as 2"),
        (hidden(1), hidden(2), "state.__pydantic_private__['_hidden'] is 1, and comes back as 2"),
        (Model(shown=1, more=1), Model(shown=1, more=2), "state.__pydantic_extra__['more'] is 1, and comes back as 2"),
        (named(b=1), named(b=2), "state.b is 1, and comes back as 2"),
        (named(b=1), named(), "state.b is a int, and comes back as a object"),
        (named(), named(b=1), "state.b is a object, and comes back as a int"),
        (Decimal("1.5"), Decimal("1.6"), "state is Decimal('1.5'), and comes back as Decimal('1.6')"),
        (time(12), time(13), "state is datetime.time(12, 0), and comes back as datetime.time(13, 0)"),
    ],
)
def test_what_is_different_is_named_by_its_path(value: object, back: object, wanted: str) -> None:
    """
    The first thing that is.
    """
    assert loss(value, back, "state") == wanted


@pytest.mark.parametrize(
    "back",
    [
        NOON.replace(tzinfo=timezone(timedelta(hours=1))),
        NOON.replace(tzinfo=UTC),
        NOON.replace(tzinfo=None),
        NOON.astimezone(UTC),
        NOON.replace(hour=13),
    ],
)
def test_a_moment_keeps_its_zone(back: datetime) -> None:
    """
    A region and a fixed offset are alike only for now.
    """
    assert loss(NOON, back, "state") is not None


def test_two_places_that_shared_an_object_have_lost_it() -> None:
    """
    A change of the one was a change of both; what cannot be changed may be shared.
    """
    shared, fixed = [1], Fixed([1])

    assert loss([shared, shared], [[1], [1]], "state") == (
        "state[1] is an object that stands in another place as well, and comes back as one of its own"
    )
    assert loss({"a": (1,), "b": (1,)}, {"a": (1,), "b": (1,)}, "state") is None
    assert loss([[1], [1]], [[1], [1]], "state") is None
    assert loss([(1, 2), (1, 2)], [(1, 2), (1, 2)], "state") is None
    assert "state[1].inner" in str(loss([fixed, fixed], [Fixed([1]), Fixed([1])], "state"))


def test_what_is_computed_is_no_part_of_an_object() -> None:
    """
    It is made again when it is asked for.
    """
    made = Plain(3)
    assert made.double == 6

    assert vars_of(made) == {"number": 3}
    assert vars_of(deque([1], 2)) == {"maxlen": 2}
    assert vars_of(defaultdict(int)) == {"default_factory": int}
    assert vars_of(7) == {}


def lacking(name: str) -> Any:
    """Return a line without one of its fields, which its class then shows in its place."""
    line = Line("a")
    vars(line).pop(name)
    return line


@dataclass
class Order:
    line: Any
    more: Any = field(default=None)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda line: line,
        lambda line: [1, line],
        lambda line: (line,),
        lambda line: {"a": 1, "b": line},
        Order,
        lambda line: Order(1, [line]),
        Struct,
        lambda line: Struct([Struct(line)]),
    ],
)
def test_an_object_that_lacks_a_field_is_not_whole(wrap: Any) -> None:
    """
    However deep it is.
    """
    assert is_whole(wrap(Line("a")))
    assert not is_whole(wrap(lacking("quantity")))


@pytest.mark.parametrize("value", [1, "x", None, [], {}, set(), {"a": {1, "b"}}, Plain(1), Decimal(1), Fixed([1])])
def test_what_has_no_fields_to_lack_is_whole(value: object) -> None:
    """
    Whatever it is.
    """
    assert is_whole(value)


@dataclass(slots=True)
class Tight:
    inner: Any


class Price(float):
    pass


def test_a_field_that_is_not_there_is_not_one_that_holds_nothing() -> None:
    """
    Somebody would meet an `AttributeError`, or the default of the class.
    """
    empty, bare = Tight(None), Tight(None)
    del bare.inner

    assert loss(empty, bare, "state") is not None
    assert loss(bare, empty, "state") is not None


def test_numbers_of_a_class_of_their_own() -> None:
    """
    They are compared by how they are written.
    """
    assert loss(Price(1.5), Price(1.5), "state") is None
    assert loss(Price(0.0), Price(-0.0), "state") == "state is 0.0, and comes back as -0.0"


def test_objects_without_declared_fields_are_not_looked_into() -> None:
    """
    Those with slots are.
    """
    assert is_whole(Plain(lacking("quantity")))
    assert not is_whole(Tight(lacking("quantity")))
    assert is_whole(Tight(Line("a")))

"""Snapshots never answer otherwise than the events do."""

import runpy
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest

from eventstore import EventStore, InvalidInputError, JsonStateCodec, RecordedEvent, Repository, SnapshotPolicy
from eventstore.repository.fold_name import fold_name
from eventstore.testing import InMemoryDynamoDB

from .conftest import Stock, evolve

Fill = Callable[..., None]
EVERY = SnapshotPolicy.every(1)


class Level(IntEnum):
    LOW = 1


class Pair(NamedTuple):
    a: int
    b: int


@dataclass
class Loose:
    held: Any = None


@dataclass
class Lines:
    lines: dict[str, int] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    at: datetime | None = None


class Masked(pydantic.BaseModel):
    word: pydantic.SecretStr


class Partly(pydantic.BaseModel):
    shown: int
    hidden: int = pydantic.Field(default=0, exclude=True)
    _private: int = pydantic.PrivateAttr(default=0)


class Counts(pydantic.BaseModel):
    by_name: defaultdict[str, int] = pydantic.Field(default_factory=lambda: defaultdict(int))


def private(number: int) -> Partly:
    made = Partly(shown=1)
    made._private = number
    return made


one_list: list[int] = [1]

LOST: dict[str, tuple[Any, str]] = {
    "defaultdict": (defaultdict(int, {"a": 1}), "cannot be read back"),
    "Counter": (Counter("ab"), "cannot be read back"),
    "OrderedDict": (OrderedDict(a=1), "cannot be read back"),
    "a defaultdict inside": (
        {"lines": defaultdict(int)},
        r"state\['lines'\] is a defaultdict, and comes back as a dict",
    ),
    "a Counter in a field": (Loose(Counter("a")), r"state\.held is a Counter, and comes back as a dict"),
    "a tuple": ({"a": (1, 2)}, r"state\['a'\] is a tuple"),
    "a set": ({"a": {1}}, r"state\['a'\] is a set"),
    "a deque": (Loose(deque([1])), "deque"),
    "an enum": ({"a": Level.LOW}, r"state\['a'\] is a Level"),
    "a named tuple": (Loose(Pair(1, 2)), r"state\.held is a Pair"),
    "a key that is a number": (Loose({1: "a"}), r"state\.held, a key is a int"),
    "no number": ({"a": float("nan")}, r"state\['a'\] is a float, and comes back as a NoneType"),
    "a list in two places": ({"a": one_list, "b": one_list}, r"state\['b'\] is an object that stands in another place"),
    "a region": (Lines(at=datetime(2025, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))), r"state\.at is datetime"),
    "stars": (Masked(word=pydantic.SecretStr("open")), r"state\.word is SecretStr"),
    "an excluded field": (Partly(shown=1, hidden=2), r"state\.hidden is 2, and comes back as 0"),
    "a private attribute": (private(7), r"state\.__pydantic_private__\['_private'\] is 7"),
}


@pytest.mark.parametrize("name", LOST)
def test_a_state_that_would_lose_something_is_refused(name: str) -> None:
    """
    Equal is not enough; the error names the place.
    """
    state, says = LOST[name]

    with pytest.raises((InvalidInputError, TypeError), match=says):
        JsonStateCodec(type(state)).encode(state)


@pytest.mark.parametrize(
    "state",
    [
        {"b": 1, "a": [1, 2.0, None, True, "x"]},
        Lines({"b": 2, "a": 1}, {"x", "y", "z"}, datetime(2025, 1, 1, tzinfo=UTC)),
        Counts(by_name=defaultdict(int, {"b": 1, "a": 2})),
        Stock(1, (1, 2)),
        2**70,
        -0.0,
    ],
)
def test_a_state_that_loses_nothing_comes_back(state: Any) -> None:
    """
    With its types, and dicts in their order: an `evolve` that takes the oldest entry takes the same one.
    """
    codec = JsonStateCodec(type(state))

    back = codec.decode(codec.encode(state))

    assert back == state
    assert repr(back) == repr(state) or isinstance(state, Lines)
    if isinstance(state, Lines):
        assert list(back.lines) == ["b", "a"]
    if isinstance(state, Counts):
        assert back.by_name["new"] == 0


def count(state: defaultdict[str, int], event: RecordedEvent) -> defaultdict[str, int]:
    state[f"by {event.data['by']}"] += 1
    return state


def test_a_defaultdict_goes_on_counting(stocks: EventStore, fill: Fill) -> None:
    """
    With snapshots wanted, the next process answers as the first one did, from the events.
    """
    fill(1)
    for version in (1, 2):
        items = Repository(
            stocks, aggregate_type="ITEM", initial=lambda: defaultdict(int), evolve=count, snapshots=EVERY
        )
        assert items.load("item-1").state == {f"by {number}": 1 for number in range(1, version + 1)}
        assert items.stats.snapshots_unencodable == 1
        fill(2)


@dataclass(frozen=True)
class Renamed:
    pieces: int = 0
    history: tuple[int, ...] = ()


@dataclass(frozen=True)
class Grown:
    quantity: int = 0
    history: tuple[int, ...] = ()
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Slotted:
    quantity: int = 0
    history: tuple[int, ...] = ()
    reserved: int = 0


class Struct(msgspec.Struct):
    quantity: int = 0
    history: tuple[int, ...] = ()
    reserved: int = 0


@dataclass(frozen=True)
class Shrunk:
    quantity: int = 0


@dataclass(frozen=True)
class Retyped:
    quantity: float = 0.0
    history: tuple[int, ...] = ()


class Model(pydantic.BaseModel):
    quantity: int = 0


@pytest.mark.parametrize("cls", [Renamed, Grown, Slotted, Struct, Shrunk, Retyped, Model])
def test_a_snapshot_of_another_class_is_ignored(stocks: EventStore, fill: Fill, cls: Any) -> None:
    """
    A field more, less or renamed, or another type: the events answer, though nobody has raised the version.
    """
    fill(5, -2)
    first = Repository(stocks, aggregate_type="ITEM", initial=Stock(), evolve=evolve, fold_name="s", snapshots=EVERY)
    first.load("item-1")

    def step(state: Any, event: RecordedEvent) -> Any:
        name = "pieces" if cls is Renamed else "quantity"
        return cls(**{name: getattr(state, name) + event.data["by"]})

    items: Repository[Any] = Repository(
        stocks, aggregate_type="ITEM", initial=cls, evolve=step, fold_name="s", snapshots=EVERY
    )
    loaded = items.load("item-1")

    assert first.stats.snapshots_written == 1
    assert getattr(loaded.state, "pieces" if cls is Renamed else "quantity") == 3
    assert (loaded.origin, items.stats.snapshots_ignored) == ("events", 1)


def test_a_field_added_deep_inside_is_seen() -> None:
    """
    A text that lacks it is none of today's, in lists, dicts and nested classes as well.
    """
    text = '{"parts":[{"named":{"a":{"quantity":1,"history":[]}}}]}'

    @dataclass
    class Part:
        named: dict[str, Grown]

    class Whole(msgspec.Struct):
        parts: list[Part]

    with pytest.raises(ValueError, match="other fields or values"):
        JsonStateCodec(Whole).decode(text)
    whole = JsonStateCodec(Whole).decode(text.replace("[]", '[],"reserved":0'))
    assert whole.parts[0].named == {"a": Grown(1)}


def scaled(by: int, stock: Stock, event: RecordedEvent) -> Stock:
    return Stock(stock.quantity + by * event.data["by"])


def scaling(by: int) -> Callable[[Stock, RecordedEvent], Stock]:
    def step(stock: Stock, event: RecordedEvent) -> Stock:
        return scaled(by, stock, event)

    return step


def defaulting(by: int) -> Callable[[Stock, RecordedEvent], Stock]:
    def step(stock: Stock, event: RecordedEvent, by: int = by) -> Stock:
        return scaled(by, stock, event)

    return step


def doubling(function: Callable[[Stock, RecordedEvent], Stock]) -> Callable[[Stock, RecordedEvent], Stock]:
    @wraps(function)
    def doubled(stock: Stock, event: RecordedEvent) -> Stock:
        return scaled(2, stock, event)

    return doubled


@dataclass(frozen=True)
class Scale:
    by: int

    def step(self, stock: Stock, event: RecordedEvent) -> Stock:
        return scaled(self.by, stock, event)

    def __call__(self, stock: Stock, event: RecordedEvent) -> Stock:
        return scaled(self.by, stock, event)

    @classmethod
    def of_class(cls, stock: Stock, _event: RecordedEvent) -> Stock:
        return stock

    @staticmethod
    def alone(stock: Stock, _event: RecordedEvent) -> Stock:
        return stock


class Finer(Scale):
    pass


NAMELESS: dict[str, Any] = {
    "lambda": lambda stock, _: stock,
    "partial": partial(scaled, 3),
    "closure": scaling(3),
    "another default": defaulting(3),
    "method of an object": Scale(3).step,
    "object": Scale(3),
    "decorated under the name of another": doubling(evolve),
    "method of a subclass": Finer.of_class,
}


@pytest.mark.parametrize("kind", NAMELESS)
def test_a_step_without_a_name_of_its_own_needs_one(stocks: EventStore, kind: str) -> None:
    """
    Where snapshots are wanted; two of a kind would take each other's.
    """
    step = NAMELESS[kind]

    with pytest.raises(InvalidInputError, match="give a name of your own choice") as caught:
        Repository(stocks, aggregate_type="ITEM", initial=Stock(), evolve=step, snapshots=EVERY)
    assert caught.value.field == "fold_name"
    Repository(stocks, aggregate_type="ITEM", initial=Stock(), evolve=step)
    assert fold_name("ITEM", step, "mine", is_kept=True) == "ITEM/mine"


def test_named_steps_are_told_apart(stocks: EventStore, fill: Fill) -> None:
    """
    Two partials with names of their own have snapshots of their own.
    """
    fill(4)
    for _ in range(2):
        for by, quantity in ((1, 4), (100, 400)):
            items = Repository(
                stocks,
                aggregate_type="ITEM",
                initial=Stock(),
                evolve=partial(scaled, by),
                fold_name=f"times {by}",
                snapshots=EVERY,
            )
            assert items.load("item-1").state.quantity == quantity


def test_names_of_functions() -> None:
    """
    Those of modules, classes and functions without surroundings serve by themselves.
    """

    def local(stock: Stock, _event: RecordedEvent) -> Stock:
        return stock

    names = [fold_name("ITEM", each, None, is_kept=True) for each in (evolve, Scale.alone, Scale.of_class, local)]

    assert [name.rpartition(".")[2] for name in names] == ["evolve", "alone", "of_class", "local"]
    assert names[0] == f"ITEM/{evolve.__module__}.evolve"
    assert len(set(names)) == 4


@pytest.mark.parametrize("name", ["", 7, "n" * 513, "\ud800"])
def test_what_cannot_be_a_name_of_a_fold_is_refused(name: Any) -> None:
    """
    Text of 1 to 512 bytes.
    """
    with pytest.raises(InvalidInputError) as caught:
        fold_name("ITEM", evolve, name, is_kept=False)
    assert caught.value.field == "fold_name"


def test_scripts_are_told_apart_by_their_files(tmp_path: Path) -> None:
    """
    Every script is called `__main__`; two of them with an `evolve` each are two folds.
    """
    text = (
        "from eventstore.repository.fold_name import fold_name\n"
        "def evolve(state, event): return state\n"
        "name = fold_name('ITEM', evolve, None, is_kept=True)\n"
    )
    names = []
    for script in ("one.py", "two.py"):
        (tmp_path / script).write_text(text)
        names.append(runpy.run_path(str(tmp_path / script), run_name="__main__")["name"])

    assert names == [f"ITEM/{tmp_path}/one.py.evolve", f"ITEM/{tmp_path}/two.py.evolve"]


def test_what_was_written_is_read(stocks: EventStore, database: InMemoryDynamoDB, fill: Fill) -> None:
    """
    A set lies in a row in any order, and a snapshot is used all the same.
    """
    fill(1)

    def label(state: Lines, event: RecordedEvent) -> Lines:
        return Lines({"b": 1, "a": event.data["by"]}, {f"tag {number}" for number in range(20)})

    made = [
        Repository(stocks, aggregate_type="ITEM", initial=Lines, evolve=label, snapshots=EVERY).load("item-1")
        for _ in range(2)
    ]
    row = database.client().get_item(TableName="inventory_snapshots", Key={"aggregateId": {"S": "item-1"}})["Item"]
    state = msgspec.json.decode(row["state"]["S"])
    turned = {**state, "tags": state["tags"][::-1]}

    assert [each.origin for each in made] == ["events", "snapshot"]
    assert list(made[1].state.lines) == ["b", "a"]
    assert JsonStateCodec(Lines).decode(msgspec.json.encode(turned).decode()).tags == made[0].state.tags

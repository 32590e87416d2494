"""Plain Python values as DynamoDB's attribute values, and back."""

import enum
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import pytest

from eventstore import InvalidInputError, RowCheck, RowDelete, RowPut, RowUpdate
from eventstore.payload.attribute_value import attribute_value, item_of, plain_row


class Colour(enum.StrEnum):
    RED = "red"


class Twin(str):
    """Text that is equal to no other."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def nested(levels: int, *, lists: bool) -> Any:
    made: Any = 1
    for _ in range(levels):
        made = [made] if lists else {"a": made}
    return made


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        (None, {"NULL": True}),
        (False, {"BOOL": False}),
        ("", {"S": ""}),
        ("käse", {"S": "käse"}),
        (Colour.RED, {"S": "red"}),
        (0, {"N": "0"}),
        (-0.0, {"N": "0"}),
        (Decimal("0.000"), {"N": "0"}),
        (7, {"N": "7"}),
        (12.5, {"N": "12.5"}),
        (Decimal("1.50"), {"N": "1.50"}),
        (b"x", {"B": b"x"}),
        (bytearray(b"x"), {"B": b"x"}),
        (memoryview(b"x"), {"B": b"x"}),
        ([1, "a"], {"L": [{"N": "1"}, {"S": "a"}]}),
        ((), {"L": []}),
        ({"a": {"b": None}}, {"M": {"a": {"M": {"b": {"NULL": True}}}}}),
        (OrderedDict(a=1), {"M": {"a": {"N": "1"}}}),
        ({"b", "a"}, {"SS": ["a", "b"]}),
        (frozenset({2, 1}), {"NS": ["1", "2"]}),
        ({b"b", b"a"}, {"BS": [b"a", b"b"]}),
    ],
)
def test_what_a_value_is_stored_as(value: object, typed: dict[str, Any]) -> None:
    """
    Members of a set come in an order that is the same in each process.
    """
    assert attribute_value(value, "values[':a']") == typed
    assert item_of({"n": value}, "item") == {"n": typed}


@pytest.mark.parametrize(
    "number",
    [
        10**126 - 10**88,
        -(10**125),
        Decimal("1E-130"),
        Decimal("9.9E125"),
        Decimal("1" * 38),
        Decimal("1" * 38 + "000"),
        Decimal("0.000" + "1" * 38),
        1e-130,
    ],
)
def test_numbers_that_dynamodb_keeps(number: Any) -> None:
    """
    38 digits, without the zeros at either end, from 1E-130 to 9.9E125.
    """
    assert Decimal(attribute_value(number, "n")["N"]) == Decimal(repr(number) if isinstance(number, float) else number)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (10**126, "a magnitude of 1E126 or more"),
        (-(10**126), "a magnitude of 1E126 or more"),
        pytest.param(10**5_000, "a magnitude of 1E126 or more", id="more digits than Python writes"),
        (Decimal("1E126"), "beyond 1E-130 to 9.9E125"),
        (Decimal("9E-131"), "beyond 1E-130 to 9.9E125"),
        (1e-200, "beyond 1E-130 to 9.9E125"),
        (Decimal("1" * 39), "has 39 digits, and DynamoDB keeps 38"),
        (float("nan"), "no number to DynamoDB"),
        (Decimal("-Infinity"), "no number to DynamoDB"),
    ],
)
def test_numbers_that_dynamodb_does_not_keep(number: Any, says: str) -> None:
    """
    They are named, and told why.
    """
    with pytest.raises(InvalidInputError, match=says) as caught:
        item_of({"a": {"b": [number]}}, "item")

    assert caught.value.field == "item.a.b[0]"


@pytest.mark.parametrize(
    ("value", "field", "says"),
    [
        (object(), "item.a", "is a object;"),
        ({"": 1}, "item.a", "has a name ''"),
        ({1: 1}, "item.a", "has a name 1"),
        ({"x": {1: 1}}, "item.a.x", "has a name 1"),
        ({"red": 1, Twin("red"): 2}, "item.a", "names of the same text"),
        ("\ud800", "item.a", "half of a surrogate pair"),
        ({"\ud800": 1}, "item.a", "half of a surrogate pair"),
        (set(), "item.a", "an empty set"),
        ({1, "a"}, "item.a", "a mixed set"),
        ({None}, "item.a", "a mixed set"),
        ({(1,)}, "item.a", "a mixed set"),
        ({"\ud800"}, "item.a{}", "half of a surrogate pair"),
    ],
)
def test_values_that_dynamodb_does_not_keep(value: object, field: str, says: str) -> None:
    """
    The path is named.
    """
    with pytest.raises(InvalidInputError, match=says) as caught:
        item_of({"a": value}, "item")

    assert caught.value.field == field


@pytest.mark.parametrize("lists", [True, False])
def test_a_row_is_32_levels_deep(lists: bool) -> None:  # noqa: FBT001 - a case
    """
    It is one of them.
    """
    assert item_of({"a": nested(31, lists=lists)}, "item")
    assert attribute_value(nested(31, lists=lists), "v")
    for refused in (
        lambda: item_of({"a": nested(32, lists=lists)}, "item"),
        lambda: attribute_value(nested(32, lists=lists), "v"),
    ):
        with pytest.raises(InvalidInputError, match="deeper than 31 levels") as caught:
            refused()
        assert caught.value.field[:1] in {"i", "v"}


@pytest.mark.parametrize(("row", "says"), [([], "is a list;"), ({}, "is empty;"), (None, "is a NoneType;")])
def test_what_is_no_row(row: object, says: str) -> None:
    """
    It has its key at least.
    """
    with pytest.raises(InvalidInputError, match=says) as caught:
        item_of(row, "also[1].item")

    assert caught.value.field == "also[1].item"


def test_rows_come_back_as_plain_python() -> None:
    """
    Numbers are int where they are whole.
    """
    row = plain_row(
        {
            "s": {"S": "x"},
            "i": {"N": "7.0"},
            "d": {"N": "1.5"},
            "b": {"B": b"x"},
            "t": {"BOOL": True},
            "n": {"NULL": True},
            "l": {"L": [{"N": "1"}, {"M": {"a": {"S": "b"}}}]},
            "ss": {"SS": ["a", "b"]},
            "ns": {"NS": ["1", "2.5"]},
            "bs": {"BS": [b"a"]},
        }
    )

    assert row == {
        "s": "x",
        "i": 7,
        "d": Decimal("1.5"),
        "b": b"x",
        "t": True,
        "n": None,
        "l": [1, {"a": "b"}],
        "ss": {"a", "b"},
        "ns": {1, Decimal("2.5")},
        "bs": {b"a"},
    }
    assert [type(row[name]) for name in ("i", "d")] == [int, Decimal]


def test_writes_say_by_name_what_is_rarely_said() -> None:
    """
    A condition may stand without its name; nothing else is given when nobody gives it.
    """
    given = [RowPut("t", {"a": 1}), RowUpdate("t", {"a": 1}, "SET b = :b"), RowDelete("t", {"a": 1})]
    given_all: list[Any] = [*given, RowCheck("t", {"a": 1}, "attribute_exists(a)")]

    assert [each.condition for each in given] == [None, None, None]
    assert [(each.values, each.names, each.return_row) for each in given_all] == [({}, {}, False)] * 4
    assert given_all[0].values is not given_all[1].values
    for make in (
        lambda: RowPut("t", {"a": 1}, None, {}),  # type: ignore[misc]
        lambda: RowUpdate("t", {"a": 1}, "SET b = :b", None, {}),  # type: ignore[misc]
        lambda: RowDelete("t", {"a": 1}, None, {}),  # type: ignore[misc]
        lambda: RowCheck("t", {"a": 1}, "x", {}),  # type: ignore[misc]
    ):
        with pytest.raises(TypeError, match="positional"):
            make()

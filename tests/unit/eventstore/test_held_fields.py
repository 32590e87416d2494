"""What an object holds in the fields of its class, and which of them only say what the class says."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
import pydantic
import pytest

from eventstore.append.held_fields import HeldField, held_fields, without_defaults


@dataclass
class Line:
    sku: str
    quantity: int = 1
    notes: list[str] = field(default_factory=list)
    seen: int = field(default=0, compare=False)


class LineStruct(msgspec.Struct, rename="camel"):
    sku: str
    unit_price: int = 1
    notes: list[str] = []


class LineModel(pydantic.BaseModel):
    sku: str
    unit_price: int = pydantic.Field(default=1, alias="unitPrice", serialization_alias="price")
    notes: list[str] = pydantic.Field(default_factory=list)


class Broken(msgspec.Struct):
    size: int = msgspec.field(default_factory=lambda: 1 // 0)


class Fields:
    """Something with a name that pydantic's models have as well."""

    model_fields: ClassVar[dict[str, Any]] = {}


def test_fields_of_a_dataclass() -> None:
    """
    What is equal to the default and of its type is the default; some are not compared.
    """
    assert held_fields(Line("a")) == [
        HeldField(("sku",), "a", is_default=False, is_compared=True),
        HeldField(("quantity",), 1, is_default=True, is_compared=True),
        HeldField(("notes",), [], is_default=True, is_compared=True),
        HeldField(("seen",), 0, is_default=True, is_compared=False),
    ]
    held = held_fields(Line("a", True, ["x"], 2))  # True equals 1, and is another value
    assert held is not None
    assert [each.is_default for each in held] == [False, False, False, False]
    nothing = [held_fields(each) for each in (Line(None), LineStruct(None))]  # type: ignore[arg-type]
    assert [each and each[0].is_default for each in nothing] == [False, False]
    assert HeldField((), None, is_default=True).is_compared is True


def test_a_field_that_an_object_lacks_is_not_its_default() -> None:
    """
    Somebody has deleted it.
    """
    line = Line("a")
    del line.notes
    held = held_fields(line)

    assert held is not None
    assert [each.is_default for each in held] == [False, True, False, True]
    assert held[2].value is not None


def test_fields_of_a_struct() -> None:
    """
    By their names, and by those under which they are encoded.
    """
    assert held_fields(LineStruct("a")) == [
        HeldField(("sku", "sku"), "a", is_default=False),
        HeldField(("unit_price", "unitPrice"), 1, is_default=True),
        HeldField(("notes", "notes"), [], is_default=True),
    ]
    held = held_fields(LineStruct("a", 2, ["x"]))
    assert held is not None
    assert [(each.value, each.is_default) for each in held] == [("a", False), (2, False), (["x"], False)]


def test_fields_of_a_model() -> None:
    """
    By all of its names.
    """
    assert held_fields(LineModel(sku="a")) == [
        HeldField(("sku",), "a", is_default=False),
        HeldField(("unit_price", "unitPrice", "price"), 1, is_default=True),
        HeldField(("notes",), [], is_default=True),
    ]
    held = held_fields(LineModel(sku="a", unitPrice=2, notes=["x"]))
    assert held is not None
    assert [(each.value, each.is_default) for each in held] == [("a", False), (2, False), (["x"], False)]


@pytest.mark.parametrize("value", [Line, LineStruct, LineModel, 1, "x", {"a": 1}, Fields(), None])
def test_what_has_no_declared_fields(value: object) -> None:
    """
    A class is none of its objects.
    """
    assert held_fields(value) is None


def test_a_default_that_cannot_be_made_is_none() -> None:
    """
    A factory of the caller's may fail.
    """
    held = held_fields(Broken(None))  # type: ignore[arg-type]

    assert held is not None
    assert [each.is_default for each in held] == [False]


@pytest.mark.parametrize(
    ("data", "value", "wanted"),
    [
        ({"sku": "a", "quantity": 1, "notes": [], "seen": 3}, Line("a", seen=3), {"sku": "a", "seen": 3}),
        ({"sku": "a", "more": 1}, Line("a"), {"sku": "a", "more": 1}),
        ({"sku": "a", "unitPrice": 1, "notes": ["x"]}, LineStruct("a", notes=["x"]), {"sku": "a", "notes": ["x"]}),
        ({"sku": "a", "price": 1, "notes": []}, LineModel(sku="a"), {"sku": "a"}),
        (
            [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}],
            [Line("a"), Line("b", 2)],
            [{"sku": "a"}, {"sku": "b", "quantity": 2}],
        ),
        ([{"quantity": 1}], (Line("a"),), [{}]),
        ([{"quantity": 1}], [Line("a"), Line("b")], [{"quantity": 1}]),
        ([{"quantity": 1}], 7, [{"quantity": 1}]),
        ({"7": {"quantity": 1}, "8": {"quantity": 1}}, {7: Line("a")}, {"7": {}, "8": {"quantity": 1}}),
        ({"quantity": 1}, 7, {"quantity": 1}),
        ("x", Line("a"), "x"),
    ],
)
def test_json_without_the_fields_that_equal_their_defaults(data: Any, value: Any, wanted: Any) -> None:
    """
    At any depth; what has no class is left as it is, and nothing of what was given is changed.
    """
    before = repr(data)

    assert without_defaults(data, value) == wanted
    assert repr(data) == before


def test_fields_inside_of_fields() -> None:
    """
    Those of an inner object are looked at, too.
    """

    @dataclass
    class Order:
        line: Line
        lines: list[Line]

    data = {"line": {"sku": "a", "quantity": 1}, "lines": [{"sku": "b", "quantity": 1}]}

    assert without_defaults(data, Order(Line("a"), [Line("b")])) == {"line": {"sku": "a"}, "lines": [{"sku": "b"}]}

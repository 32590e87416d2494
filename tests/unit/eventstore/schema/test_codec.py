"""Objects of event classes as plain JSON, and back."""

import enum
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pydantic
import pytest

from eventstore import InvalidInputError
from eventstore.schema.codec import MsgspecCodec, PydanticCodec, codec_for, is_pydantic


class Colour(enum.StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


@dataclass
class Line:
    sku: str
    tags: set[str] = field(default_factory=set)
    at: datetime | None = None
    pair: tuple[int, tuple[int, ...]] = (1, (2,))
    by_number: dict[int, str] = field(default_factory=dict)
    colour: Colour = Colour.RED


class Struct(msgspec.Struct, rename="camel"):
    unit_price: int


class ArrayLike(msgspec.Struct, array_like=True):
    unit_price: int


class Model(pydantic.BaseModel):
    unit_price: int = pydantic.Field(alias="unitPrice")
    at: datetime | None = None


class Rows:
    """As one of pydantic's models, for whoever looks at one name alone."""

    @classmethod
    def model_validate_json(cls, text: str) -> "Rows":
        raise AssertionError(text)


def test_a_dataclass_becomes_dicts_lists_and_text() -> None:
    """
    The same ones in each process: members of a set in order, keys as text.
    """
    line = Line("a", {"c", "b", "a"}, datetime(2025, 1, 1, tzinfo=UTC), by_number={7: "x"})
    codec = codec_for(Line)

    made = codec.to_plain(line)

    assert made == {
        "sku": "a",
        "tags": ["a", "b", "c"],
        "at": "2025-01-01T00:00:00Z",
        "pair": [1, [2]],
        "by_number": {"7": "x"},
        "colour": "red",
    }
    assert codec.from_text(msgspec.json.encode(made).decode()) == line
    assert isinstance(codec, MsgspecCodec)


def test_a_subclass_of_text_is_its_text() -> None:
    """
    What has no form in JSON is refused.
    """

    @dataclass
    class Loose:
        held: Any

    made = codec_for(Loose).to_plain(Loose(Text("x")))
    assert (made, type(made["held"])) == ({"held": "x"}, str)
    with pytest.raises(TypeError, match="a object has no form in JSON"):
        codec_for(Loose).to_plain(Loose(object()))


def test_structs_and_models_by_the_names_they_are_encoded_under() -> None:
    """
    And read back by them.
    """
    struct, model = codec_for(Struct), codec_for(Model)

    assert struct.to_plain(Struct(7)) == {"unitPrice": 7}
    assert struct.from_text('{"unitPrice":7}') == Struct(7)
    given = Model(unitPrice=7, at=datetime(2025, 1, 1, tzinfo=UTC))
    assert model.to_plain(given) == {"unitPrice": 7, "at": "2025-01-01T00:00:00Z"}
    assert model.from_text('{"unitPrice":7,"at":"2025-01-01T00:00:00Z"}') == given
    assert isinstance(model, PydanticCodec)


def test_a_model_that_holds_what_it_should_not_is_encoded_without_a_warning() -> None:
    """
    What is read back is compared, which says more.
    """
    odd = Model.model_construct(unit_price="x")

    assert codec_for(Model).to_plain(odd)["unitPrice"] == "x"


def test_a_class_is_built_when_it_is_asked_for() -> None:
    """
    Annotations may name what comes later in a module, and not what never comes.
    """

    @dataclass
    class Unknown:
        held: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 - on purpose

    class UnknownModel(pydantic.BaseModel):
        held: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 - on purpose

    codec, of_model = codec_for(Unknown), codec_for(UnknownModel)

    with pytest.raises(NameError):
        codec.build()
    with pytest.raises(NameError):
        of_model.build()
    codec_for(Line).build()
    codec_for(Model).build()


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (7, "is 7;"),
        (Line("a"), "give a dataclass"),
        (ArrayLike, "ArrayLike is `array_like`"),
        (OrderedDict, "OrderedDict is neither a dataclass"),
        (Rows, "Rows is neither a dataclass"),
    ],
)
def test_what_is_no_event_class(cls: Any, says: str) -> None:
    """
    It is named as the caller named it.
    """
    with pytest.raises(InvalidInputError, match=says) as caught:
        codec_for(cls)
    assert caught.value.field == "cls"
    with pytest.raises(InvalidInputError) as caught:
        codec_for(cls, "types[1]")
    assert caught.value.field == "types[1]"


def test_models_are_known_without_importing_pydantic() -> None:
    """
    By two names that all of them have.
    """
    assert [is_pydantic(each) for each in (Model, Rows, Line, int)] == [True, False, False, False]

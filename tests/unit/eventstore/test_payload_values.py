"""Payloads by values: what is plain JSON, what text keeps, and two in one."""

import enum
from typing import Any

import pytest

from eventstore import JsonText, NotJsonError, jsontext
from eventstore.payload.json_text import check_names, merged
from eventstore.payload.plain import plain, scalar


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Price(float):
    pass


class Names(dict[str, Any]):
    pass


class Lines(list[Any]):
    pass


class Twin(str):
    """Text that is equal to no other."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


LONG_END = 9_223_372_036_854_775_808


def nested(levels: int, inner: Any = 1, *, lists: bool) -> Any:
    for _ in range(levels):
        inner = [inner] if lists else {"a": inner}
    return inner


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "käse",
        0,
        -7,
        LONG_END - 1,
        LONG_END,
        -LONG_END,
        10**4_299,
        1.5,
        True,
        None,
        [],
        {},
        {"ä": [1, {"b": None}]},
    ],
)
def test_what_is_plain_stays_as_it_is(value: Any) -> None:
    """
    Containers are copied.
    """
    made = plain(value, "data")

    assert made == value
    assert type(made) is type(value)
    assert made is not value or not isinstance(value, dict | list)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Colour.RED, "red"),
        (Level.LOW, 1),
        (Price(1.5), 1.5),
        (Names(a=Colour.RED), {"a": "red"}),
        (Lines([Level.LOW]), [1]),
        ({Colour.RED: 1}, {"red": 1}),
    ],
)
def test_of_subclasses_the_plain_value_is_taken(value: Any, wanted: Any) -> None:
    """
    They might print, or encode, as something else.
    """
    made = plain(value, "data")

    assert made == wanted
    assert type(made) is type(wanted)
    assert [type(each) for each in made] == [type(each) for each in wanted] if isinstance(wanted, list | dict) else True


def test_scalars_are_taken_out_of_their_subclasses_and_others_left() -> None:
    """
    A list is none.
    """
    given = [1]
    assert [type(scalar(each)) for each in (Colour.RED, Level.LOW, Price(1), "x", 1, 1.5, True)] == [
        *(str, int, float),
        *(str, int, float, bool),
    ]
    assert scalar(given) is given
    assert scalar(None) is None


@pytest.mark.parametrize(
    ("value", "field", "says"),
    [
        ({1: 2}, "data", "has a key of type int"),
        ({"a": {1}}, "data.a", "is a set;"),
        ({"a": [0, {"b": (1,)}]}, "data.a[1].b", "is a tuple;"),
        ({"a": float("nan")}, "data.a", "is nan,"),
        ({"a": float("-inf")}, "data.a", "is -inf,"),
        ({"a": "\ud800"}, "data.a", "half of a surrogate pair"),
        ({"\ud800": 1}, "data", "half of a surrogate pair"),
        ({"a": 10**4_300}, "data.a", "more than 4,300 digits"),
        ({"a": -(10**4_300)}, "data.a", "more than 4,300 digits"),
        ({"red": 1, Twin("red"): 2}, "data", "keys of the same text"),
    ],
)
def test_what_is_not_plain_is_named_by_its_path(value: Any, field: str, says: str) -> None:
    """
    And the reason is told.
    """
    with pytest.raises(NotJsonError) as caught:
        plain(value, "data")

    assert caught.value.field == field
    assert says in caught.value.reason


@pytest.mark.parametrize("lists", [True, False])
def test_64_levels_are_enough(lists: bool) -> None:  # noqa: FBT001 - a case
    """
    One more is refused.
    """
    assert plain(nested(64, lists=lists), "data") == nested(64, lists=lists)
    with pytest.raises(NotJsonError, match="is nested deeper than 64 levels"):
        plain(nested(65, lists=lists), "data")


# Text


def test_text_is_kept_digit_by_digit() -> None:
    """
    And looks like the dict that it stands for.
    """
    given = JsonText(' {"b": 12.50, "a": [1] } ')

    assert given.text == ' {"b": 12.50, "a": [1] } '
    assert (dict(given), len(given), list(given), given["b"]) == ({"b": 12.5, "a": [1]}, 2, ["b", "a"], 12.5)
    assert given == {"a": [1], "b": 12.5}
    assert given != JsonText('{"b": 12.5, "a": [1]}')
    assert given == JsonText(given.text)
    assert repr(JsonText("{}")) == "JsonText('{}')"
    with pytest.raises(TypeError, match="unhashable"):
        hash(given)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"{}", "is a bytes;"),
        ("[1]", "is not a JSON object"),
        ("{", "is not a JSON object"),
        ('{"a":1,"a":2}', "has the name 'a' twice"),
        ('{"x":[{"a":1,"b":0,"a":2}]}', "has the name 'a' twice"),
        ("[" * 100_000, "is not a JSON object"),
    ],
)
def test_what_is_no_text_of_an_object(text: Any, says: str) -> None:
    """
    It is told as `text`.
    """
    with pytest.raises(NotJsonError, match=says) as caught:
        JsonText(text)

    assert caught.value.field == "text"


def test_what_is_inside_of_a_text_is_named_by_its_path() -> None:
    """
    As of a dict.
    """
    deep = '{"a":' * 65 + "1" + "}" * 65
    with pytest.raises(NotJsonError, match="deeper than 64") as caught:
        JsonText(deep)
    assert caught.value.field.startswith("text.a.a")


def test_payloads_as_text() -> None:
    """
    Compact; what is text already stays as it is, and what is not plain is named.
    """
    given = JsonText('{"a": 1}')

    assert JsonText.of(given, "data") is given
    assert JsonText.of({"a": [1, "ä"]}, "data").text == '{"a":[1,"ä"]}'
    assert JsonText.of({"a": [1]}, "data")["a"] == [1]
    with pytest.raises(NotJsonError) as caught:
        JsonText.of({"a": {1}}, "data")
    assert caught.value.field == "data.a"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"a":1.50}', '{"a":1.50,"b":"x\\"y"}'),
        ("{}", '{"b":"x\\"y"}'),
        (" { } \n", ' { "b":"x\\"y"}'),
        ('{"b":1}', '{"b":1}'),
    ],
)
def test_a_name_is_added_at_the_end(text: str, wanted: str) -> None:
    """
    One that it has stays as it is; text and dict say the same.
    """
    made = JsonText(text).adding("b", 'x"y')

    assert made.text == wanted
    assert dict(made) == dict(JsonText(wanted))


def test_two_payloads_in_one() -> None:
    """
    The names of the second one win; digits are kept where one is text.
    """
    under, over = {"a": 1, "b": 2}, {"b": 3, "c": 4}
    text_under, text_over = JsonText('{"a":1.50,"b":2}'), JsonText('{"b":3.00,"c":4}')

    plain_made = merged(under, over, "metadata")
    assert plain_made == {"a": 1, "b": 3, "c": 4}
    assert type(plain_made) is dict
    for one, other, text in (
        (text_under, over, '{"a":1.50,"b":3,"c":4}'),
        (under, text_over, '{"a":1,"b":3.00,"c":4}'),
        (text_under, text_over, '{"a":1.50,"b":3.00,"c":4}'),
    ):
        made = merged(one, other, "metadata")
        assert isinstance(made, JsonText)
        assert made.text == text
    assert merged(under, {}, "metadata") is under
    assert merged({}, text_over, "metadata") is text_over


@pytest.mark.parametrize(("under", "over"), [({"a": {1}}, JsonText('{"b":1}')), (JsonText('{"b":1}'), {"a": {1}})])
def test_what_cannot_become_text_is_named(under: Any, over: Any) -> None:
    """
    By the path that was given.
    """
    with pytest.raises(NotJsonError) as caught:
        merged(under, over, "metadata")

    assert caught.value.field == "metadata.a"


def test_names_are_looked_at_and_numbers_are_not() -> None:
    """
    However many digits they have.
    """
    check_names('{"a":{"b":1},"b":[{"a":1},{"a":2}],"n":' + "9" * 5_000 + "}", "data")
    check_names(b'{"a":1.5}', "data")

    with pytest.raises(NotJsonError, match="has the name 'b' twice") as caught:
        check_names('{"a":{"b":1,"b":1}}', "events[1].data")
    assert caught.value.field == "events[1].data"


def test_text_and_back() -> None:
    """
    Compact, digits kept where they are compared, and what is no JSON is a `ValueError`.
    """
    assert jsontext.encode({"a": [1, 10**20, 1.5]}, "data") == '{"a":[1,100000000000000000000,1.5]}'
    assert jsontext.decode('{"a":[1,1.50,100000000000000000000]}') == {"a": [1, 1.5, 10**20]}
    assert [jsontext.decode_digits(text) for text in ("[1]", '"x"')] == [[1], "x"]
    assert bytes(jsontext.decode_digits("1.50")) == b"1.50"
    for read in (jsontext.decode, jsontext.decode_digits):
        for text, says in (("{", "truncated"), ("[" * 100_000, "recursion")):
            with pytest.raises(ValueError, match=says):
                read(text)
    with pytest.raises(NotJsonError) as caught:
        jsontext.encode({"a": {1}}, "data")
    assert caught.value.field == "data.a"

"""A payload given as JSON text is stored digit by digit, and refused where readers would disagree about it."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from eventstore import (
    EventStore,
    EventTypes,
    IdempotencyConflictError,
    InvalidInputError,
    JsonText,
    NewEvent,
    NotJsonError,
)
from eventstore.append import commit
from eventstore.append.commit import Layout, Stamp
from eventstore.dynamodb.table_names import TableNames
from eventstore.model import Append
from eventstore.testing import InMemoryDynamoDB, recorded

from .conftest import ITEM, FaultyClient

Rows = Callable[[str], list[dict[str, Any]]]

TEXTS = [
    '{"amount":12.50}',
    '{"a":12345678901234567890.123,"b":1e-400,"c":-0,"d":1E2,"e":0.10}',
    '{ "b" : 1.0,\t"a":[ 1.50 ] }',
    '{\n  "text": "\\u00d6l \\/ Öl"\n}',
    '{"n":' + "1" * 4300 + "}",
    "{}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_stored_as_it_came(store: EventStore, rows: Rows, text: str) -> None:
    """
    Digits, order, space and escapes are the writer's, in payload and metadata, in the row and in the outbox.
    """
    store.append(ITEM, [NewEvent("PRICED", JsonText(text), JsonText(text))], expected_version=0)

    (event,) = store.load("item-1")
    assert (event.data_json, event.metadata_json) == (text, text)
    assert rows("inventory_events")[0]["eventData"] == {"S": text}
    embedded = rows("inventory_outbox")[0].get("events")
    assert embedded is None or f'"eventData":{text},"metadata":{text}' in embedded["S"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a":1,"a":2}', "has the name 'a' twice in one object; give each name once"),
        ('{"x":[{"a":1,"\\u0061":2}]}', "has the name 'a' twice"),
        ("{oops", "is not a JSON object: JSON is malformed"),
        ("[1]", "is not a JSON object: Expected `object`, got `array`"),
        ('"a"', "is not a JSON object"),
        ("", "is not a JSON object"),
        ('{"a":NaN}', "is not a JSON object"),
        ('{"a":1e400}', "is not a JSON object: Number out of range"),
        ('{"a":' + "1" * 4301 + "}", "is not a JSON object: Integer value out of range"),
        ('{"a":"\\ud800"}', "is not a JSON object"),
        ('{"a":"\ud800"}', "is not a JSON object"),
        ('{"a":1} {"b":2}', "is not a JSON object"),
        ('{"a":' * 65 + "1" + "}" * 65, "is nested deeper than 64 levels"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "is not a JSON object"),
        (b'{"a":1}', "is a bytes; give the JSON object as text"),
    ],
)
def test_text_that_not_all_read_alike_is_refused(text: Any, says: str) -> None:
    """
    At once, where it is made into a payload.
    """
    with pytest.raises(NotJsonError, match="text") as caught:
        JsonText(text)
    assert says in caught.value.reason


def test_text_looks_like_its_dict() -> None:
    """
    Deciders and their tests need not know how a payload was given.
    """
    text = JsonText('{"a":1.50,"b":[1]}')

    assert (text["a"], list(text), len(text), "b" in text) == (1.5, ["a", "b"], 2, True)
    assert text == {"a": 1.5, "b": [1]}
    assert text == {"a": 1.5, "b": [1]}
    assert text != JsonText('{"a":1.5,"b":[1]}')
    assert text == JsonText('{"a":1.50,"b":[1]}')
    assert repr(text) == """JsonText('{"a":1.50,"b":[1]}')"""
    assert pickle.loads(pickle.dumps(text)).text == copy.deepcopy(text).text == '{"a":1.50,"b":[1]}'  # noqa: S301


@dataclass
class Priced:
    amount: Decimal


def test_registered_classes_read_the_digits(database: InMemoryDynamoDB, client: FaultyClient) -> None:
    """
    Text is checked by class and JSON Schema as a dict is.
    """
    events = EventTypes()
    events.add_class(Priced, "PRICED")
    events.add_schema("PRICED", 1, {"properties": {"amount": {"type": "number", "minimum": 1}}})
    store = EventStore.open(client, events=events)  # type: ignore[arg-type]

    store.append(ITEM, [NewEvent("PRICED", JsonText('{"amount":12345678901234567890.10}'))], expected_version=0)

    assert str(store.load("item-1")[0].payload.amount) == "12345678901234567890.10"
    for text, says in (
        ('{"amount":true}', "is not of type 'number'"),
        ('{"amount":0.5}', "less than"),
        ("{}", "missing"),
    ):
        with pytest.raises(InvalidInputError, match=says):
            store.append(ITEM, [NewEvent("PRICED", JsonText(text))], expected_version=1)
    assert len(client.sent) == 1


def test_a_key_tells_digits_apart(store: EventStore) -> None:
    """
    A repeat has the same digits; other digits are other content, also where a float would be the same.
    """

    def append(text: str, version: int) -> bool:
        event = NewEvent("PRICED", JsonText(text))
        return store.append(ITEM, [event], expected_version=version, idempotency_key="k").already_stored

    assert append('{"a":12345678901234567890.123,"b":1}', 0) is False
    assert append('{"b":1, "a":12345678901234567890.123}', 1) is True
    with pytest.raises(IdempotencyConflictError):
        append('{"a":12345678901234567890.124,"b":1}', 1)


def test_the_trace_is_added_to_text(store: EventStore) -> None:
    """
    Metadata given as text keeps its digits, and gets the trace that the writer is in, unless it has one.
    """
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    layout, stamp = Layout(TableNames(), 1, 0), Stamp("c", ("e",), 0, 1, trace)

    def stored(metadata: str) -> str:
        append = Append(ITEM, [NewEvent("A", {}, JsonText(metadata))], 0)
        return commit.prepare(append, 0, stamp, layout).events[0].metadata_json

    assert stored('{"ratio": 0.10 } ') == f'{{"ratio": 0.10 ,"traceparent":"{trace}"}}'
    assert stored("{ }") == f'{{ "traceparent":"{trace}"}}'
    assert stored('{"traceparent":"mine"}') == '{"traceparent":"mine"}'


def test_what_is_given_cannot_change_on_its_way() -> None:
    """
    A dict that its owner changes after the check is stored as it was checked.
    """
    data: dict[str, Any] = {"a": [1]}
    text = JsonText.of(data, "data")
    data["a"].append(object())
    assert (text.text, text) == ('{"a":[1]}', {"a": [1]})


def test_recorded_events_take_text() -> None:
    """
    Examples for deciders may be written with text.
    """
    assert recorded(NewEvent("PRICED", JsonText('{"amount":12.50}'))).data_json == '{"amount":12.50}'


def test_any_mapping_is_a_payload(store: EventStore) -> None:
    """
    Payload and metadata are taken as the mappings that they are declared as.
    """
    store.append(ITEM, [NewEvent("A", MappingProxyType({"a": 1}), MappingProxyType({"b": 2}))], expected_version=0)
    assert store.load("item-1")[0].data_json == '{"a":1}'

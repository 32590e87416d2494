"""Lines of the commands: payloads keep their text, and names that are there twice are refused."""

import io
from typing import Any

import msgspec
import pytest

from eventstore import AggregateRef, EventStore, InvalidInputError, JsonText, NewEvent
from eventstore.cli.append import parse_lines
from eventstore.cli.input import import_lines
from eventstore.cli.input.import_lines import Planned
from eventstore.cli.output.event_view import as_dict
from eventstore.cli.output.payload_diff import PayloadDiffs

DIGITS = '{ "a":1.50,"b": 12345678901234567890.123 ,"c":1e-400,"d":-0.0,"e":"\\u00d6\\/","f":123456789012345678901 }'


def planned(text: str) -> list[Any]:
    return list(import_lines.plan(io.BytesIO(text.encode()), ""))


def line(data: str, **more: str) -> str:
    rest = "".join(f', "{name}": {value}' for name, value in more.items())
    return f'{{"aggregate_type": "ITEM", "aggregate_id": "a", "event": {{"type": "A", "data": {data}{rest}}}}}\n'


def test_append_keeps_the_text(store: EventStore) -> None:
    """
    Digits, space and escapes of payload and metadata are stored byte for byte.
    """
    source = f'{{"type": "A", "metadata":{DIGITS}, "data": {DIGITS}}}\r\n'
    store.append(AggregateRef("ITEM", "a"), parse_lines(io.BytesIO(source.encode())), expected_version=0)

    (event,) = store.load("a")
    assert (event.data_json, event.metadata_json) == (DIGITS, DIGITS)


def test_import_keeps_the_text(store: EventStore) -> None:
    """
    In `event` and in `events` alike.
    """
    both = '{"aggregate_type": "ITEM", "aggregate_id": "b", "events": [{"type": "A", "data": %s}]}\n'
    for each in planned(line(DIGITS, metadata=DIGITS) + both % DIGITS):
        store.append(each.append.aggregate, each.append.events, expected_version=0)

    assert [store.load("a")[0].data_json, store.load("a")[0].metadata_json, store.load("b")[0].data_json] == [
        DIGITS
    ] * 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"type": "A", "data": {"a":1,"a":2}}', "line 1: has the name 'a' twice in one object; give each name once"),
        ('{"type": "A", "data": {"x":[{"b":1,"b":1}]}}', "line 1: has the name 'b' twice"),
        ('{"type": "A", "data": {}, "metadata": {"m":1,"\\u006d":2}}', "line 1: has the name 'm' twice"),
        ('{"type": "A", "type": "B", "data": {}}', "line 1: has the name 'type' twice"),
        ('{"type": "A", "data": {"a":1}, "data": {}}', "line 1: has the name 'data' twice"),
        ('{"type": "A", "data": {"a":1e400}}', "line 1: is not an event: its data is not a JSON object: Number out"),
        ('{"type": "A", "data": {"a":"\\ud800"}}', "line 1: is not "),
        ('{"type": "A", "data": {}, "metadata": 7}', "line 1: is not an event: its metadata is not a JSON object"),
        ('{"type": "A", "data": null}', "line 1: is not an event: its data is not a JSON object"),
    ],
)
def test_what_not_all_would_read_alike_is_refused(text: str, says: str) -> None:
    """
    By `append` and by `import`, with the line, before anything is sent.
    """
    with pytest.raises(InvalidInputError) as caught:
        parse_lines(io.BytesIO(text.encode()))
    (fault,) = planned(f'{{"aggregate_type": "ITEM", "aggregate_id": "a", "event": {text}}}')

    assert str(caught.value).startswith(says)
    assert isinstance(fault, InvalidInputError)
    assert str(fault).startswith(says)


def test_the_key_of_a_line_heeds_digits_and_no_space() -> None:
    """
    Lines whose numbers have other digits are other lines; order and space inside of a payload are no content.
    """
    found = planned(
        line('{"a":12345678901234567890.123,"b":1}')
        + line('{"a":12345678901234567890.124,"b":1}')
        + line('{ "b" : 1, "a" : 12345678901234567890.123 }')
    )
    first, other, again = (each.append.idempotency_key for each in found if isinstance(each, Planned))
    assert (first.rpartition(":")[0], first[-2:], again[-2:]) == (again.rpartition(":")[0], ":1", ":2")
    assert other.rpartition(":")[0] != first.rpartition(":")[0]


def test_what_is_shown_has_the_digits_on_one_line(store: EventStore) -> None:
    """
    A payload with line ends stays one JSON line; differences are those of digits too.
    """
    for number, text in enumerate(('{\n"a":12345678901234567890.123}', '{"a":12345678901234567890.124}', '{"a":1.50}')):
        store.append(AggregateRef("ITEM", "a"), [NewEvent("A", JsonText(text))], expected_version=number)
    events = store.load("a")
    diffs = PayloadDiffs()

    assert msgspec.json.encode(as_dict(events[0])["data"]) == b'{ "a":12345678901234567890.123}'
    assert [msgspec.json.encode(diffs.take(event).changed) for event in events] == [
        b"{}",
        b'{"a":[12345678901234567890.123,12345678901234567890.124]}',
        b'{"a":[12345678901234567890.124,1.50]}',
    ]

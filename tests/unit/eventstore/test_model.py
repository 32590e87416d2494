"""The library's values: plain once they are made, and what they leave behind when they travel."""

import copy
import enum
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from eventstore import (
    EXISTS,
    AggregateRef,
    Append,
    AppendResult,
    EventSchemaError,
    InvalidInputError,
    NewEvent,
    RecordedEvent,
    TypedEvent,
)
from eventstore.model import StoredForm

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
EVENT = RecordedEvent("item-1", "ITEM", 3, "COUNTED", '{"n":1}', '{"user":"ann"}', 2, 7, "event-3", "commit-1", 3, 4, 5)
RESULT = AppendResult(AggregateRef("ITEM", "item-1"), "commit-1", 3, 4, already_stored=False, attempts=1)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 2


def test_names_and_numbers_become_plain() -> None:
    """
    Members of an Enum are what they stand for; what is neither text nor number is left for the checks.
    """
    ref = AggregateRef(Colour.RED, Colour.RED)
    event = NewEvent(Colour.RED, {}, schema_version=Level.LOW, timestamp_ms=Level.LOW)
    append = Append(ref, [event], Level.LOW, Colour.RED, Colour.RED)

    assert [type(each) for each in (ref.type, ref.id, event.type)] == [str, str, str]
    assert [type(each) for each in (event.schema_version, event.timestamp_ms, append.expected_version)] == [int] * 3
    assert [type(each) for each in (append.idempotency_key, append.command_fingerprint)] == [str, str]
    assert (ref, event.schema_version, append.expected_version) == (AggregateRef("red", "red"), 2, 2)
    odd = AggregateRef(["x"], None)  # type: ignore[arg-type]
    assert (odd.type, odd.id) == (["x"], None)


def test_what_nobody_says_of_an_event_and_of_an_append() -> None:
    """
    Version 1, no metadata of its own, the time of the append; no key.
    """
    event = NewEvent("A", {"n": 1})
    assert (event.metadata, event.schema_version, event.timestamp_ms) == ({}, 1, None)
    assert event.metadata is not NewEvent("A", {}).metadata
    typed = NewEvent.of(7)
    assert typed == TypedEvent(7, {}, None)
    assert (TypedEvent(7).metadata, TypedEvent(7).timestamp_ms) == ({}, None)
    assert NewEvent.of(7, metadata={"user": "ann"}, timestamp_ms=5) == TypedEvent(7, {"user": "ann"}, 5)
    append = Append(AggregateRef("ITEM", "a"), [], EXISTS)
    assert (append.idempotency_key, append.command_fingerprint, append.also) == (None, None, ())


@pytest.mark.parametrize("make", [lambda at: NewEvent("A", {}, timestamp_ms=at), lambda at: TypedEvent(7, {}, at)])
def test_a_time_becomes_milliseconds(make: Any) -> None:
    """
    One without a zone is left for the append, which names it.
    """
    naive = NEW_YEAR.replace(tzinfo=None)

    assert make(NEW_YEAR).timestamp_ms == 1_735_689_600_000
    assert make(7).timestamp_ms == 7
    assert make(naive).timestamp_ms is naive


def test_payload_and_metadata_are_decoded_at_the_first_look() -> None:
    """
    And kept; the stored form is what lies in the table.
    """
    assert (EVENT.data, EVENT.metadata, EVENT.payload) == ({"n": 1}, {"user": "ann"}, {"n": 1})
    assert EVENT.data is EVENT.data
    assert EVENT.stored == StoredForm("COUNTED", 2, '{"n":1}')
    lifted = replace(EVENT, upcast_from=StoredForm("OLD", 1, "{}"))
    assert lifted.stored == StoredForm("OLD", 1, "{}")


def test_a_reader_makes_the_payload_once() -> None:
    """
    It is no part of what is compared.
    """
    made = []

    def read(event: RecordedEvent) -> list[Any]:
        made.append(event.sequence_number)
        return [event.data]

    event = replace(EVENT, payload_reader=read)

    assert event.payload == [{"n": 1}]
    assert event.payload is event.payload
    assert made == [3]
    assert event == EVENT
    assert replace(event, sequence_number=4).payload == [{"n": 1}]
    assert made == [3, 4]


def test_a_typed_payload_travels_and_its_reader_does_not() -> None:
    """
    It is made before it leaves.
    """
    event = replace(EVENT, payload_reader=lambda event: (event.type, event.data))

    arrived = pickle.loads(pickle.dumps(event))  # noqa: S301 - of our own making

    assert arrived == event
    assert arrived.payload == ("COUNTED", {"n": 1})
    assert pickle.loads(pickle.dumps(EVENT)).payload == {"n": 1}  # noqa: S301 - as above


def test_why_a_payload_cannot_be_read_travels_as_well() -> None:
    """
    It is raised where somebody looks.
    """

    def fail(_: RecordedEvent) -> Any:
        raise EventSchemaError("t", key="k", field="f", reason="r", event_type="COUNTED", schema_version=2)

    arrived = pickle.loads(pickle.dumps(replace(EVENT, payload_reader=fail)))  # noqa: S301 - of our own making

    with pytest.raises(EventSchemaError) as caught:
        _ = arrived.payload
    assert (caught.value.event_type, caught.value.schema_version) == ("COUNTED", 2)


def test_a_result_knows_the_way_back_to_its_store() -> None:
    """
    Also as a copy; not in another process.
    """
    waits: list[Any] = []
    result = replace(RESULT, waiter=lambda *asked: waits.append(asked))

    result.wait_settled(5.0)
    result.wait_settled(6.0, "bus")
    assert waits == [(result, 5.0, None), (result, 6.0, "bus")]
    assert copy.copy(result) is result
    assert copy.deepcopy(result) is result
    assert result == RESULT
    replace(result, version=9).wait_settled(7.0)
    assert len(waits) == 3

    for lost in (RESULT, pickle.loads(pickle.dumps(result))):  # noqa: S301 - of our own making
        assert lost == result
        with pytest.raises(InvalidInputError) as caught:
            lost.wait_settled(5.0)
        assert caught.value.field == "result"

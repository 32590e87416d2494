"""Our messages against the CloudEvents project's own library: it reads what we write, and writes what we write."""

import json
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.amqp import AMQPMessage, from_amqp_event, to_binary_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from eventstore.model import RecordedEvent
from relay.destinations.bus import message
from relay.destinations.file import line as file_line
from relay.testing.commits import commit

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BARE = {"traceparent", "tracestate"}
"""Headers that are for tracing libraries and no attributes of the event."""


def event(**more) -> RecordedEvent:
    (found,) = commit("order-17", 3, timestamp_ms=1_738_367_999_007, epoch=1, **more).events or ()
    return found


EVENTS = [
    event(data_json='{"price":12.50,"name":"é"}'),
    event(metadata_json=json.dumps({"correlation_id": "c-1"})),
    event(metadata_json=json.dumps({"traceparent": TRACEPARENT, "tracestate": "vendor=1,other=2"})),
    event(metadata_json=json.dumps({"traceparent": TRACEPARENT, "correlation_id": "c-1", "user": "u"})),
]
IDS = ["plain", "correlated", "traced", "all"]


def as_amqp(sent: message.Message) -> AMQPMessage:
    return AMQPMessage(
        properties={"content-type": sent.content_type},
        application_properties=dict(sent.headers),
        application_data=sent.body,
    )


@pytest.mark.parametrize("stored", EVENTS, ids=IDS)
def test_the_library_reads_our_message(stored):
    """It validates, and each attribute is the event's."""
    read = from_amqp_event(as_amqp(message.encode(stored, "/inventory")))

    assert (read.get_id(), read.get_source(), read.get_specversion()) == (stored.event_id, "/inventory", "1.0")
    assert (read.get_type(), read.get_subject()) == ("Order.Placed", "order-17")
    assert read.get_time() == datetime(2025, 1, 31, 23, 59, 59, 7000, UTC)
    assert read.get_datacontenttype() == "application/json"
    assert read.get_data() == json.loads(stored.data_json)
    assert read.get_extension("aggregatetype") == "Order"
    assert read.get_extension("aggregateid") == "order-17"
    assert read.get_extension("sequencenumber") == 3
    assert read.get_extension("epoch") == 1
    assert read.get_extension("schemaversion") == 1
    assert read.get_extension("commitid") == stored.commit_id
    metadata = json.loads(stored.metadata_json)
    assert read.get_extension("correlationid") == metadata.get("correlation_id")
    assert read.get_extension("traceparent") == metadata.get("traceparent")
    assert read.get_extension("tracestate") == metadata.get("tracestate")


@pytest.mark.parametrize("stored", EVENTS, ids=IDS)
def test_the_library_writes_our_message(stored):
    """What it makes of the event it read is our message again: the same headers, content type and bytes.

    The time is the one attribute with two forms: the library writes AMQP 1.0's timestamp in milliseconds, ours is the
    text that every binding allows, since a timestamp of AMQP 0-9-1 counts whole seconds.
    """
    ours = message.encode(stored, "/inventory")
    read = from_amqp_event(as_amqp(ours))

    theirs = to_binary_event(CloudEvent(read.get_attributes(), ours.body))

    assert theirs.application_properties.pop("cloudEvents_time") == stored.timestamp_ms
    expected = {name: value for name, value in ours.headers.items() if name not in BARE}
    assert expected.pop("cloudEvents_time") == "2025-01-31T23:59:59.007Z"
    assert theirs.application_properties == expected
    assert theirs.properties == {"content-type": ours.content_type}
    assert theirs.application_data == ours.body


@pytest.mark.parametrize("stored", EVENTS, ids=IDS)
def test_the_library_reads_and_writes_our_line(stored):
    """A line of the file destination is the same event in structured mode, there and back."""
    line = file_line.encode(stored, "/inventory")

    read = JSONFormat().read(CloudEvent, line)
    written = json.loads(JSONFormat().write(read))

    assert read.get_attributes() == from_amqp_event(as_amqp(message.encode(stored, "/inventory"))).get_attributes()
    assert read.get_data() == json.loads(stored.data_json)
    assert written.pop("time") == "2025-01-31T23:59:59.007000Z"
    ours = json.loads(line)
    assert ours.pop("time") == "2025-01-31T23:59:59.007Z"
    assert written == ours


def test_attribute_names_are_lower_case_letters_and_digits():
    """CloudEvents allows nothing else, and asks for at most 20 characters."""
    headers = message.encode(EVENTS[3], "/inventory").headers
    names = [name.removeprefix("cloudEvents_") for name in headers if name not in BARE]
    assert [name for name in names if not (name.isalnum() and name.islower() and len(name) <= 20)] == []

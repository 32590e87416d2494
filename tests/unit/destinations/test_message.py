"""An event as a message."""

import json
from dataclasses import replace

import pytest

from eventstore.model import RecordedEvent
from relay.destinations import cloud_event
from relay.destinations.bus import message, wire
from relay.destinations.bus.broker import HEADER_FRAME_MAX_BYTES

EVENT = RecordedEvent(
    aggregate_id="order-17",
    aggregate_type="Order",
    sequence_number=3,
    type="Placed",
    data_json='{"price":12.50,"name":"é"}',
    metadata_json="{}",
    schema_version=2,
    timestamp_ms=1_738_367_999_007,
    event_id="01949a8e-5b5f-7000-8000-000000000003",
    commit_id="01949a8e-5b5f-7000-8000-00000000000c",
    commit_first=3,
    commit_last=4,
    epoch=1,
)


def with_metadata(text: str) -> message.Message:
    fields = {name: getattr(EVENT, name) for name in EVENT.__dataclass_fields__}
    return message.encode(RecordedEvent(**{**fields, "metadata_json": text}), "/inventory")


def test_the_whole_message():
    """Every attribute is there under its documented name, and the body is the stored text byte for byte."""
    encoded = message.encode(EVENT, "/inventory")

    assert encoded.routing_key == "Order.Placed"
    assert encoded.message_id == "01949a8e-5b5f-7000-8000-000000000003"
    assert encoded.correlation_id is None
    assert encoded.content_type == "application/json"
    assert encoded.delivery_mode == 2
    assert encoded.body == b'{"price":12.50,"name":"\xc3\xa9"}'
    assert encoded.headers == {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": "01949a8e-5b5f-7000-8000-000000000003",
        "cloudEvents_source": "/inventory",
        "cloudEvents_type": "Order.Placed",
        "cloudEvents_subject": "order-17",
        "cloudEvents_time": "2025-01-31T23:59:59.007Z",
        "cloudEvents_aggregatetype": "Order",
        "cloudEvents_aggregateid": "order-17",
        "cloudEvents_sequencenumber": 3,
        "cloudEvents_epoch": 1,
        "cloudEvents_schemaversion": 2,
        "cloudEvents_commitid": "01949a8e-5b5f-7000-8000-00000000000c",
    }


def test_correlation_and_trace_are_passed_on():
    """They come from the metadata; the trace also under the bare names that tracing libraries read."""
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    encoded = with_metadata(
        json.dumps({"correlation_id": "c-1", "traceparent": traceparent, "tracestate": "a=1", "user": "u"}),
    )

    assert encoded.correlation_id == "c-1"
    assert encoded.headers["cloudEvents_correlationid"] == "c-1"
    assert encoded.headers["cloudEvents_traceparent"] == traceparent
    assert encoded.headers["traceparent"] == traceparent
    assert encoded.headers["cloudEvents_tracestate"] == "a=1"
    assert encoded.headers["tracestate"] == "a=1"
    assert "user" not in encoded.headers


@pytest.mark.parametrize(
    "metadata",
    [
        '{"correlation_id":17}',
        '{"correlation_id":null}',
        '{"correlation_id":""}',
        '{"correlation_id":["c"]}',
        json.dumps({"correlation_id": "é" * 128}),  # 256 bytes
        json.dumps({"traceparent": "0" * 513}),
        '{"tracestate":"a=1"}',
        "[]",
        "null",
        "not json",
    ],
)
def test_what_does_not_fit_a_header_is_left_out(metadata):
    """Metadata is the writer's own; nothing in it can keep a message from being sent."""
    encoded = with_metadata(metadata)

    assert encoded.correlation_id is None
    assert len(encoded.headers) == 12


def test_the_longest_correlation_id():
    """255 bytes fit an AMQP short string."""
    assert with_metadata(json.dumps({"correlation_id": "x" * 255})).correlation_id == "x" * 255


@pytest.mark.parametrize(
    ("timestamp_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_time_is_exact_to_the_millisecond(timestamp_ms, text):
    """The first, a usual and the last time an event can have."""
    assert cloud_event.rfc3339(timestamp_ms) == text


LARGEST = RecordedEvent(
    **{
        **{name: getattr(EVENT, name) for name in EVENT.__dataclass_fields__},
        "aggregate_id": "i" * 2048,
        "aggregate_type": "t" * 127,
        "type": "e" * 127,
        "event_id": "v" * 255,
        "commit_id": "m" * 255,
        "metadata_json": json.dumps(
            {"correlation_id": "c" * 255, "traceparent": "p" * 512, "tracestate": "s" * 512},
        ),
    },
)


def test_the_largest_headers_fit_a_frame():
    """An event with the longest of everything fits the frame beyond which nobody looks at its size."""
    encoded = message.encode(LARGEST, f"/{'x' * 64}")

    assert wire.header_frame_bytes(encoded) <= HEADER_FRAME_MAX_BYTES
    assert len(encoded.routing_key) == 255


def test_headers_over_a_small_frame():
    """The reason names both sizes and the broker's setting; a frame of exactly that size is taken."""
    size = wire.header_frame_bytes(message.encode(LARGEST, "/inventory"))

    assert message.oversize(LARGEST, "/inventory", size) is None
    fault = message.oversize(LARGEST, "/inventory", size - 1)
    assert fault is not None
    assert fault.error_class == "headers_too_large"
    assert f"headers of {size:,} bytes, and a frame of this broker may have {size - 1:,}" in fault.reason
    assert "frame_max to 16,384 or more" in fault.reason


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"event_id": "é" * 128}, "an id or a commit id of more than 255 bytes"),
        ({"commit_id": "c" * 256}, "an id or a commit id of more than 255 bytes"),
        ({"timestamp_ms": -1}, "timestamp -1"),
        ({"timestamp_ms": 253_402_300_800_000}, "timestamp 253402300800000"),
        ({"sequence_number": 2**63}, "beyond 64 bits"),
        ({"epoch": -(2**63)}, "beyond 64 bits"),
        ({"schema_version": 10**30}, "beyond 64 bits"),
        ({"type": "x" * 250}, "routing key of more than 255 bytes"),
    ],
)
def test_what_has_no_message(changed, words):
    """A row that nobody of ours wrote is parked with a reason, and never breaks the connection to the broker."""
    fields = {name: getattr(EVENT, name) for name in EVENT.__dataclass_fields__}

    fault = message.unsendable(RecordedEvent(**{**fields, **changed}), 1000)

    assert fault is not None
    assert fault.error_class == "unsendable"
    assert words in fault.reason


def test_a_body_over_the_limit():
    """The reason names both sizes and the setting to raise; a body of exactly that size goes."""
    size = len(EVENT.data_json.encode())

    assert message.unsendable(EVENT, size) is None
    fault = message.unsendable(EVENT, size - 1)
    assert fault is not None
    assert fault.error_class == "message_too_large"
    assert "27 bytes of data and a message may have 26" in fault.reason
    assert "RELAY_BUS_MESSAGE_MAX_BYTES" in fault.reason


def test_headers_have_these_names():
    """Consumers read them."""
    assert [message.AGGREGATE_ID, message.SEQUENCE_NUMBER, message.EPOCH] == [
        "cloudEvents_aggregateid",
        "cloudEvents_sequencenumber",
        "cloudEvents_epoch",
    ]


def test_a_routing_key_has_up_to_255_bytes():
    """AMQP takes no more; which event it is, is told."""
    fits, over = (replace(EVENT, aggregate_type="ä" * 120, type="t" * size) for size in (14, 15))
    assert message.unsendable(fits, 1_000) is None

    refused = message.unsendable(over, 1_000)

    assert refused is not None
    assert refused.error_class == "unsendable"
    assert refused.reason.startswith("event 3 (01949a8e-5b5f-7000-8000-000000000003) has a routing key")


@pytest.mark.parametrize(("text", "size"), [('{"a":"x"}', 9), ('{"a":"ä"}', 10)])
def test_data_may_be_as_large_as_a_message(text, size):
    """In bytes of UTF-8."""
    event = replace(EVENT, data_json=text)

    assert message.unsendable(event, size) is None
    refused = message.unsendable(event, size - 1)
    assert refused is not None
    assert (refused.error_class, f"has {size} bytes" in refused.reason) == ("message_too_large", True)


@pytest.mark.parametrize(
    "fits",
    [
        {"event_id": "e" * 255},
        {"commit_id": "ä" * 127 + "e"},
        {"timestamp_ms": 0},
        {"timestamp_ms": 253_402_300_799_999},
        {"epoch": 2**63 - 1},
        {"sequence_number": 2**63 - 1},
        {"schema_version": 2**63 - 1},
    ],
)
def test_attributes_may_reach_their_bounds(fits):
    """And not pass them; which event it is, is told."""
    ((name, value),) = fits.items()
    over = f"{value}x" if isinstance(value, str) else value + 1
    beyond = -1 if value == 0 else over

    assert cloud_event.indescribable(replace(EVENT, **fits)) is None
    refused = cloud_event.indescribable(replace(EVENT, **{name: beyond}))
    assert refused is not None
    assert refused.error_class == "unsendable"
    assert refused.reason.startswith("event ")


def test_texts_of_metadata_may_be_of_one_letter():
    """What is empty is left out, and a state without its parent as well."""
    encoded = with_metadata('{"correlation_id":"c","traceparent":"t","tracestate":"s"}')
    names = ("cloudEvents_correlationid", "traceparent", "tracestate")
    assert [encoded.headers[name] for name in names] == ["c", "t", "s"]

    empty = with_metadata('{"correlation_id":"","tracestate":"s"}')
    assert [name for name in names if name in empty.headers] == []


def test_half_of_a_surrogate_pair_is_counted_all_the_same():
    """It is found out when the message is sent; until then it has a size."""
    odd = replace(message.encode(EVENT, "/inventory"), message_id="\ud800", headers={"a": "\ud800"})

    assert wire.properties(odd).endswith(b"\x03\xed\xa0\x80")
    assert b"S\x00\x00\x00\x03\xed\xa0\x80" in wire.properties(odd)

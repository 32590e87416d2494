"""The bytes of a message's properties: a contract with clients of every language, so they stand here one by one."""

import amqp
import pytest
from amqp.serialization import loads

from relay.destinations.bus import message, wire
from relay.destinations.bus.broker import Message
from relay.testing.commits import commit

SMALL = Message("A.B", "m-1", None, {"n": 1, "t": "é"}, b"{}")
WITH_CORRELATION = Message("A.B", "m-1", "c-1", {"n": 2**40 + 1}, b"{}")


def test_every_byte() -> None:
    """Flags, content type, headers, delivery mode and id; a number is `l`, of 64 bits, however small it is."""
    assert wire.properties(SMALL) == (
        bytes.fromhex("b080")  # content type, headers, delivery mode, message id
        + b"\x10application/json"
        + bytes.fromhex("00000014")
        + (b"\x01n" + b"l" + bytes.fromhex("0000000000000001"))
        + (b"\x01t" + b"S" + bytes.fromhex("00000002") + "é".encode())
        + b"\x02"
        + b"\x03m-1"
    )


def test_a_correlation_id_stands_before_the_message_id() -> None:
    """Properties stand in the order of their flags."""
    assert wire.properties(WITH_CORRELATION) == (
        bytes.fromhex("b480")
        + b"\x10application/json"
        + bytes.fromhex("0000000b")
        + (b"\x01n" + b"l" + bytes.fromhex("0000010000000001"))
        + b"\x02"
        + b"\x03c-1"
        + b"\x03m-1"
    )


@pytest.mark.parametrize("number", [0, 1, -1, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63) + 1])
def test_every_number_has_one_type(number: int) -> None:
    """Whoever reads 3 as a number of 64 bits reads 3 billion in the same way."""
    encoded = wire.properties(Message("A.B", "m", None, {"n": number}, b""))

    assert encoded.count(b"\x01nl" + number.to_bytes(8, "big", signed=True)) == 1


@pytest.mark.parametrize("sent", [SMALL, WITH_CORRELATION], ids=["small", "with a correlation id"])
def test_another_writer_agrees_on_all_but_numbers(sent: Message) -> None:
    """py-amqp writes the same bytes around headers without numbers, and reads what it does not write."""
    texts = Message(sent.routing_key, sent.message_id, sent.correlation_id, {"t": "é"}, b"")
    named = {} if sent.correlation_id is None else {"correlation_id": sent.correlation_id}
    theirs = amqp.Message(
        b"", content_type="application/json", delivery_mode=2, message_id="m-1", application_headers={"t": "é"}, **named
    )
    assert wire.properties(texts) == theirs._serialize_properties()
    read, _ = loads("F", wire.properties(sent), 2 + 17)
    assert read == [dict(sent.headers)]


def test_the_size_is_that_of_the_frame() -> None:
    """Frame header and end, class, weight, body size, then the properties."""
    row = commit("order-17", 3)
    assert row.events is not None
    encoded = message.encode(row.events[0], "/shop")

    assert wire.header_frame_bytes(encoded) == 7 + 2 + 2 + 8 + len(wire.properties(encoded)) + 1

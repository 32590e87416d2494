"""Time-ordered ids (UUID version 7), made from the ports' clock and randomness so that a seed decides them."""

import uuid

from eventstore.ports import Runtime

_TIMESTAMP_BITS = 48


def uuid7(runtime: Runtime, counter: int = 0) -> str:
    """Return a new UUIDv7; ids of one millisecond sort by `counter` (0 to 4095).

    Source: RFC 9562, section 5.7.
    """
    assert 0 <= counter < 1 << 12, "the counter fills the 12 bits of rand_a"
    timestamp = runtime.now_ms() & ((1 << _TIMESTAMP_BITS) - 1)
    tail = int.from_bytes(runtime.random_bytes(8)) & ((1 << 62) - 1)
    digits = f"{timestamp << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def timestamp_ms(event_id: str) -> int:
    """Return the millisecond in which a UUIDv7 was made.

    Raises:
        ValueError: It is not a UUID of version 7.
    """
    parsed = uuid.UUID(event_id)
    if parsed.version != 7:  # noqa: PLR2004 - the version that the name says
        raise ValueError(f"{event_id!r} is a UUID of version {parsed.version}, not 7")
    return parsed.int >> 80

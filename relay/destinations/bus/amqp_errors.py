"""Maps what py-amqp raises to the broker port's errors: lost, wrongly set up, or message too large."""

import re
import ssl
import struct

from amqp.exceptions import AMQPError

from eventstore.transport.addresses import masked
from relay.destinations.bus.broker import (
    BrokerConfusedError,
    BrokerError,
    BrokerLostError,
    ExchangeGoneError,
    MessageTooLargeError,
    TopologyError,
)

# A connection that py-amqp has torn down half-way answers with attribute and key errors.
FAILURES = (OSError, AMQPError, AttributeError, KeyError, IndexError)
"""Everything that a call of py-amqp can raise when the broker or the network is at fault."""

READ_FAILURES = (
    *FAILURES,
    *(ValueError, TypeError, struct.error, RecursionError, OverflowError, MemoryError),
    *(AssertionError, NotImplementedError),
)
"""The same for calls that read: what looks like a frame may hold anything, and py-amqp checks little of it."""

PUBLISHING, LISTENING = "publishing", "listening"
"""What a session does; the exchange of events is all that it can miss."""

NOT_FOUND = 404
_TEXT_MAX = 200

_TOO_LARGE = re.compile(r"message size \d+ (?:is )?larger than (?:configured )?max size (\d+)")

_ADVICE = {
    402: "check the virtual host in the address",
    403: "check user and password, and that the user may configure, write and read what begins with the prefix",
    NOT_FOUND: "an exchange or queue is gone; the next connect declares it again; consumers must bind theirs again",
    405: "another connection holds that queue for itself",
    406: "it exists with other properties; delete it when it is empty, or use another prefix or queue type",
    530: "check the virtual host in the address and the user's rights to it",
}
"""Reply codes that time does not heal. Source: AMQP 0-9-1, 1.7 (constants)."""

_LIMIT = re.compile(r"\b(queue|connection|channel) limit\b.* is reached")

_LIMITS = {
    "queue": "delete queues that nobody uses, or raise the limit (max-queues of the virtual host, cluster_queue_limit)",
    "connection": "close connections that nobody uses, or raise the limit (max-connections of virtual host or user)",
    "channel": "close channels that nobody uses, or raise the limit (max-channels of the user)",
}
"""Source: the words of RabbitMQ 3.8 to 4 at `queue.declare` and `connection.open`."""

_DEFECTS = {501, 502, 503, 504, 505, 540}
"""Reply codes that say our frames are wrong, or that this is not RabbitMQ."""


def broker_error(error: BaseException, doing: str) -> BrokerError:
    """Return the port's error for what py-amqp raised; what is repeated of its words holds no password."""
    if isinstance(error, BrokerError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return TopologyError(
            f"the broker's certificate is not trusted while {doing}: {masked(str(error))}; check name and ca_certs"
        )
    code = error.reply_code if isinstance(error, AMQPError) else 0
    text = masked(str(error.reply_text or error) if isinstance(error, AMQPError) else str(error))
    too_large = _TOO_LARGE.search(text)
    if too_large is not None:
        return MessageTooLargeError(int(too_large[1]))
    if code == NOT_FOUND and doing in {PUBLISHING, LISTENING}:
        return ExchangeGoneError(f"RabbitMQ refuses while {doing}: {text} ({code}); {_ADVICE[code]}")
    if code in _ADVICE:
        return TopologyError(f"RabbitMQ refuses while {doing}: {text} ({code}); {_advice(code, text)}")
    if code in _DEFECTS and _is_said(error):
        return TopologyError(
            f"RabbitMQ does not understand us while {doing}: {text} ({code}); is it RabbitMQ 3.8 or later?"
        )
    if isinstance(error, FAILURES) and code not in _DEFECTS:
        return BrokerLostError(f"RabbitMQ was lost while {doing}: {text or type(error).__name__}")
    told = f"{type(error).__name__}: {text[:_TEXT_MAX]}"
    return BrokerConfusedError(f"what came from RabbitMQ while {doing} cannot be read ({told}); is it RabbitMQ?")


def _advice(code: int, text: str) -> str:
    """Return what to do about a refusal: a limit has the code of what is wrong with the thing that went beyond it."""
    limit = _LIMIT.search(text)
    return _ADVICE[code] if limit is None else _LIMITS[limit[1]]


def _is_said(error: BaseException) -> bool:
    """Tell whether the broker said it, in a method that closes; else py-amqp says so of what it was sent."""
    return isinstance(error, AMQPError) and bool(error.method_sig)

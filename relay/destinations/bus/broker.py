"""The port below the bus: a connection to a broker, the messages it takes and what it says about them.

BrokerError
├── BrokerLostError          out of reach, or the connection broke: use a new connection, later
│   └── BrokerConfusedError  it says what cannot be: the same
├── TopologyError            credentials, permissions, exchanges or queues are not as they must be: a person must act
│   └── ExchangeGoneError    the exchange of events was removed; the next connect makes it again, without bindings
└── MessageTooLargeError     the broker's own limit is lower than ours
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from eventstore.errors import Portable


class BrokerError(Portable, Exception):
    """Base of what can go wrong with a broker. After any of them the session is unusable."""


class BrokerLostError(BrokerError):
    """The broker cannot be reached, or the connection broke or fell silent. What was unconfirmed counts as unsent."""


class BrokerConfusedError(BrokerLostError):
    """The broker, or what is between, says what cannot be, such as a confirm of what was never sent.

    Nothing that comes over this connection can be trusted any more; what was unconfirmed counts as unsent.
    """


class TopologyError(BrokerError):
    """The broker refuses for a reason that does not go away by itself. The message says what to do."""


class ExchangeGoneError(TopologyError):
    """The exchange of events is gone, and the bindings of consumers with it."""


class MessageTooLargeError(BrokerError):
    """The broker refused a message for its size and closed the channel.

    Attributes:
        limit_bytes: The broker's own limit of a body.
    """

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the broker takes bodies of at most {limit_bytes:,} bytes")
        self.limit_bytes = limit_bytes


FRAME_MAX_BYTES_DEFAULT = 131_072
"""What RabbitMQ and its clients agree on unless one of them is told otherwise (`frame_max`)."""

HEADER_FRAME_MAX_BYTES = 16_384
"""No message has more around its body: see the sizes in `docs/reference/message-format.md`."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event as it goes over the wire; see `docs/reference/message-format.md`.

    Attributes:
        routing_key: `<aggregateType>.<eventType>`, at most 255 bytes.
        message_id: The event's id.
        correlation_id: At most 255 bytes; None when there is none.
        headers: Text and whole numbers of 64 bits, together below `HEADER_FRAME_MAX_BYTES`.
        body: The event's data, JSON text in UTF-8.
        content_type: MIME type of the body.
        delivery_mode: 2, persistent.
    """

    routing_key: str
    message_id: str
    correlation_id: str | None
    headers: Mapping[str, str | int]
    body: bytes
    content_type: str = "application/json"
    delivery_mode: int = 2


@dataclass(frozen=True, slots=True)
class Missing:
    """The exchange of events was not there, and was made.

    Attributes:
        unrouted: Messages that lay in the queue of what is unrouted; None when that was not there either, so that
            this broker may never have been used before.
    """

    unrouted: int | None


@dataclass(frozen=True, slots=True)
class Acked:
    """The broker has acknowledged a message: it is durable.

    Attributes:
        tag: The message's number in its session.
        multiple: Every one up to it as well.
    """

    tag: int
    multiple: bool


@dataclass(frozen=True, slots=True)
class Nacked:
    """A queue (full, say) has rejected a message; others may have taken it.

    Attributes:
        tag: The message's number in its session.
        multiple: Every one up to it as well.
    """

    tag: int
    multiple: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """No queue took the message; an ack for it follows all the same.

    Attributes:
        message_id: The message's.
        code: The broker's code of the reason.
        text: Its words.
    """

    message_id: str
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """The broker asks to stop publishing: it is short of memory or disk.

    Attributes:
        reason: Its words.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Unblocked:
    """Publishing may continue."""


BrokerEvent = Acked | Nacked | Returned | Blocked | Unblocked
"""What a broker says of messages, and of itself."""


class BrokerSession(Protocol):
    """One connection with one channel in confirm mode. After an error it is closed, never used again.

    It is for one part, but for `wake`, which any part may call at any time.
    """

    @property
    def frame_max_bytes(self) -> int:
        """The largest frame that both sides agreed on; the broker ends a connection that brings a larger one."""
        ...

    @property
    def missing(self) -> Missing | None:
        """What was missing when it was opened; None when the exchange of events was there."""
        ...

    def publish(self, message: Message) -> int:
        """Send a message, mandatory and persistent; it does not wait for the confirm.

        Returns:
            The delivery tag: 1, 2, 3 … within the session.

        Raises:
            BrokerLostError: The message was taken or not; nobody knows.
            TopologyError: Same as above, and a person must act.
            MessageTooLargeError: An earlier message was too large for the broker.
        """
        ...

    def poll(self, timeout_seconds: float) -> Sequence[BrokerEvent]:
        """Return what the broker has sent since, oldest first; wait at most that long for the first of it.

        It also keeps the connection's heartbeat going; zero asks without waiting.

        Raises:
            BrokerLostError: The connection broke, or nothing was heard for too long.
            TopologyError: The channel was closed for a reason that a person must fix; `ExchangeGoneError` when the
                exchange is gone.
            MessageTooLargeError: A message was too large for the broker.
        """
        ...

    def wake(self) -> None:
        """End a poll that waits, from any part; a poll that has not begun yet returns at once.

        Several calls before one poll are one. It does not wait, never raises, and does nothing after `close`. A poll
        that ends for it returns what was sent until then, which may be nothing.
        """
        ...

    def close(self) -> None:
        """Release the connection; never raises, never waits long. What is unconfirmed stays so."""
        ...


class Broker(Protocol):
    """Where sessions come from."""

    def connect(self) -> BrokerSession:
        """Open a new connection, declare exchanges and queues, and put the channel into confirm mode.

        Bounded by a time-out of the broker's own settings.

        Raises:
            BrokerLostError: Out of reach.
            TopologyError: Credentials, permissions, or an exchange or queue of the same name that differs.
        """
        ...

"""The simulated bus as py-amqp shows it, so that a worker reaches it through the product's own adapter for RabbitMQ.

What the adapter leaves out has the effect that it has on RabbitMQ: without confirm mode nothing is ever confirmed, a
message that is not mandatory is confirmed though no queue takes it, and one that is not persistent is gone when the
broker restarts.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from amqp.basic_message import Message as AmqpMessage
from amqp.exceptions import PreconditionFailed

from relay.destinations.bus import rabbitmq
from relay.destinations.bus.broker import (
    Acked,
    Blocked,
    BrokerError,
    BrokerEvent,
    Message,
    MessageTooLargeError,
    Nacked,
    Returned,
    Unblocked,
)
from tests.simulation.broker import SimulatedBroker, SimulatedSession

URL = "amqp://guest:guest@rabbit.simulated:5672/%2F"
_BASIC = 60
"""The class of messages in AMQP 0-9-1."""


@dataclass(frozen=True, slots=True)
class Published(Message):
    """A message as the broker has read it from the wire.

    Attributes:
        mandatory: It is to be returned when no queue takes it.
    """

    mandatory: bool = False


class _ReadLimit:
    """In the place of a limit by the machine's clock: what a simulated broker says is whole when it comes."""

    def within(self, _seconds: float) -> Any:
        return nullcontext()


class Readiness:
    """In the place of a wait for a socket: a poll of the simulated session."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    def __call__(self, timeout_seconds: float) -> bool:
        """Tell whether the broker has said something."""
        return self._connection.is_readable(timeout_seconds)

    def wake(self) -> None:
        """End a wait."""
        self._connection.session.wake()

    def close(self) -> None:
        """Nothing is open."""


class Channel:
    """What the adapter uses of a channel of py-amqp."""

    def __init__(self, session: SimulatedSession) -> None:
        self.events: defaultdict[str, set[Callable[..., None]]] = defaultdict(set)
        self._session = session

    def confirm_select(self) -> None:
        """Have everything confirmed from now on."""
        self._session.confirms = True

    def exchange_declare(self, *_: Any, **__: Any) -> None:
        """Exchanges are there."""

    def queue_declare(self, *_: Any, **__: Any) -> None:
        """Queues are there."""

    def queue_bind(self, *_: Any, **__: Any) -> None:
        """Queues are bound."""

    def send_method(self, _method: Any, _format: str, arguments: Any, content: Any) -> None:
        """Take a `basic.publish`."""
        _, _, routing_key, mandatory, _ = arguments
        read = AmqpMessage()
        read._load_properties(_BASIC, content._serialize_properties(), 0)
        found = read.properties
        _as_sockets_do(
            self._session.publish,
            Published(
                routing_key=routing_key,
                message_id=found.get("message_id", ""),
                correlation_id=found.get("correlation_id"),
                headers=found.get("application_headers", {}),
                body=content.body,
                content_type=found.get("content_type", ""),
                delivery_mode=found.get("delivery_mode", 1),
                mandatory=mandatory,
            ),
        )

    def close(self) -> None:
        """It has nothing of its own."""


class Connection:
    """What the adapter uses of a connection of py-amqp."""

    read_limit = _ReadLimit()

    def __init__(self, session: SimulatedSession, on_blocked: Callable[[str], None], on_unblocked: Callable[[], None]):
        self.session = session
        self.frame_max = session.frame_max_bytes
        self._on_blocked, self._on_unblocked = on_blocked, on_unblocked
        self._channels: list[Channel] = []
        self._said: deque[BrokerEvent] = deque()

    @property
    def sock(self) -> "Connection":
        """What is waited for."""
        return self

    def settimeout(self, _seconds: float) -> None:
        """Writes never wait."""

    def channel(self) -> Channel:
        """Open a channel; the last one is the one that publishes."""
        self._channels.append(Channel(self.session))
        return self._channels[-1]

    def is_readable(self, timeout_seconds: float) -> bool:
        """Wait for what the broker says."""
        if not self._said:
            self._said += _as_sockets_do(self.session.poll, timeout_seconds)
        return bool(self._said)

    def blocking_read(self, _timeout_seconds: float) -> None:
        """Hand on one frame."""
        event = self._said.popleft()
        if isinstance(event, Blocked):
            self._on_blocked(event.reason)
        elif isinstance(event, Unblocked):
            self._on_unblocked()
        else:
            self._hand_on(event)

    def _hand_on(self, event: BrokerEvent) -> None:
        events = self._channels[-1].events
        if isinstance(event, Returned):
            error, returned = _Reply(event.code, event.text), AmqpMessage(message_id=event.message_id)
            for told in events["basic_return"]:
                told(error, "", "", returned)
        elif isinstance(event, Acked | Nacked):
            for heard in events["basic_ack" if isinstance(event, Acked) else "basic_nack"]:
                heard(event.tag, event.multiple)

    def heartbeat_tick(self) -> None:
        """A simulated broker hears who polls."""

    def close(self) -> None:
        """End it."""
        self.session.close()

    def collect(self) -> None:
        """End it, however it is."""
        self.session.close()


@dataclass(frozen=True, slots=True)
class _Reply:
    reply_code: int
    reply_text: str


def _as_sockets_do(call: Callable[[Any], Any], argument: Any) -> Any:
    """Return what a call to the broker does; that it is lost is said as a socket says it."""
    try:
        return call(argument)
    except MessageTooLargeError as error:
        size = f"message size {error.limit_bytes + 1} is larger than configured max size {error.limit_bytes}"
        raise PreconditionFailed(size) from error
    except BrokerError as error:
        raise ConnectionResetError(str(error)) from error


@contextmanager
def connected(broker: SimulatedBroker) -> Iterator[None]:
    """Let the adapter find the simulated bus within the block, at any address."""

    def connect_to(_address: Any, _settings: Any, *, on_blocked: Any, on_unblocked: Any) -> Connection:
        try:
            session = broker.connect()
        except BrokerError as error:
            raise ConnectionRefusedError(str(error)) from error
        session.confirms = False
        return Connection(session, on_blocked, on_unblocked)

    with patch.object(rabbitmq, "connect_to", connect_to), patch.object(rabbitmq, "Readiness", Readiness):
        yield

"""RabbitMQ behind the broker port: one connection, one channel in confirm mode, frames read one by one.

kombu gives the transport; its publishing is left aside, since it waits for each confirm and takes an unroutable message
for a success.
"""

import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from amqp import spec
from amqp.exceptions import NotFound
from kombu.transport.pyamqp import Transport

from eventstore.environment.access import SecretFileError
from eventstore.transport.addresses import masked
from relay import defaults
from relay.destinations.bus import wire
from relay.destinations.bus.address import BusAddress, read_addresses
from relay.destinations.bus.amqp_errors import FAILURES, LISTENING, PUBLISHING, READ_FAILURES, broker_error
from relay.destinations.bus.broker import (
    Acked,
    Blocked,
    BrokerConfusedError,
    BrokerError,
    BrokerEvent,
    Message,
    Missing,
    Nacked,
    Returned,
    TopologyError,
    Unblocked,
)
from relay.destinations.bus.failover import Failover
from relay.destinations.bus.read_limit import ReadLimit
from relay.destinations.bus.readiness import Readiness
from relay.destinations.bus.topology import Exchange, Queue, wanted
from relay.destinations.resource_names import Names

FRAMES_PER_POLL_MAX = 5_000
CLOSE_SECONDS = 1.0
LOGIN_METHOD = "PLAIN"

_log = structlog.get_logger()

HANDSHAKE_STEPS = 4
"""Frames that RabbitMQ says until a connection is open: start, tune, open-ok, and one for the channel."""

DECLARE_STEPS_MAX = 6
"""Times `io_timeout_seconds` that all declarations together may take."""


@dataclass(frozen=True, slots=True)
class RabbitSettings:
    """How the connection to RabbitMQ is made and kept.

    Attributes:
        connect_timeout_seconds: Longest wait for the connection, and for each step of the handshake; four times that
            for all of them.
        io_timeout_seconds: Longest wait for a single write, or for the reply to a declaration; six times that for all
            of them.
        heartbeat_seconds: A broker that is silent for twice as long is lost.
        queue_type: Type of the relay's own queues: `quorum` survives the loss of a broker node, `classic` suits
            brokers without quorum queues. It cannot be changed for a queue that exists.
        declare: Declare exchanges and queues. False only checks that the exchanges are there, for users without the
            permission to configure.
        client_name: Shown in the broker's list of connections.
        ca_certs: File with the certificate authority of an `amqps://` broker, when it is not one the system knows.
    """

    connect_timeout_seconds: float = 5.0
    io_timeout_seconds: float = 10.0
    heartbeat_seconds: int = 10
    queue_type: str = defaults.BUS_QUEUE_TYPE
    declare: bool = True
    client_name: str = "relay"
    ca_certs: str | None = None


class RabbitBroker:
    """A `Broker` on RabbitMQ 3.8 or later.

    Args:
        url: `amqp://user:password@host:port/vhost`, or `amqps://`; of a cluster, several with commas between. They are
            tried in turn, beginning with the one that answered last.
        names: Exchange and queue names.
        settings: Time-outs and queue type.
        fresh: Returns the address as it is now, with other credentials maybe; asked for each connection.

    Raises:
        ValueError: An address cannot be read.
    """

    def __init__(
        self,
        url: str,
        names: Names | None = None,
        settings: RabbitSettings | None = None,
        fresh: Callable[[], str] | None = None,
    ) -> None:
        self._url = url
        self._fresh = fresh
        self._failover = Failover(read_addresses(url))
        self._names = names or Names()
        self._settings = settings or RabbitSettings()

    def connect(self) -> "RabbitSession":
        """See `Broker.connect`."""
        try:
            url = self._url if self._fresh is None else self._fresh()
        except SecretFileError as error:
            raise TopologyError(str(error)) from error
        if url != self._url:
            self._url, self._failover = url, Failover(read_addresses(url))
        return self._failover.first(self._connect)

    def _connect(self, address: BusAddress) -> "RabbitSession":
        inbox: deque[BrokerEvent] = deque()
        connection: Any = None
        try:
            connection = connect_to(
                address,
                self._settings,
                on_blocked=lambda reason: inbox.append(Blocked(masked(reason))),
                on_unblocked=lambda: inbox.append(Unblocked()),
            )
            with connection.read_limit.within(DECLARE_STEPS_MAX * self._settings.io_timeout_seconds):
                missing = _missing(connection, self._names) if self._settings.declare else None
                channel = connection.channel()
                declare(channel, self._names, self._settings)
                channel.confirm_select()
        except (*READ_FAILURES, BrokerError) as error:
            if connection is not None:
                connection.collect()
            raise _told(error, f"connecting to {address}") from error
        return RabbitSession(
            connection, channel, self._names.exchange, inbox, self._settings.io_timeout_seconds, missing
        )


class _Content:
    """What py-amqp wants of a message to write its frames."""

    __slots__ = ("_encoded", "body", "properties")

    def __init__(self, message: Message) -> None:
        self.body = message.body
        self.properties: dict[str, object] = {}
        self._encoded = wire.properties(message)

    def _serialize_properties(self) -> bytes:
        return self._encoded


class RabbitSession:
    """A `BrokerSession` on one connection to RabbitMQ; for one thread, but for `wake`."""

    def __init__(
        self,
        connection: Any,
        channel: Any,
        exchange: str,
        inbox: deque[BrokerEvent],
        io_timeout_seconds: float,
        missing: Missing | None = None,
    ) -> None:
        self.missing = missing
        self._connection = connection
        self._channel = channel
        self._exchange = exchange
        self._inbox = inbox
        self._io_timeout_seconds = io_timeout_seconds
        self._failure: BrokerError | None = None
        self._last_tag = 0
        self._readable = Readiness(connection.sock)
        channel.events["basic_ack"].add(lambda tag, multiple: inbox.append(Acked(tag, multiple)))
        channel.events["basic_nack"].add(lambda tag, multiple: inbox.append(Nacked(tag, multiple)))
        channel.events["basic_return"].add(self._on_return)

    @property
    def frame_max_bytes(self) -> int:
        """See `BrokerSession.frame_max_bytes`."""
        negotiated: int = self._connection.frame_max
        return negotiated

    def publish(self, message: Message) -> int:
        """See `BrokerSession.publish`."""
        if self._failure is not None:
            raise self._failure
        try:
            # Not basic_publish: it looks for frames without a time-out first, and spins when it finds half of one.
            self._channel.send_method(
                spec.Basic.Publish,
                "Bssbb",
                (0, self._exchange, message.routing_key, True, False),  # mandatory, not immediate
                _Content(message),
            )
        except FAILURES as error:
            self._failure = broker_error(error, PUBLISHING)
            raise self._failure from error
        self._last_tag += 1
        return self._last_tag

    def poll(self, timeout_seconds: float) -> Sequence[BrokerEvent]:
        """See `BrokerSession.poll`; what was heard before a failure is given first."""
        if self._failure is None:
            try:
                self._read(0 if self._inbox else timeout_seconds)
                self._connection.heartbeat_tick()
            except (*READ_FAILURES, BrokerError) as error:
                self._failure = _told(error, LISTENING)
                self._failure.__cause__ = error
        if self._failure is not None and not self._inbox:
            raise self._failure
        events = list(self._inbox)
        self._inbox.clear()
        return events

    def wake(self) -> None:
        """See `BrokerSession.wake`."""
        self._readable.wake()

    def close(self) -> None:
        """See `BrokerSession.close`."""
        self._readable.close()
        failed, self._failure = self._failure, TopologyError("the session is closed; open another")
        with contextlib.suppress(*READ_FAILURES, BrokerError):
            if failed is None:
                self._connection.sock.settimeout(CLOSE_SECONDS)
                with self._connection.read_limit.within(CLOSE_SECONDS):
                    self._connection.close()
        with contextlib.suppress(*READ_FAILURES, BrokerError):
            self._connection.collect()

    def _read(self, timeout_seconds: float) -> None:
        """Wait for a frame, then take what else is there; of a frame that drips in, what has come until then."""
        with self._connection.read_limit.within(timeout_seconds), contextlib.suppress(TimeoutError):
            for _ in range(FRAMES_PER_POLL_MAX):
                if not self._readable(timeout_seconds):
                    return
                # One frame. Not drain_events: a heartbeat is not an event to it, so it would wait for the next frame.
                self._connection.blocking_read(self._io_timeout_seconds)
                timeout_seconds = 0

    def _on_return(self, error: Any, _exchange: str, _routing_key: str, message: Any) -> None:
        message_id = message.properties.get("message_id")
        if not isinstance(message_id, str):  # raised, so that no ack after it is heard
            raise BrokerConfusedError("the broker returned a message without its id")
        self._inbox.append(Returned(message_id, error.reply_code, masked(error.reply_text)))


def open_connection(url: str, settings: RabbitSettings, **callbacks: object) -> Any:
    """Return a connection to the first of the addresses that answers; see `connect_to`.

    Raises:
        BrokerError: None does.
        ValueError: An address cannot be read.
    """
    return Failover(read_addresses(url)).first(lambda address: _connect_told(address, settings, **callbacks))


def _connect_told(address: BusAddress, settings: RabbitSettings, **callbacks: object) -> Any:
    """Return a connection as `connect_to` does; what goes wrong is told in the words of the port."""
    try:
        return connect_to(address, settings, **callbacks)
    except READ_FAILURES as error:
        raise _told(error, f"connecting to {address}") from error


def connect_to(address: BusAddress, settings: RabbitSettings, **callbacks: object) -> Any:
    """Return a py-amqp connection whose every read and write ends after `io_timeout_seconds`.

    Raises:
        OSError, amqp.AMQPError: As they come; see `amqp_errors`.
    """
    # Without the name py-amqp checks that the certificate is valid, but not whose it is.
    tls = {"server_hostname": address.host, "ca_certs": settings.ca_certs} if address.is_tls else False
    # Not kombu's own connect: it tries twice, and leaves the socket open when the broker refuses.
    limit = ReadLimit()

    class Limited(Transport.Connection):  # type: ignore[misc,valid-type]
        """As its base; what it reads ends in time."""

        read_limit = limit

        def Transport(self, *given: Any, **named: Any) -> Any:  # noqa: N802 - the base class calls it so
            """Return a transport; see the base class."""
            return limit.watch(super().Transport(*given, **named))

    connection = Limited(
        host=f"{address.host}:{address.port}",
        userid=address.user,
        password=address.password,
        login_method=address.login_method or LOGIN_METHOD,
        virtual_host=address.virtual_host,
        ssl=tls,
        connect_timeout=settings.connect_timeout_seconds,
        heartbeat=settings.heartbeat_seconds,
        client_properties={"connection_name": settings.client_name},
        socket_settings=_socket_settings(settings),
        **callbacks,
    )
    try:
        with limit.within(HANDSHAKE_STEPS * settings.connect_timeout_seconds):
            connection.connect()
        connection.sock.settimeout(settings.io_timeout_seconds)
    except READ_FAILURES:
        connection.collect()
        raise
    return connection


def declare(channel: Any, names: Names, settings: RabbitSettings) -> None:
    """Declare exchanges and queues, or with `declare=False` look whether the exchanges are there."""
    topology = wanted(names, settings.queue_type)
    if settings.declare:
        for queue in topology.queues:
            declare_queue(channel, queue)
    for exchange in topology.exchanges:
        declare_exchange(channel, exchange, passive=not settings.declare)
        for queue in topology.queues:
            if settings.declare and queue.name == exchange.name:
                bind_queue(channel, queue)


def _missing(connection: Any, names: Names) -> Missing | None:
    """Ask whether the exchange of events is there, and if not, how many messages lie in the queue of its alternate."""
    topology = wanted(names, defaults.BUS_QUEUE_TYPE)
    channel = connection.channel()
    try:
        declare_exchange(channel, topology.exchanges[-1], passive=True)
    except NotFound:  # which closes the channel
        channel = connection.channel()
        try:
            found = Missing(declare_queue(channel, topology.queues[0], passive=True).message_count)
        except NotFound:
            return Missing(None)
        channel.close()
        return found
    channel.close()
    return None


def declare_exchange(channel: Any, exchange: Exchange, *, passive: bool = False) -> None:
    """Declare an exchange; passive: only ask whether one of that name is there."""
    channel.exchange_declare(
        exchange.name, exchange.kind, passive=passive, durable=True, auto_delete=False, arguments=exchange.arguments
    )


def declare_queue(channel: Any, queue: Queue, *, passive: bool = False) -> Any:
    """Declare a queue; passive: only ask whether one of that name is there. The answer has `message_count`."""
    return channel.queue_declare(
        queue.name, passive=passive, durable=True, auto_delete=False, arguments=queue.arguments
    )


def bind_queue(channel: Any, queue: Queue) -> None:
    """Bind a queue to the exchange of its name."""
    channel.queue_bind(queue.name, queue.name)


def _told(error: BaseException, doing: str) -> BrokerError:
    """Return the port's error; what nobody expects to come over the wire is kept in the log with its stack."""
    if not isinstance(error, (*FAILURES, BrokerError)):
        _log.error("bus.unreadable", doing=doing, exc_info=True)
    return broker_error(error, doing)


def _socket_settings(settings: RabbitSettings) -> dict[int, int]:
    """Return how many milliseconds sent data may stay unacknowledged; py-amqp's own default is one second."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux only
    return {} if option is None else {option: int(settings.io_timeout_seconds * 1000)}

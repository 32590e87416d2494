"""Compares what RabbitMQ has with what it must have, over AMQP alone: no management plugin is needed.

A passive declaration tells whether a thing is there. One that is there is declared once more as it is wanted: that
changes nothing when it is equal, and is refused, with the reason, when it is not.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError

from eventstore.errors import EventStoreError, SetUpError, TryLaterError
from eventstore.transport.addresses import masked
from relay.destination import BUS
from relay.destinations.bus.address import places_of, read_addresses
from relay.destinations.bus.amqp_errors import READ_FAILURES, broker_error
from relay.destinations.bus.broker import BrokerError, BrokerLostError
from relay.destinations.bus.rabbitmq import (
    RabbitSettings,
    bind_queue,
    declare_exchange,
    declare_queue,
    open_connection,
)
from relay.destinations.bus.topology import Exchange, Queue, wanted
from relay.destinations.resource_names import Names
from relay.destinations.topology import Difference, Examination

NOT_ALLOWED, NOT_FOUND, LOCKED, UNEQUAL = 403, 404, 405, 406
"""Reply codes that speak of one thing. Source: AMQP 0-9-1, 1.7 (constants)."""

CALL_SECONDS_MAX = 120.0
"""Longest time in which all questions of one call are answered, however slowly the answers drip in."""

_UNEQUAL = re.compile(r"inequivalent arg '(?P<what>[^']*)' .*: received (?P<wanted>.*) but current is (?P<found>.*)")
_VALUE = re.compile(r"^the value ('.*') of type '\w+'$")

BINDINGS_NOTE = (
    "bindings cannot be read over AMQP: `relay topology apply`, and the relay at each connect, make those of its own"
    " queues; consumers look after theirs"
)


class RabbitTopology:
    """The `Topology` of the bus.

    Args:
        url: `amqp://user:password@host:port/vhost`, or `amqps://`; of a cluster, several with commas between.
        names: Exchange and queue names.
        settings: Time-outs and queue type.
        fresh: Returns the address as it is now, with other credentials maybe; asked for each connection.

    Raises:
        ValueError: An address cannot be read.
    """

    name = BUS

    def __init__(
        self,
        url: str,
        names: Names,
        settings: RabbitSettings | None = None,
        fresh: Callable[[], str] | None = None,
    ) -> None:
        self._place = places_of(read_addresses(url))
        self._url = url
        self._fresh = fresh
        self._names = names
        self._settings = settings or RabbitSettings()
        self._wanted = wanted(names, self._settings.queue_type)

    @property
    def place(self) -> str:
        """See `Topology.place`."""
        return self._place

    def examine(self) -> Examination:
        """See `Topology.examine`."""
        differences: list[Difference] = []
        notes = [BINDINGS_NOTE]
        with self._connected("looking at") as connection:
            for exchange in self._wanted.exchanges:
                differences += _look_at_exchange(connection, exchange)
            for queue in self._wanted.queues:
                found, depth = _look_at_queue(connection, queue)
                differences += found
                if depth:
                    notes.append(self._depth_note(queue, depth))
        return Examination(tuple(differences), tuple(notes))

    def depths(self) -> dict[str, int]:
        """Return how many messages are in each of its own queues; a missing queue is left out.

        Raises:
            EventStoreError: As `examine`.
        """
        found = {}
        with self._connected("looking at") as connection:
            for queue in self._wanted.queues:
                _, depth = _asked_for_depth(connection, queue)
                if depth is not None:
                    found[queue.name] = depth
        return found

    def make(self, differences: Sequence[Difference]) -> list[str]:
        """See `Topology.make`; its own queues are bound again in any case."""
        refused: list[str] = []
        remedies = [difference.remedy for difference in differences]
        with self._connected("declaring on") as connection:
            for exchange in self._wanted.exchanges:
                if exchange in remedies:
                    error = _asked(connection, partial(declare_exchange, exchange=exchange))
                    refused += [f"exchange {exchange.name}: {masked(error.reply_text)}"] if error else []
            for queue in self._wanted.queues:
                if queue in remedies:
                    error = _asked(connection, partial(declare_queue, queue=queue))
                    refused += [f"queue {queue.name}: {masked(error.reply_text)}"] if error else []
                error = _asked(connection, partial(bind_queue, queue=queue))
                refused += [f"binding of queue {queue.name}: {masked(error.reply_text)}"] if error else []
        return refused

    def _depth_note(self, queue: Queue, depth: int) -> str:
        lying, them = ("1 message lies", "it") if depth == 1 else (f"{depth:,} messages lie", "them")
        if queue.name == self._names.unrouted:
            return f"{lying} in {queue.name}: no queue of a consumer is bound for {them}"
        return f"{lying} in {queue.name}: consumers rejected {them}"

    @contextmanager
    def _connected(self, doing: str) -> Iterator[Any]:
        """Give a connection; whatever it raises is told in the words of the port."""
        connection: Any = None
        try:
            self._url = self._fresh() if self._fresh is not None else self._url
            connection = open_connection(self._url, self._settings)
            with connection.read_limit.within(CALL_SECONDS_MAX):
                yield connection
                connection.close()
        except (*READ_FAILURES, BrokerError) as error:
            raise _told(error, f"{doing} {self.place}") from error
        finally:
            if connection is not None:
                connection.collect()


def _look_at_exchange(connection: Any, exchange: Exchange) -> list[Difference]:
    thing = f"exchange {exchange.name}"
    error = _asked(connection, partial(declare_exchange, exchange=exchange, passive=True))
    error = error or _asked(connection, partial(declare_exchange, exchange=exchange))
    return [] if error is None else [_difference(thing, exchange, error, "consumers bind their queues to it again")]


def _look_at_queue(connection: Any, queue: Queue) -> tuple[list[Difference], int]:
    """Return what is wrong with a queue, and how many messages lie in it."""
    error, depth = _asked_for_depth(connection, queue)
    error = error or _asked(connection, partial(declare_queue, queue=queue))
    thing, besides = f"queue {queue.name}", "after its messages were taken elsewhere"
    return [] if error is None else [_difference(thing, queue, error, besides)], depth or 0


def _asked_for_depth(connection: Any, queue: Queue) -> tuple[AMQPError | None, int | None]:
    """Return how many messages lie in a queue, or else the refusal that speaks of it."""
    depths: list[int] = []
    error = _asked(connection, lambda channel: depths.append(declare_queue(channel, queue, passive=True).message_count))
    return error, depths[0] if depths else None


def _difference(thing: str, remedy: Exchange | Queue, error: AMQPError, besides: str) -> Difference:
    """Return what the broker's refusal says about a thing."""
    if error.reply_code == NOT_FOUND:
        return Difference(thing, "is missing", "`relay topology apply` makes it", remedy)
    if error.reply_code == NOT_ALLOWED:
        return Difference(
            thing,
            f"may not be declared: {masked(error.reply_text)}",
            "let the user configure what begins with the prefix",
        )
    if error.reply_code == LOCKED:
        return Difference(thing, "belongs to another connection alone", "find out which client declared it exclusive")
    problem = masked(error.reply_text)
    found = _UNEQUAL.search(problem)
    if found is not None:
        problem = f"has {found['what']} {_value(found['found'])}, wanted is {_value(found['wanted'])}"
    other = "RELAY_NAME_PREFIX or RELAY_BUS_QUEUE_TYPE" if isinstance(remedy, Queue) else "RELAY_NAME_PREFIX"
    return Difference(
        thing,
        problem,
        f"it cannot be changed: stop the relay, delete it ({besides}), run `relay topology apply`; or use another"
        f" {other}",
    )


def _value(words: str) -> str:
    found = _VALUE.match(words.strip())
    return found[1] if found else words.strip()


def _asked(connection: Any, question: Callable[[Any], object]) -> AMQPError | None:
    """Ask on a channel of its own, which a refusal closes; return a refusal that speaks of the thing asked about."""
    channel = connection.channel()
    try:
        question(channel)
    except AMQPError as error:
        if error.reply_code not in {NOT_ALLOWED, NOT_FOUND, LOCKED, UNEQUAL}:
            raise
        return error
    channel.close()
    return None


def _told(error: BaseException, doing: str) -> EventStoreError:
    told = broker_error(error, doing)
    return TryLaterError(str(told)) if isinstance(told, BrokerLostError) else SetUpError(str(told))

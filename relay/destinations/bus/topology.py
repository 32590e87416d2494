"""What the bus must have, as values: exchanges, and queues bound to them. The message format says what each is for."""

from dataclasses import dataclass

from relay.destinations.resource_names import Names


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange.

    Attributes:
        name: Its name.
        kind: `topic` or `fanout`.
        alternate: The exchange that gets what no binding of this one wants; None when there is none.
    """

    name: str
    kind: str
    alternate: str | None = None

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments of its declaration."""
        return {} if self.alternate is None else {"alternate-exchange": self.alternate}


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue, bound to the exchange of the same name.

    Attributes:
        name: Its name, and its exchange's.
        type: `quorum` or `classic`.
    """

    name: str
    type: str

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments of its declaration."""
        return {"x-queue-type": self.type}


@dataclass(frozen=True, slots=True)
class BusTopology:
    """What the relay declares, in an order in which it can be declared.

    Attributes:
        exchanges: The exchange of events comes last, so that nothing is published before its alternate exchange leads
            somewhere.
        queues: Each belongs to the exchange of its name.
    """

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]


def wanted(names: Names, queue_type: str) -> BusTopology:
    """Return what must be there."""
    own = (names.unrouted, names.dead_letters)
    return BusTopology(
        exchanges=(*(Exchange(name, "fanout") for name in own), Exchange(names.exchange, "topic", names.unrouted)),
        queues=tuple(Queue(name, queue_type) for name in own),
    )

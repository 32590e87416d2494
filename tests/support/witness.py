"""An independent consumer: takes everything from a queue of its own and keeps what came, as it came."""

import threading
from typing import NamedTuple

from eventstore import ids
from eventstore.system import SystemRuntime
from relay.demo.consumer import RabbitConsumer
from relay.destinations.bus.broker import BrokerError
from relay.testing import ReceivedMessage
from tests.support.servers import Corner

AGAIN_SECONDS = 0.2


class Seen(NamedTuple):
    """One message as it came."""

    aggregate_id: str
    number: int
    event_id: str
    at_ms: int

    @property
    def delay_ms(self) -> int:
        """How long after the making of the event's id, which the append does."""
        return self.at_ms - ids.timestamp_ms(self.event_id)


class Witness:
    """Consumes in a thread of its own until it is closed; while the broker is away it tries again.

    Attributes:
        messages: What came, repeats included.
        seen: The same, as a test about order and time wants it.
        failure: What ended it early; None while all is well.
    """

    def __init__(self, corner: Corner) -> None:
        self._consumer = RabbitConsumer(corner.rabbitmq_url, corner.run, SystemRuntime(), corner.names)
        self._consumer.connect()
        self._stop = threading.Event()
        self.messages: list[ReceivedMessage] = []
        self.seen: list[Seen] = []
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._take()
                except BrokerError:
                    self._stop.wait(AGAIN_SECONDS)
        except BaseException as failure:  # noqa: BLE001 - looked at by `close`
            self.failure = failure
        finally:
            self._consumer.close()

    def _take(self) -> None:
        for message in self._consumer.receive(0.5):
            headers = message.headers
            self.messages.append(message)
            self.seen.append(
                Seen(
                    str(headers["cloudEvents_subject"]),
                    int(headers["cloudEvents_sequencenumber"]),
                    message.message_id,
                    message.received_at_ms,
                ),
            )

    def close(self) -> None:
        """Stop consuming; what came is in `seen`."""
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        assert self.failure is None

    def first(self) -> list[Seen]:
        """Return the first delivery of every event, in the order in which they came."""
        firsts: dict[str, Seen] = {}
        for seen in list(self.seen):
            firsts.setdefault(seen.event_id, seen)
        return list(firsts.values())

    def first_deliveries(self) -> dict[str, list[int]]:
        """Return the numbers of each aggregate in the order in which they first came."""
        firsts: dict[str, list[int]] = {}
        for seen in self.first():
            firsts.setdefault(seen.aggregate_id, []).append(seen.number)
        return firsts

    def repeats(self) -> int:
        """Return how many messages had come before."""
        return len(self.seen) - len(self.first())

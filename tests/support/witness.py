"""An independent consumer: takes everything from a queue of its own and keeps a plain list of what came."""

import threading
from typing import NamedTuple

from eventstore.system import SystemRuntime
from relay.demo.consumer import RabbitConsumer
from tests.support.servers import Corner


class Seen(NamedTuple):
    """One message as it came."""

    aggregate_id: str
    number: int
    event_id: str


class Witness:
    """Consumes in a thread of its own until it is closed."""

    def __init__(self, corner: Corner) -> None:
        self._consumer = RabbitConsumer(corner.rabbitmq_url, corner.run, SystemRuntime(), corner.bus_names)
        self._consumer.connect()
        self._stop = threading.Event()
        self.seen: list[Seen] = []
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            for message in self._consumer.receive(0.5):
                headers = message.headers
                self.seen.append(
                    Seen(
                        str(headers["cloudEvents_subject"]),
                        int(headers["cloudEvents_sequencenumber"]),
                        message.message_id,
                    ),
                )
        self._consumer.close()

    def close(self) -> None:
        """Stop consuming; what came is in `seen`."""
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def first_deliveries(self) -> dict[str, list[int]]:
        """Return the numbers of each aggregate in the order in which they first came."""
        known: set[str] = set()
        firsts: dict[str, list[int]] = {}
        for seen in list(self.seen):
            if seen.event_id not in known:
                known.add(seen.event_id)
                firsts.setdefault(seen.aggregate_id, []).append(seen.number)
        return firsts

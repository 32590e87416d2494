"""What goes wrong by itself, and comes right again: outages, shards that split, a relay that is down, replays."""

from collections.abc import Callable

from relay.destinations.broker import Blocked
from tests.simulation.broker import SimulatedBroker
from tests.simulation.chance import Chance
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.index import SimulatedIndex
from tests.simulation.processes import Processes
from tests.simulation.scheduler import Scheduler

OUTBOX = "inventory_outbox"


class Weather:
    """Looks out of the window now and then. To add an outage: what begins and what ends it, in `look`."""

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Chance,
        *,
        passage: SimulatedPassage,
        broker: SimulatedBroker,
        index: SimulatedIndex,
        processes: Processes,
    ) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._passage = passage
        self._broker = broker
        self._index = index
        self._processes = processes
        self._draw = chance.stream("weather")
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self._relay_back_at: float | None = None

    def look(self) -> None:
        """Let something begin or end."""
        now = self._scheduler.seconds
        for end in [end for end in self._ends if end[0] <= now]:
            self._ends.remove(end)
            end[1]()
        self._broker.take_stragglers()
        self._outages()
        with self._passage.direct():
            self._shards()
        self._restart(now)

    def clear_up(self) -> None:
        """End everything that goes wrong."""
        self._chance.is_stormy = False
        for _, end in self._ends:
            end()
        self._ends.clear()
        self._broker.take_stragglers()

    def _outages(self) -> None:
        broker, index, strikes = self._broker, self._index, self._chance.strikes
        if strikes("weather.bus_down"):
            broker.is_down = True
            broker.drop_all()
            self._later(lambda: setattr(broker, "is_down", False))
        if strikes("weather.bus_stalled"):
            broker.is_stalled = True
            self._later(lambda: setattr(broker, "is_stalled", False))
        if strikes("weather.bus_blocked"):
            broker.block(Blocked("low on memory"))
            self._later(lambda: broker.block(None))
        if strikes("weather.bus_unroutable"):
            broker.is_unroutable = True
            self._later(lambda: setattr(broker, "is_unroutable", False))
        if strikes("weather.index_down"):
            index.is_down = True
            self._later(lambda: setattr(index, "is_down", False))
        if strikes("weather.index_refuses"):
            index.refuses = True
            self._later(lambda: setattr(index, "refuses", False))

    def _shards(self) -> None:
        database, strikes = self._passage.database, self._chance.strikes
        open_ids = database.open_shard_ids(OUTBOX)
        if len(open_ids) < 6 and strikes("weather.split_shard"):
            database.split_shard(OUTBOX, self._draw.choice(open_ids))
        if strikes("weather.rotate_shards"):
            database.rotate_shards(OUTBOX)
        if strikes("weather.trim"):
            database._feed(OUTBOX).trim(before_ms=self._processes.now_ms() + 1)
        if strikes("weather.replace_stream"):
            off = {"StreamSpecification": {"StreamEnabled": False}}
            new = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}
            database.call("UpdateTable", {"TableName": OUTBOX, **off})
            database.call("UpdateTable", {"TableName": OUTBOX, **new})

    def _restart(self, now: float) -> None:
        processes = self._processes
        relay = processes.relay
        if relay is None or relay.is_done:
            if self._relay_back_at is None:
                self._relay_back_at = now + self._draw.choice((0.0, 1.0, 10.0)) * self._chance.is_stormy
            elif self._relay_back_at <= now:
                self._relay_back_at = None
                processes.start_relay()
        elif self._chance.strikes("weather.stop_relay") and processes.relay_stop is not None:
            processes.relay_stop.set_quietly()
        operator = processes.operator
        if (operator is None or operator.is_done) and self._chance.strikes("weather.replay"):
            processes.start_replay()

    def _later(self, end: Callable[[], None]) -> None:
        self._ends.append((self._scheduler.seconds + self._draw.choice((1.0, 5.0, 20.0)), end))

"""What goes wrong by itself, and comes right again: outages, a feed that is replaced, a relay that is down, replays."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

from botocore.exceptions import ClientError

from eventstore.rows.item import row_key
from relay.destinations.bus.broker import Blocked
from tests.simulation.broker import SimulatedBroker
from tests.simulation.chance import Chance
from tests.simulation.checkers import OLD_CLASS, Checkers
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.index import SimulatedIndex
from tests.simulation.processes import Processes
from tests.simulation.scheduler import Scheduler

OUTBOX = "inventory_outbox"
RELAY = "inventory_relay"

_LOST = 0.3
"""Chance that what a queue was silent about is gone."""

_QUEUE_FAULTS: dict[str, Callable[[Random], tuple[str, bool | float]]] = {
    "weather.queue_refuses": lambda _: ("is_refusing", True),
    "weather.queue_silent": lambda _: ("is_silent", True),
    "weather.queue_slow": lambda draw: ("slow_seconds", draw.choice((0.5, 3.0, 12.0))),
}
"""What each does to a queue; it ends for all of them when any of them ends."""


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
        checkers: Checkers,
    ) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._passage = passage
        self._broker = broker
        self._index = index
        self._processes = processes
        self._draw = chance.stream("weather")
        self._checkers = checkers
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self.are_tables_there: Callable[[], bool] = lambda: True

    def look(self) -> None:
        """Let something begin or end."""
        now = self._scheduler.seconds
        for end in [end for end in self._ends if end[0] <= now]:
            self._ends.remove(end)
            end[1]()
        self._broker.take_stragglers()
        self._outages()
        if not self.are_tables_there():
            return
        with self._passage.direct():
            self._feed()
            self._old_mark()
        self._workers()
        self._operators()

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
        for fault, state in _QUEUE_FAULTS.items():
            if strikes(fault):
                queue = self._draw.choice(broker.queues)
                setattr(queue, *state(self._draw))
                lost = self._draw.random() < _LOST
                self._later(partial(broker.heal, queue, lost=lost))
        if strikes("weather.index_down"):
            index.is_down = True
            self._later(lambda: setattr(index, "is_down", False))
        if strikes("weather.index_refuses"):
            index.refuses = True
            self._later(lambda: setattr(index, "refuses", False))

    def _feed(self) -> None:
        if self._chance.strikes("weather.replace_stream"):
            database = self._passage.database
            off = {"StreamSpecification": {"StreamEnabled": False}}
            new = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}
            database.call("UpdateTable", {"TableName": OUTBOX, **off})
            database.call("UpdateTable", {"TableName": OUTBOX, **new})

    def _old_mark(self) -> None:
        """Park a commit for the bus as an older release might have, which did not look what is owed below it."""
        owed = self._checkers.owed()
        if not owed or not self._chance.strikes("weather.old_mark"):
            return
        texts = {"reason": {"S": "an older release has parked it"}, "errorClass": {"S": OLD_CLASS}}
        numbers = {name: {"N": "1"} for name in ("attempts", "firstFailedAt", "lastFailedAt")}
        request = {
            "TableName": OUTBOX,
            "Key": row_key(*self._draw.choice(owed)),
            "UpdateExpression": "SET parked = :marks",
            "ConditionExpression": "attribute_not_exists(parked) AND attribute_not_exists(delivered)",
            "ExpressionAttributeValues": {":marks": {"M": {"bus": {"M": {**texts, **numbers}}}}},
        }
        with suppress(ClientError):  # it has been touched already, so it stays as it is
            self._passage.database.observer().update_item(**request)

    def _workers(self) -> None:
        processes = self._processes
        processes.look_after_relays()
        for slot in processes.relays:
            if slot.is_running() and self._chance.strikes("weather.stop_relay"):
                processes.stop(slot)

    def _operators(self) -> None:
        """Let one operator at a time do something."""
        processes, strikes = self._processes, self._chance.strikes
        if processes.is_operating():
            return
        if strikes("weather.replay"):
            processes.start_replay()
        elif strikes("weather.release"):
            processes.start_operator("release")
        elif strikes("weather.drop"):
            processes.start_operator("drop")
        elif strikes("weather.pause_delivery"):
            processes.start_operator("pause")
            self._later(self._resume)

    def _resume(self) -> None:
        """Let delivery go on; whoever has paused it is not heard of any more."""
        if self._processes.operator is not None and self._processes.is_operating():
            self._processes.crash(self._processes.operator.process)
        if not self.are_tables_there():
            return
        key = {"recordType": {"S": "fleet"}, "recordKey": {"S": "pause"}}
        self._passage.database.observer().delete_item(TableName=RELAY, Key=key)

    def _later(self, end: Callable[[], None]) -> None:
        self._ends.append((self._scheduler.seconds + self._draw.choice((1.0, 5.0, 20.0)), end))

"""The way between the product and DynamoDB: a `Passage` on which time goes by, and nothing may be in reach.

What DynamoDB itself does to calls, reads, feeds and indexes comes from `eventstore.testing`'s own `Weather`; its faults
are those named `aws.…`. Here is what only a simulation can add: others act between a call, its effect and its reply, so
that a crash may strike there, and a transaction that is still being applied is met by whoever reads meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import EndpointConnectionError

from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError
from eventstore.testing.dynamodb.storage.items import Change
from tests.simulation.chance import Chance
from tests.simulation.reach import Reach
from tests.simulation.scheduler import Scheduler

Reply = dict[str, Any]
Request = Mapping[str, Any]

_URL = "http://dynamodb.simulated"


class SimulatedPassage:
    """The way of every call to the in-memory DynamoDB."""

    def __init__(self, scheduler: Scheduler, chance: Chance) -> None:
        self.database: InMemoryDynamoDB
        self._scheduler = scheduler
        self._chance = chance
        self.reach = Reach()
        self.on_request: Callable[[str, Request], None] = lambda *_: None
        self.on_reply: Callable[[Reply], None] = lambda _: None
        self._is_direct = False

    @contextmanager
    def direct(self) -> Iterator[None]:
        """Let calls through untouched: for the world itself, which sets up and changes shards."""
        before, self._is_direct = self._is_direct, True
        try:
            yield
        finally:
            self._is_direct = before

    def carry(self, operation: str, request: Request, effect: Callable[[], Reply]) -> Reply:
        """Return the reply of a call, if it comes to that."""
        if self._is_direct:
            return effect()
        self._scheduler.step(operation)
        self.on_request(operation, request)
        self._let_time_pass()
        if self.reach.is_lost_for(self._scheduler) or self._chance.strikes("dynamo.unreachable"):
            raise EndpointConnectionError(endpoint_url=_URL)
        if _is_mark(operation, request) and self._chance.strikes("dynamo.slow_mark"):
            self._scheduler.wait("slow", None, self._chance.stream("dynamo.slow_mark").uniform(0.5, 4.0))
        try:
            reply = effect()
        except (ServiceError, ConnectionLostError):
            self._return(operation)
            raise
        if operation == "TransactWriteItems" and self._chance.strikes("dynamo.slow_commit"):
            self._scheduler.wait("applying", None, self._chance.stream("dynamo.slow_commit").uniform(0.0, 2.5))
        self._return(operation)
        self.on_reply(reply)
        if operation == "UpdateItem" and self._chance.strikes("dynamo.cut_update"):
            return {}
        return reply

    def _return(self, operation: str) -> None:
        self._let_time_pass()
        self._scheduler.step(f"{operation} done")

    def _let_time_pass(self) -> None:
        draw = self._chance.stream("dynamo.latency")
        if draw.random() < 0.5:
            self._scheduler.wait("latency", None, draw.uniform(0.001, 0.02))
        if self._chance.strikes("dynamo.slow"):
            self._scheduler.wait("slow", None, draw.uniform(0.1, 3.0))


def _is_mark(operation: str, request: Request) -> bool:
    """Tell whether a call marks a row as parked: rare, and much must wait for it."""
    return operation == "UpdateItem" and request.get("UpdateExpression", "").startswith("SET parked")


def watch(database: InMemoryDynamoDB, watcher: Callable[[Sequence[Change]], None]) -> None:
    """Tell a watcher of all that one write has changed, as it changes: before its reply, its records, its readers."""
    commit = database._engine.commit

    def watched(changes: Sequence[Change], **named: Any) -> Sequence[Mapping[str, list[int]]]:
        written = commit(changes, **named)
        watcher([change for change in changes if not change.is_none])
        return written

    database._engine.commit = watched  # type: ignore[method-assign]

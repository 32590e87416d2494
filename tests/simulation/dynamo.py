"""What goes wrong between the product and DynamoDB: a `Passage` on which calls are delayed, refused, lost and cut.

Each call is at least two steps, before its effect and after it, so that a crash may strike between them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb.errors import ServiceError, transaction_cancelled
from tests.simulation.chance import Chance
from tests.simulation.feed import SimulatedFeed
from tests.simulation.scheduler import Scheduler

Reply = dict[str, Any]
Request = Mapping[str, Any]
_Key = tuple[str, str, str]

_STREAMS = frozenset({"DescribeStream", "GetShardIterator", "GetRecords", "ListStreams"})
_SINGLE_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"})
_PLAIN_READS = frozenset({"Query", "Scan", "BatchGetItem", "GetItem"})
_EVENT_HIDDEN_SECONDS = 0.15
"""Readers of history wait longer than that for a transaction that is being applied; see `eventstore.gapless`."""

_URL = "http://dynamodb.simulated"


class SimulatedPassage:
    """The way of every call to the in-memory DynamoDB."""

    def __init__(self, scheduler: Scheduler, chance: Chance) -> None:
        self.database: InMemoryDynamoDB
        self.feed: SimulatedFeed
        self.on_effect: Callable[[str, Request], None] = lambda _operation, _request: None
        self._scheduler = scheduler
        self._chance = chance
        self._is_direct = False
        self._hidden: dict[_Key, int] = {}

    @contextmanager
    def direct(self) -> Iterator[None]:
        """Let calls through untouched: for the world itself, which looks at the truth."""
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
        self._may_wait()
        self._refuse(operation, request)
        try:
            reply = self._carried_out(operation, request, effect)
        except ServiceError:
            self._reveal(operation, request)
            raise
        if operation == "TransactWriteItems":
            self._hide(request)
        self._may_wait()
        self._scheduler.step(f"{operation} done")
        if operation not in _STREAMS and self._chance.strikes("dynamo.lost_after"):
            raise ReadTimeoutError(endpoint_url=_URL)
        self._reveal(operation, request)  # whoever was told nothing cannot know that it is over, so it may last
        if operation != "GetItem" and self._chance.strikes(  # a cut reply of GetItem is that of an absent item
            "feed.cut_reply" if operation in _STREAMS else "dynamo.cut_reply"
        ):
            return {}
        return reply

    def _may_wait(self) -> None:
        draw = self._chance.stream("dynamo.latency")
        if draw.random() < 0.5:
            self._scheduler.wait("latency", None, draw.uniform(0.001, 0.02))
        if self._chance.strikes("dynamo.slow"):
            self._scheduler.wait("slow", None, draw.uniform(0.1, 3.0))

    def _refuse(self, operation: str, request: Request) -> None:
        """Raise what keeps a call from having its effect."""
        chance = self._chance
        if chance.strikes("dynamo.unreachable"):
            raise EndpointConnectionError(endpoint_url=_URL)
        if chance.strikes("dynamo.error"):
            raise ServiceError("InternalServerError", "told to fail", status=500)
        if chance.strikes("dynamo.lost_before"):
            raise ReadTimeoutError(endpoint_url=_URL)
        if chance.strikes("dynamo.throttle"):
            if operation.startswith("Transact"):
                codes = [{"Code": "ThrottlingError"}, *({"Code": "None"} for _ in request["TransactItems"][1:])]
                raise transaction_cancelled(codes)
            raise ServiceError("ProvisionedThroughputExceededException", "told to be slow")
        if operation == "GetRecords" and chance.strikes("feed.expired_iterator"):
            raise ServiceError("ExpiredIteratorException", "told to expire")
        if operation.startswith("Transact") and self._is_in_conflict(request):
            codes = [{"Code": "TransactionConflict"}, *({"Code": "None"} for _ in request["TransactItems"][1:])]
            raise transaction_cancelled(codes)
        if operation in _SINGLE_WRITES - {"BatchWriteItem"} and chance.strikes("dynamo.conflict"):
            raise ServiceError("TransactionConflictException", "told to be in conflict")

    def _is_in_conflict(self, request: Request) -> bool:
        keys = [
            _key(action["Get"]["TableName"], action["Get"]["Key"])
            for action in request["TransactItems"]
            if "Get" in action
        ]
        return any(self._is_hidden(key) for key in keys) or self._chance.strikes("dynamo.conflict")

    def _carried_out(self, operation: str, request: Request, effect: Callable[[], Reply]) -> Reply:
        changed = self._changed(operation, request)
        if operation in _STREAMS:
            self.feed.let_in(everything=not self._chance.is_stormy)
        if changed is None:
            reply = effect()
        elif operation == "BatchWriteItem":
            reply = self._partly(request)
        elif operation == "GetRecords" and changed is request:
            reply = {"Records": [], "NextShardIterator": request["ShardIterator"]}
        else:
            with self.direct():
                reply = self.database.call(operation, changed)
        self.on_effect(operation, request)
        if operation in _PLAIN_READS and self._hidden:
            self._leave_out_hidden(operation, request, reply)
        if operation == "DescribeStream" and self._chance.strikes("feed.late_listing"):
            reply["StreamDescription"]["Shards"] = reply["StreamDescription"]["Shards"][:-1]
        return reply

    def _changed(self, operation: str, request: Request) -> Request | None:
        """Return the request to carry out instead, None for the one there is."""
        draw, chance = self._chance.stream("dynamo.pages"), self._chance
        if operation in {"Query", "Scan"} and chance.strikes("dynamo.short_page"):
            return {**request, "Limit": min(request.get("Limit", 1000), draw.randint(1, 5))}
        if operation == "BatchWriteItem" and chance.strikes("dynamo.unprocessed"):
            return request
        if operation == "GetRecords" and chance.strikes("feed.empty_page"):
            return request
        if operation == "GetRecords" and chance.strikes("feed.short_page"):
            return {**request, "Limit": draw.randint(1, 4)}
        return None

    def _partly(self, request: Request) -> Reply:
        """Carry out a part of a batch."""
        draw = self._chance.stream("dynamo.pages")
        ((table, writes),) = request["RequestItems"].items()
        done = draw.randint(0, len(writes) - 1)
        if done:
            with self.direct():
                self.database.call("BatchWriteItem", {**request, "RequestItems": {table: writes[:done]}})
        return {"UnprocessedItems": {table: writes[done:]}}

    def _reveal(self, operation: str, request: Request) -> None:
        """Hide the rows of a transaction no longer: its writer knows what became of it."""
        if operation == "TransactWriteItems":
            for put in (action["Put"] for action in request["TransactItems"] if "Put" in action):
                self._hidden.pop(_key(put["TableName"], put["Item"]), None)

    def _hide(self, request: Request) -> None:
        """Hide rows of a transaction that is still being applied from reads that may answer from before it."""
        puts = [action["Put"] for action in request["TransactItems"] if "Put" in action]
        own = {put["Item"]["aggregateId"]["S"] for put in puts}
        for key in [key for key in self._hidden if key[1] in own and key[0].endswith("_events")]:
            del self._hidden[key]  # a later commit checked what is below it, so that was applied
        if not self._chance.strikes("dynamo.hidden"):
            return
        draw = self._chance.stream("dynamo.hidden keys")
        keys = [_key(put["TableName"], put["Item"]) for put in puts if draw.random() < 0.6]
        for key in keys:
            seconds = _EVENT_HIDDEN_SECONDS if key[0].endswith("_events") else draw.uniform(0.05, 2.0)
            self._hidden[key] = self._scheduler.now_us + round(seconds * 1e6)
        self._scheduler.wait("applying", None, draw.uniform(0.0, 1.5))

    def _is_hidden(self, key: _Key) -> bool:
        return self._hidden.get(key, -1) > self._scheduler.now_us

    def _leave_out_hidden(self, operation: str, request: Request, reply: Reply) -> None:
        if operation == "GetItem":
            if "Item" in reply and self._is_hidden(_key(request["TableName"], request["Key"])):
                del reply["Item"]
        elif operation == "BatchGetItem":
            for table, items in reply["Responses"].items():
                items[:] = [item for item in items if not self._is_hidden(_key(table, item))]
        elif "IndexName" not in request:
            table = request["TableName"]
            reply["Items"] = [item for item in reply["Items"] if not self._is_hidden(_key(table, item))]


def _key(table: str, item: Mapping[str, Any]) -> _Key:
    if "aggregateId" not in item:
        return (table, "", "")
    return (
        table,
        item["aggregateId"]["S"],
        str(next(iter(item.get("sequenceNumber", item.get("key", {})).values()), "")),
    )

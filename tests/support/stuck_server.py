"""An in-memory DynamoDB over HTTP that hangs, throttles or loses replies at the operations that a test names."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError
from eventstore.testing.http import Databases, DevServer

HANG_SECONDS_MAX = 60.0
JOIN_SECONDS = 10.0


class Passage:
    """Decides what becomes of each call.

    Attributes:
        hangs: Operations that are never answered.
        loses: Operations that are carried out, and whose reply is lost.
        throttles: Operations that are refused for load.
        calls: Every operation that was asked for, in order.
    """

    def __init__(self) -> None:
        self.hangs: set[str] = set()
        self.loses: set[str] = set()
        self.throttles: set[str] = set()
        self.calls: list[str] = []
        self.over = threading.Event()

    def carry(self, operation: str, _request: Mapping[str, Any], effect: Callable[[], Any]) -> Any:
        """Return the reply of a call, or what happens instead."""
        self.calls.append(operation)
        if operation in self.hangs:
            self.over.wait(HANG_SECONDS_MAX)
            raise ConnectionLostError("before the reply")
        if operation in self.throttles:
            raise ServiceError("ThrottlingException", "Rate exceeded")
        reply = effect()
        if operation in self.loses:
            raise ConnectionLostError("before the reply")
        return reply


@contextmanager
def stuck_server() -> Iterator[tuple[str, Passage]]:
    """Yield the address of a server that keeps well until its passage is told otherwise."""
    passage = Passage()
    server = DevServer()
    server._server.databases = Databases(lambda *_: InMemoryDynamoDB(passage=passage))
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server.url, passage
    finally:
        passage.over.set()
        server.stop()
        thread.join(JOIN_SECONDS)
        server.close()

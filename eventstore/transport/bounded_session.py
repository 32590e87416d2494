"""A client of boto3 that keeps to its bounds: so many connections at once, and no longer than a call may take.

boto3 takes time-outs for a client, not for a call, and its number of connections is how many it keeps, not how many it
opens. Where a version of it keeps its connections otherwise, a test with a server that hangs would show it.
"""

from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

from botocore.exceptions import BotoCoreError
from urllib3.util import Timeout

from eventstore.transport.bounded_socket import bounded
from eventstore.transport.time_limit import CURRENT

_SECONDS_LEAST = 0.001
"""urllib3 takes no time-out of 0."""


class NoConnectionFreeError(BotoCoreError):
    """All connections of a client were in use for as long as the call could wait; nothing was sent."""

    fmt = "all {count} connections of the client were busy for {seconds:.1f} s: make fewer calls at once, or allow more"

    def __init__(self, *, count: int, seconds: float) -> None:
        super().__init__(count=count, seconds=seconds)


class _CallTimeout(Timeout):
    """The time-outs of a client, shortened to what the call of this thread may take.

    urllib3 asks for a copy before each request.
    """

    def clone(self) -> Timeout:
        """Return the time-outs of the request that is about to be sent."""
        timeout = super().clone()
        left = CURRENT.left_seconds()
        if left is not None:
            timeout.total = max(left, _SECONDS_LEAST)  # which shortens both others where they are longer
        return timeout


def bound(client: Any, *, connections_max: int, connect_seconds: float, read_seconds: float) -> None:
    """Have a client's requests wait for one of so many connections, and end when the time of their call is over.

    Args:
        client: boto3's.
        connections_max: Requests on their way at once.
        connect_seconds: How long a connection may take to come about.
        read_seconds: How long an answer may take. A request waits for a connection as long as both together, or for
            the time of its call.
    """
    session = client._endpoint.http_session  # noqa: SLF001 - nothing public leads there
    timeout = _CallTimeout(connect=float(connect_seconds), read=float(read_seconds))
    session._timeout = timeout  # noqa: SLF001 - for connections through a proxy
    session._manager.connection_pool_kw["timeout"] = timeout  # noqa: SLF001 - for all others
    pools = session._pool_classes_by_scheme  # noqa: SLF001 - and for an answer that comes drop by drop
    for scheme, pool in pools.items():
        pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": bounded(pool.ConnectionCls)})
    session.send = _in_turn(session.send, connections_max, connect_seconds + read_seconds)


def _in_turn(send: Callable[[Any], Any], count: int, patience_seconds: float) -> Callable[[Any], Any]:
    """Return a `send` of which so many run at once; it reads the whole reply, so that its connection is free after."""
    connections = BoundedSemaphore(count)

    def send_in_turn(request: Any) -> Any:
        left = CURRENT.left_seconds()
        seconds = patience_seconds if left is None else min(left, patience_seconds)
        if not connections.acquire(timeout=seconds):
            raise NoConnectionFreeError(count=count, seconds=seconds)
        try:
            return send(request)
        finally:
            connections.release()

    return send_in_turn

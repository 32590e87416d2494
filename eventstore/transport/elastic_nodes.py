"""Elasticsearch at one or several addresses: a call goes from node to node until one answers, within its time.

Every call has a time-out of its own, which holds also for an answer that comes byte by byte.
"""

import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from elastic_transport import ApiResponseMeta, NodeConfig, TransportError, Urllib3HttpNode
from elasticsearch import Elasticsearch

from eventstore.transport import forks, nodes
from eventstore.transport.addresses import masked
from eventstore.transport.bounded_socket import bounded
from eventstore.transport.nodes import Standing
from eventstore.transport.time_limit import CURRENT, SECONDS_MIN

T = TypeVar("T")

_PRODUCT = "x-elastic-product"


class NodeFailedError(Exception):
    """A node gave no usable answer, so that another is worth asking; made of the error that the call ends in else."""

    @property
    def error(self) -> Exception:
        """What the call ends in when no node answers."""
        error: Exception = self.args[0]
        return error


class OnChange(Protocol):
    """Told when one of several nodes is left out, and when it is back."""

    def __call__(self, node: str, reason: str | None) -> None:
        """Take a node's address without credentials, and why it is left out; None when it is back."""
        ...


class Nodes:
    """Clients of Elasticsearch, one for each address; threads may share them.

    Args:
        urls: `http://host:port` or `https://user:password@host:port`; several with commas between.
        api_key: Used instead of user and password.
        ca_certs: File with the certificate authority of the servers, when it is not one the system knows.
        serializers: By mime type, instead of the client's own.
        on_change: Told when one of several nodes is left out, and when it is back.

    Raises:
        ValueError: An address lacks its scheme, host or port; the words hold no credentials.
    """

    def __init__(
        self,
        urls: str,
        *,
        api_key: str | None = None,
        ca_certs: str | None = None,
        serializers: dict[str, Any] | None = None,
        on_change: OnChange | None = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "max_retries": 0,  # whoever calls tries again, and waits through its ports
            "retry_on_timeout": False,
            "retry_on_status": (),
            "node_class": BoundedNode,
        }
        given = {"api_key": api_key, "ca_certs": ca_certs, "serializers": serializers}
        self._options |= {name: value for name, value in given.items() if value is not None}
        self._urls = [url.strip() for url in urls.split(",")]
        self._clients: list[Elasticsearch | None] = [self._made(url) for url in self._urls]
        self._places = [_place(client) for client in self._clients if client is not None]
        self._standings = [Standing() for _ in self._urls]  # each is replaced as a whole: threads need no lock
        self._reasons = [""] * len(self._urls)
        self._turns = itertools.count()
        self._on_change = on_change

    @property
    def places(self) -> Sequence[str]:
        """The addresses, without credentials."""
        return self._places

    def left_out(self) -> dict[str, str]:
        """Return why nodes are left out for now, by their addresses without credentials."""
        return {
            self._places[number]: self._reasons[number]
            for number, standing in enumerate(self._standings)
            if not standing.is_well
        }

    def ask(
        self,
        timeout_seconds: float,
        attempt: Callable[[Elasticsearch, str, float], T],
        none_answers: Callable[[Sequence[Exception]], Exception],
    ) -> T:
        """Ask one node after the other until one answers, and return what it says.

        Args:
            timeout_seconds: The time of all together; each node gets a share of it.
            attempt: Asks a node, given its address and its seconds; repeating it must be safe. It raises
                `NodeFailedError` when another is worth asking, and anything else ends the call.
            none_answers: Returns what the call ends in when none answers, given the error of each; of a single node's
                address the error is raised as it is.
        """
        ends_at = time.monotonic() + timeout_seconds
        order = nodes.order(self._standings, next(self._turns), time.monotonic())
        any_well = any(standing.is_well for standing in self._standings)
        errors: list[Exception] = []
        for place, number in enumerate(order):
            left = ends_at - time.monotonic()
            if errors and left < SECONDS_MIN:
                break  # those before it took all of the time
            others = len(order) - 1 - place
            on_trial = any_well and not self._standings[number].is_well
            try:
                answer = attempt(
                    self._client(number), self._places[number], nodes.share_seconds(left, others, on_trial=on_trial)
                )
            except NodeFailedError as failure:
                errors.append(failure.error)
                self._failed(number, str(failure.error))
                continue
            except Exception:
                self._answered(number)
                raise
            self._answered(number)
            return answer
        raise none_answers(errors) if len(self._urls) > 1 else errors[0]

    def close(self) -> None:
        """Release connections; later calls open connections again."""
        for number, client in enumerate(self._clients):
            self._clients[number] = None
            if client is not None:
                with contextlib.suppress(TransportError, OSError):
                    client.close()

    def _client(self, number: int) -> Elasticsearch:
        client = self._clients[number]
        if client is None:
            client = self._clients[number] = self._made(self._urls[number])
        return client

    def _made(self, url: str) -> Elasticsearch:
        try:
            return Elasticsearch(url, **self._options)
        except ValueError as error:
            raise ValueError(masked(str(error))) from None  # the error's own words hold the password

    def _failed(self, number: int, reason: str) -> None:
        was_well = self._standings[number].is_well
        self._reasons[number] = reason
        self._standings[number] = self._standings[number].failed(time.monotonic())
        if was_well and len(self._urls) > 1 and self._on_change is not None:
            self._on_change(self._places[number], reason)

    def _answered(self, number: int) -> None:
        if self._standings[number].is_well:
            return
        self._standings[number] = Standing()
        if len(self._urls) > 1 and self._on_change is not None:
            self._on_change(self._places[number], None)


class BoundedNode(Urllib3HttpNode):
    """A node whose calls end in time, also when the answer drips in; a forked process opens connections of its own."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        pool: Any = self.pool
        pool.ConnectionCls = bounded(pool.ConnectionCls)
        pool._get_conn = _waiting(pool._get_conn)  # noqa: SLF001 - nothing public leads there
        forks.renew_in_child(pool, _without_connections)

    def perform_request(self, *given: Any, **named: Any) -> Any:
        """Make a call within its time-out; see the base class."""
        CURRENT.begin(named["request_timeout"])
        try:
            return super().perform_request(*given, **named)
        finally:
            CURRENT.ends_at = None


def is_elasticsearchs(meta: ApiResponseMeta) -> bool:
    """Tell whether an answer is Elasticsearch's own, and not that of a proxy before it or of another server."""
    return bool(meta.headers.get(_PRODUCT))


def words_of(error: Exception) -> str:
    """Return what went wrong on the way to a node; the client's own words for it leave the cause out."""
    said = str(error)
    if isinstance(error, TransportError) and str(error.message) not in said:
        return f"{said}: {error.message}"
    return said


def _place(client: Elasticsearch) -> str:
    (node,) = client.transport.node_pool.all()
    return node.base_url


def _waiting(connection: Callable[..., Any]) -> Callable[..., Any]:
    """Return what gives a connection of a pool, and waits for a free one no longer than the call may take."""

    def in_time(timeout: float | None = None) -> Any:
        return connection(timeout=CURRENT.left_seconds() if timeout is None else timeout)

    return in_time


def _without_connections(pool: Any) -> None:
    forks.leave_to_parent(pool.pool)
    pool.pool = type(pool.pool)(pool.pool.maxsize)
    for _ in range(pool.pool.maxsize):
        pool.pool.put(None)

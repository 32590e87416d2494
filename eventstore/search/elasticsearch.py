"""Elasticsearch behind the search port: one attempt per call, every call with a time-out, replies as they came."""

import contextlib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from elastic_transport import NodeConfig, Serializer, TransportError, Urllib3HttpNode
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

from eventstore import jsontext
from eventstore.errors import EndpointError
from eventstore.search.client import SearchCallError, SearchLostError, SearchStatusError
from eventstore.transport import forks
from eventstore.transport.addresses import masked
from eventstore.transport.bounded_socket import bounded
from eventstore.transport.time_limit import CURRENT

_JSON = {"accept": "application/json", "content-type": "application/json"}
_OVERLOADED = frozenset({408, 429})
_SERVER_ERRORS_FROM = 500
_NOT_FOUND = 404
_TOLD_MAX = 400

T = TypeVar("T")


class _Verbatim(Serializer):
    """Passes bodies through as bytes: payloads keep every digit, and nothing is decoded twice."""

    mimetype = "application/json"

    def loads(self, data: bytes) -> Any:
        """Return the reply's body as it came."""
        return data

    def dumps(self, data: Any) -> bytes:
        """Return the body of a request, encoded already."""
        assert isinstance(data, bytes), "bodies are encoded by the caller"
        return data


class _BoundedNode(Urllib3HttpNode):
    """A node whose calls end in time, also when the answer drips in; a forked process opens connections of its own."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        pool: Any = self.pool
        pool.ConnectionCls = bounded(pool.ConnectionCls)
        forks.renew_in_child(pool, _without_connections)

    def perform_request(self, *given: Any, **named: Any) -> Any:
        """Make a call within its time-out; see the base class."""
        CURRENT.begin(named["request_timeout"])
        try:
            return super().perform_request(*given, **named)
        finally:
            CURRENT.ends_at = None


def _without_connections(pool: Any) -> None:
    forks.leave_to_parent(pool.pool)
    pool.pool = type(pool.pool)(pool.pool.maxsize)
    for _ in range(pool.pool.maxsize):
        pool.pool.put(None)


class _Cause(msgspec.Struct):
    type: str = ""
    reason: str | None = None


class _Fault(msgspec.Struct):
    type: str = ""
    reason: str | None = None
    root_cause: list[_Cause] = []


class _Refusal(msgspec.Struct):
    error: _Fault | str | None = None


class _Shards(msgspec.Struct):
    failed: int = 0


class _Count(msgspec.Struct):
    count: int
    shards: _Shards = msgspec.field(name="_shards", default_factory=_Shards)


class _View(msgspec.Struct):
    id: str


class _IndexSettings(msgspec.Struct):
    settings: dict[str, str] = {}


class ElasticsearchSearch:
    """A `SearchClient` on Elasticsearch 8; threads may share one.

    Args:
        urls: `http://host:port` or `https://user:password@host:port`; several with commas between.
        api_key: Used instead of user and password.
        ca_certs: File with the certificate authority of the servers, when it is not one the system knows.

    Raises:
        EndpointError: An address lacks its scheme, host or port.
    """

    def __init__(self, urls: str, *, api_key: str | None = None, ca_certs: str | None = None) -> None:
        options: dict[str, Any] = {
            "max_retries": 0,  # the search itself tries again, and waits through its ports
            "retry_on_timeout": False,
            "node_class": _BoundedNode,
            "retry_on_status": (),
            "serializers": {"application/json": _Verbatim()},
        }
        if api_key is not None:
            options["api_key"] = api_key
        if ca_certs is not None:
            options["ca_certs"] = ca_certs
        try:
            self._client = Elasticsearch([url.strip() for url in urls.split(",")], **options)
        except ValueError as error:
            # not from the error itself, whose words hold the password
            raise EndpointError(f"no client for the search index can be created: {masked(str(error))}") from None

    def search(self, alias: str | None, body: Mapping[str, Any], timeout_seconds: float) -> bytes:
        """See `SearchClient.search`."""
        path = "/_search" if alias is None else f"/{alias}/_search"
        return self._call("POST", path, timeout_seconds, body=body, params={"allow_partial_search_results": "false"})

    def count(self, alias: str, body: Mapping[str, Any], timeout_seconds: float) -> int:
        """See `SearchClient.count`."""
        reply = _read(self._call("POST", f"/{alias}/_count", timeout_seconds, body=body), _Count)
        if reply.shards.failed:
            raise SearchLostError(f"{reply.shards.failed} shards did not count")
        return reply.count

    def open_view(self, alias: str, keep_alive_seconds: int, timeout_seconds: float) -> str:
        """See `SearchClient.open_view`."""
        params = {"keep_alive": f"{keep_alive_seconds}s"}
        return _read(self._call("POST", f"/{alias}/_pit", timeout_seconds, params=params), _View).id

    def close_view(self, view: str, timeout_seconds: float) -> None:
        """See `SearchClient.close_view`."""
        try:
            self._call("DELETE", "/_pit", timeout_seconds, body={"id": view})
        except SearchStatusError as error:
            if error.status != _NOT_FOUND:
                raise

    def refresh(self, alias: str, timeout_seconds: float) -> None:
        """See `SearchClient.refresh`."""
        self._call("POST", f"/{alias}/_refresh", timeout_seconds)

    def refresh_intervals(self, alias: str, timeout_seconds: float) -> Mapping[str, str | None]:
        """See `SearchClient.refresh_intervals`."""
        path = f"/{alias}/_settings/index.refresh_interval,index.uuid"  # the second lists every index
        reply = self._call("GET", path, timeout_seconds, params={"flat_settings": "true"})
        found = _read(reply, dict[str, _IndexSettings])
        return {name: each.settings.get("index.refresh_interval") for name, each in found.items()}

    def close(self) -> None:
        """See `SearchClient.close`."""
        with contextlib.suppress(TransportError, OSError):
            self._client.close()

    def _call(
        self,
        method: str,
        path: str,
        timeout_seconds: float,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> bytes:
        client = self._client.options(request_timeout=timeout_seconds)
        content = None if body is None else msgspec.json.encode(body)
        try:
            reply: Any = client.perform_request(method, path, params=params, headers=_JSON, body=content).body
        except UnsupportedProductError as error:
            raise SearchStatusError(
                400, "not_elasticsearch", "the server at this address is not Elasticsearch"
            ) from error
        except ApiError as error:
            raise _refusal(error) from error
        except (TransportError, OSError, *jsontext.FAULTS) as error:  # the client reads headers, and some replies
            told = str(error)[:_TOLD_MAX]
            raise SearchLostError(f"no answer to {method} {path.split('?', maxsplit=1)[0]}: {told}") from error
        if not isinstance(reply, bytes):
            raise SearchLostError(f"the reply to {method} {path} is not JSON")
        return reply


def _read(reply: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(reply, type=kind)
    except jsontext.FAULTS as error:
        raise SearchLostError(f"a reply cannot be read: {error}") from error


def _refusal(error: ApiError) -> SearchCallError:
    status, kind, reason = error.status_code, "", ""
    content: Any = error.body
    try:
        fault = msgspec.json.decode(content, type=_Refusal).error if isinstance(content, bytes) else str(content)
    except jsontext.FAULTS:
        fault = repr(content[:200])
    match fault:
        case _Fault(root_cause=[cause, *_]):
            kind, reason = cause.type, cause.reason or ""
        case _Fault():
            kind, reason = fault.type, fault.reason or ""
        case _:
            kind, reason = "http", str(fault)[:200]
    if kind == "cluster_block_exception" or status in _OVERLOADED or status >= _SERVER_ERRORS_FROM:
        return SearchLostError(f"the index accepts no requests now: {kind}: {reason} (status {status})")
    return SearchStatusError(status, kind, reason)

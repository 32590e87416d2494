"""Elasticsearch behind the search port: one attempt per node, every call with a time-out, replies as they came."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from elastic_transport import Serializer, TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

from eventstore import jsontext
from eventstore.errors import EndpointError
from eventstore.search import visibility
from eventstore.search.client import SearchCallError, SearchLostError, SearchStatusError
from eventstore.transport.addresses import masked
from eventstore.transport.elastic_nodes import NodeFailedError, Nodes, is_elasticsearchs, words_of

_JSON = {"accept": "application/json", "content-type": "application/json"}
_OVERLOADED = frozenset({408, 429})
_OF_THE_NODE = frozenset({408})
_SERVER_ERRORS_FROM = 500
_NOT_FOUND = 404
_TOLD_MAX = 400
_ALL_TOLD_MAX = 1_200

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


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


class _IndexState(msgspec.Struct):
    aliases: dict[str, dict[str, Any]] = {}
    mappings: dict[str, dict[str, dict[str, Any]]] = {}


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
        try:
            self._nodes = Nodes(
                urls,
                api_key=api_key,
                ca_certs=ca_certs,
                serializers={"application/json": _Verbatim()},
                on_change=_tell,
            )
        except ValueError as error:
            # not from the error itself, whose words hold the password
            raise EndpointError(f"no client for the search index can be created: {masked(str(error))}") from None

    def search(self, alias: str | None, body: Mapping[str, Any], timeout_seconds: float) -> bytes:
        """See `SearchClient.search`."""
        path = "/_search" if alias is None else f"/{alias}/_search"
        return self._call(
            "POST", path, timeout_seconds, bytes, body=body, params={"allow_partial_search_results": "false"}
        )

    def count(self, alias: str, body: Mapping[str, Any], timeout_seconds: float) -> int:
        """See `SearchClient.count`."""
        reply = self._call("POST", f"/{alias}/_count", timeout_seconds, _as(_Count), body=body)
        if reply.shards.failed:
            raise SearchLostError(f"{reply.shards.failed} shards did not count")
        return reply.count

    def open_view(self, alias: str, keep_alive_seconds: int, timeout_seconds: float) -> str:
        """See `SearchClient.open_view`."""
        params = {"keep_alive": f"{keep_alive_seconds}s"}
        return self._call("POST", f"/{alias}/_pit", timeout_seconds, _as(_View), params=params).id

    def close_view(self, view: str, timeout_seconds: float) -> None:
        """See `SearchClient.close_view`."""
        try:
            self._call("DELETE", "/_pit", timeout_seconds, bytes, body={"id": view})
        except SearchStatusError as error:
            if error.status != _NOT_FOUND:
                raise

    def refresh(self, alias: str, timeout_seconds: float) -> None:
        """See `SearchClient.refresh`."""
        self._call("POST", f"/{alias}/_refresh", timeout_seconds, bytes)

    def refresh_intervals(self, alias: str, timeout_seconds: float) -> Mapping[str, str | None]:
        """See `SearchClient.refresh_intervals`."""
        path = f"/{alias}/_settings/index.refresh_interval,index.uuid"  # the second lists every index
        found = self._call(
            "GET", path, timeout_seconds, _as(dict[str, _IndexSettings]), params={"flat_settings": "true"}
        )
        return {name: each.settings.get("index.refresh_interval") for name, each in found.items()}

    def hidden(self, alias: str, timeout_seconds: float) -> Mapping[str, str]:
        """See `SearchClient.hidden`."""
        params = {
            "expand_wildcards": "all",
            "ignore_unavailable": "true",
            "allow_no_indices": "true",
            "filter_path": "*.aliases,*.mappings.properties.*.type,*.settings.index.uuid,error",
        }
        found = self._call("GET", f"/{alias}-*", timeout_seconds, _as(dict[str, _IndexState]), params=params)
        reasons = {
            name: visibility.hidden_because({"aliases": each.aliases, "mappings": each.mappings}, alias)
            for name, each in sorted(found.items())
            if visibility.is_of_the_store(name, alias)
        }
        return {name: why for name, why in reasons.items() if why is not None}

    def close(self) -> None:
        """See `SearchClient.close`."""
        self._nodes.close()

    def _call(
        self,
        method: str,
        path: str,
        timeout_seconds: float,
        read: Callable[[bytes], T],
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> T:
        """Return what the reply of the first node that answers is read as."""
        content = None if body is None else msgspec.json.encode(body)

        def attempt(client: Elasticsearch, where: str, seconds: float) -> T:
            bounded = client.options(request_timeout=seconds)
            with _translated(f"{method} {path.split('?', maxsplit=1)[0]}", where):
                reply: Any = bounded.perform_request(method, path, params=params, headers=_JSON, body=content).body
                if not isinstance(reply, bytes):
                    raise SearchLostError(f"the reply to {method} {path} is not JSON")
                return read(reply)

        return self._nodes.ask(timeout_seconds, attempt, _none_answers)


@contextlib.contextmanager
def _translated(what: str, where: str) -> Iterator[None]:
    """Raise the port's errors, and `NodeFailedError` around those after which another node is worth asking."""
    try:
        yield
    except UnsupportedProductError as error:
        words = f"the server at {where} is not Elasticsearch"
        raise NodeFailedError(SearchStatusError(400, "not_elasticsearch", words)) from error
    except ApiError as error:
        refusal = _refusal(error)
        if error.status_code in _OF_THE_NODE or error.status_code >= _SERVER_ERRORS_FROM:
            raise NodeFailedError(refusal) from error
        if not is_elasticsearchs(error.meta):
            raise NodeFailedError(refusal) from error
        raise refusal from error
    except SearchLostError as error:
        raise NodeFailedError(error) from error
    except (TransportError, OSError, *jsontext.FAULTS) as error:  # the client reads headers, and some replies
        told = masked(words_of(error))[:_TOLD_MAX]
        raise NodeFailedError(SearchLostError(f"no answer to {what} from {where}: {told}")) from error


def _none_answers(errors: Sequence[Exception]) -> SearchCallError:
    """Return what a call ends in when no node gave a usable answer: a refusal only when all refuse."""
    words = "; ".join(str(error) for error in errors)[:_ALL_TOLD_MAX]
    refusals = [error for error in errors if isinstance(error, SearchStatusError)]
    if len(refusals) == len(errors):
        return SearchStatusError(refusals[0].status, refusals[0].kind, words)
    return SearchLostError(words)


def _tell(node: str, reason: str | None) -> None:
    if reason is None:
        _LOG.info("the node of the search index at %s is back", node)
    else:
        _LOG.warning("the node of the search index at %s is left out for a while: %s", node, reason)


def _as(kind: type[T]) -> Callable[[bytes], T]:
    """Return what reads a reply as a kind."""

    def read(reply: bytes) -> T:
        try:
            return msgspec.json.decode(reply, type=kind)
        except jsontext.FAULTS as error:
            raise SearchLostError(f"a reply cannot be read: {error}") from error

    return read


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

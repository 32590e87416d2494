"""Elasticsearch behind the index port: raw bulk bodies, one attempt per node, every call with a time-out."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import structlog
from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

from eventstore.environment.access import Access, SecretFileError
from eventstore.search import visibility
from eventstore.transport.addresses import masked
from eventstore.transport.elastic_nodes import NodeFailedError, Nodes, words_of
from relay.destinations.index import differences as index_differences
from relay.destinations.index import elasticsearch_replies as replies
from relay.destinations.index.bulk_item import ItemVerdict
from relay.destinations.index.client import IndexLostError, IndexRefusedError
from relay.destinations.index.elasticsearch_replies import REASON_MAX_CHARACTERS, BulkReply
from relay.destinations.index.holdings import Holding, Holdings
from relay.destinations.index.settings import IndexSettings
from relay.destinations.index.template import merged, template

_JSON = {"accept": "application/json", "content-type": "application/json"}
_NDJSON = {"accept": "application/json", "content-type": "application/x-ndjson"}

_BULK_FILTER = "items.*._id,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason,error"
"""The parts of a bulk reply that are read; `error` too, or a refusal of the whole request would come back empty."""

T = TypeVar("T")

_SERVER_SHARE = 0.9
"""Share of the time-out after which the server itself gives up waiting for a shard, so that its verdicts still come."""


_LOOKED_AT = "*.aliases,*.mappings.properties.*.type,*.settings.index.uuid,error"
"""The parts of an index that say whether a search sees it; the last is never empty, so that none is left out."""

_WHAT_THERE_IS = {"ignore_unavailable": "true", "allow_no_indices": "true", "expand_wildcards": "all"}

_NAMES_MAX = 40
"""Indices that are named in one address, whose line has at most 4 KiB by default; for more, all are asked for."""

_FORBIDDEN, _NOT_FOUND = 403, 404


class _Named(msgspec.Struct):
    body: dict[str, Any] = msgspec.field(name="index_template")


class _Templates(msgspec.Struct):
    index_templates: list[_Named] = []


class _Docs(msgspec.Struct):
    count: int


class _Primaries(msgspec.Struct):
    docs: _Docs | None = None


class _IndexStats(msgspec.Struct):
    uuid: str
    status: str = "open"
    health: str = "green"
    primaries: _Primaries = msgspec.field(default_factory=_Primaries)


class _Stats(msgspec.Struct):
    indices: dict[str, _IndexStats] = {}


class _Settings(msgspec.Struct):
    settings: dict[str, str] = {}


class _Index(msgspec.Struct):
    aliases: dict[str, dict[str, Any]] = {}
    mappings: dict[str, dict[str, dict[str, Any]]] = {}


def _count(stats: _IndexStats) -> int | None:
    """Return how many documents an index holds; None when not all of its primary shards can say."""
    if stats.status != "open" or stats.health == "red" or stats.primaries.docs is None:
        return None
    return stats.primaries.docs.count


class ElasticsearchClient:
    """An `IndexClient` on Elasticsearch 8.

    Args:
        urls: `http://host:port` or `https://user:password@host:port`; several with commas between.
        settings: Names, shards and promoted fields, for the template.
        api_key: Used instead of user and password.
        ca_certs: File with the certificate authority of the servers, when it is not one the system knows.
        fresh: Returns addresses and API key as they are now, with other credentials maybe; asked before each request.

    Raises:
        ValueError: An address lacks its scheme, host or port.
    """

    def __init__(
        self,
        urls: str,
        settings: IndexSettings | None = None,
        *,
        api_key: str | None = None,
        ca_certs: str | None = None,
        fresh: Callable[[], Access] | None = None,
    ) -> None:
        self._settings = settings or IndexSettings()
        self._access = Access(urls, api_key)
        self._ca_certs = ca_certs
        self._fresh = fresh
        self._nodes = self._made(self._access)
        self._told: set[str] = set()
        self._log = structlog.get_logger()

    def prepare(self, timeout_seconds: float) -> None:
        """See `IndexClient.prepare`; a template of a later version is left as it is.

        Nothing is written when nothing is missing. Without the right to see templates that is not known, and nothing is
        written either: a look at each index shows what came of it.
        """
        wanted = template(self._settings)
        try:
            found = self.stored_template(timeout_seconds)
        except IndexRefusedError as error:
            if error.status != _FORBIDDEN:
                raise
            if "template" not in self._told:
                self._told.add("template")
                self._log.warning("index.template_unseen", template=self._settings.names.template, error=str(error))
            return
        if found is None or index_differences.is_older_or_changed(wanted, found):
            self.put_template(found, timeout_seconds)

    def stored_template(self, timeout_seconds: float) -> dict[str, Any] | None:
        """Return the template as it is stored; None when there is none.

        Raises:
            IndexClientError: See `call`.
        """
        path = f"/_index_template/{self._settings.names.template}"
        try:
            found = self.call("GET", path, timeout_seconds, kind=_Templates)
        except IndexRefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            return None
        return found.index_templates[0].body if found.index_templates else None

    def put_template(self, found: Mapping[str, Any] | None, timeout_seconds: float) -> None:
        """Store our template; what operators added to the stored one stays.

        Raises:
            IndexClientError: See `call`.
        """
        wanted = template(self._settings)
        body = wanted if found is None else merged(wanted, found)
        self.call("PUT", f"/_index_template/{self._settings.names.template}", timeout_seconds, body=body)

    def look(self, indices: Collection[str], timeout_seconds: float) -> Mapping[str, str | None]:
        """See `IndexClient.look`."""
        names = self._settings.names
        asked = names.pattern if len(indices) > _NAMES_MAX else ",".join(sorted(indices))
        params = {**_WHAT_THERE_IS, "filter_path": _LOOKED_AT}
        found = self.call("GET", f"/{asked}", timeout_seconds, params=params, kind=dict[str, _Index])
        looks: dict[str, str | None] = {}
        for name, index in found.items():
            state = {"aliases": index.aliases, "mappings": index.mappings}
            # An index that was shrunk or mounted again has its old name as an alias.
            for known in ({name} | index.aliases.keys()).intersection(indices):
                looks[known] = visibility.hidden_because(state, names.alias)
        return looks

    def holdings(self, timeout_seconds: float) -> Holdings:
        """See `IndexClient.holdings`."""
        names, params = self._settings.names, {**_WHAT_THERE_IS, "forbid_closed_indices": "false"}
        path = f"/{names.pattern}/_stats/docs"
        found = self.call("GET", path, timeout_seconds, params=params, kind=_Stats).indices
        path = f"/{names.pattern}/_settings/index.uuid,index.lifecycle.name"
        params = {**_WHAT_THERE_IS, "flat_settings": "true"}
        policies = self.call("GET", path, timeout_seconds, params=params, kind=dict[str, _Settings])
        return {
            index: Holding(
                stats.uuid,
                _count(stats),
                managed="index.lifecycle.name" in policies[index].settings if index in policies else False,
            )
            for index, stats in found.items()
            if names.is_index(index)
        }

    def bulk(self, body: bytes, timeout_seconds: float) -> Sequence[ItemVerdict]:
        """See `IndexClient.bulk`."""
        reply = self.call(
            "POST",
            "/_bulk",
            timeout_seconds,
            params={"filter_path": _BULK_FILTER},
            headers=_NDJSON,
            body=body,
            kind=BulkReply,
            tells_timeout=True,
        )
        return reply.verdicts()

    def close(self) -> None:
        """See `IndexClient.close`; later calls open connections again."""
        self._nodes.close()

    @property
    def place(self) -> str:
        """Where Elasticsearch is, without credentials."""
        return ", ".join(self._nodes.places)

    def left_out(self) -> Mapping[str, str]:
        """Return the nodes that did not answer when they were asked last, with the reason of each."""
        return self._nodes.left_out()

    def call(
        self,
        method: str,
        path: str,
        timeout_seconds: float,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = _JSON,
        body: object = None,
        kind: type[T] | None = None,
        tells_timeout: bool = False,
    ) -> T:
        """Make one request, of the first node that answers; return the decoded reply.

        Args:
            method: Of HTTP; the request can be repeated safely.
            path: With its leading slash.
            timeout_seconds: The time of all nodes together.
            params: Of the address.
            headers: Of the request.
            body: Of the request, None for none.
            kind: What the reply must be; anything unless given.
            tells_timeout: The server itself gives up in time, so that its verdicts still come.

        Raises:
            IndexLostError: No usable answer; the request was carried out or not.
            IndexRefusedError: Refused for a reason that time does not heal.
            TooLargeError: The body is too large.
        """

        def attempt(client: Elasticsearch, where: str, seconds: float) -> T:
            patience = {"timeout": f"{max(1, int(seconds * _SERVER_SHARE * 1000))}ms"} if tells_timeout else {}
            bounded = client.options(request_timeout=seconds)
            with self._translated(f"{method} {path}", where):
                options = {**(params or {}), **patience}
                reply: Any = bounded.perform_request(method, path, params=options, headers=headers, body=body).body
                return reply if kind is None else replies.read(reply, kind, method, path)

        self._renew()
        return self._nodes.ask(timeout_seconds, attempt, replies.none_answers)

    def _renew(self) -> None:
        """Take up credentials that were replaced: connections with the former ones are closed."""
        try:
            access = self._access if self._fresh is None else self._fresh()
        except SecretFileError as error:
            raise IndexRefusedError(401, str(error)) from error
        if access != self._access:
            self.close()
            self._access = access
            self._nodes = self._made(access)

    def _made(self, access: Access) -> Nodes:
        return Nodes(access.urls, api_key=access.api_key, ca_certs=self._ca_certs, on_change=self._tell)

    @contextmanager
    def _translated(self, what: str, where: str) -> Iterator[None]:
        """Raise the port's errors, and `NodeFailedError` around those after which another node is worth asking."""
        try:
            yield
        except UnsupportedProductError as error:
            stranger = IndexRefusedError(400, f"the server at {where} is not Elasticsearch")
            raise NodeFailedError(stranger) from error
        except ApiError as error:
            refusal = replies.refusal(error)
            if replies.is_of_the_node(error):
                raise NodeFailedError(refusal) from error
            raise refusal from error
        except IndexLostError as error:
            raise NodeFailedError(error) from error
        except (TransportError, OSError) as error:
            told = masked(words_of(error))[:REASON_MAX_CHARACTERS]
            lost = IndexLostError(f"Elasticsearch at {where} does not answer {what}: {told}")
            raise NodeFailedError(lost) from error
        except Exception as error:  # the client decodes whatever came as a reply, and may stumble over it
            kind = type(error).__name__
            if kind not in self._told:
                self._told.add(kind)
                self._log.error("index.unreadable", node=where, request=what, exc_info=True)
            told = f"{kind}: {masked(str(error))[:REASON_MAX_CHARACTERS]}"
            unread = IndexLostError(f"the reply of Elasticsearch at {where} to {what} cannot be read: {told}")
            raise NodeFailedError(unread) from error

    def _tell(self, node: str, reason: str | None) -> None:
        if reason is None:
            self._log.info("index.node_back", node=node)
        else:
            self._log.warning("index.node_left_out", node=node, reason=reason)


def addresses_of(client: Elasticsearch) -> str:
    """Return where a client looks for Elasticsearch, without credentials."""
    return ", ".join(node.base_url for node in client.transport.node_pool.all())


def connect(urls: str) -> Elasticsearch:
    """Return a client for tools: of several nodes the next is asked when one does not answer, each in the time-out.

    Raises:
        ValueError: An address lacks its scheme, host or port.
    """
    hosts = [url.strip() for url in urls.split(",")]
    try:
        return Elasticsearch(hosts, max_retries=len(hosts) - 1, retry_on_timeout=True)
    except ValueError as error:
        raise ValueError(masked(str(error))) from None  # the error's own words hold the password

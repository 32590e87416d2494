"""Elasticsearch behind the index port: raw bulk bodies, one attempt per call, every call with a time-out."""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
import structlog
from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

from eventstore import jsontext
from eventstore.environment.access import Access, SecretFileError
from eventstore.transport.addresses import masked
from relay.destinations.index.bulk_item import ItemVerdict
from relay.destinations.index.client import (
    IndexBusyError,
    IndexClientError,
    IndexLostError,
    IndexRefusedError,
    TooLargeError,
)
from relay.destinations.index.settings import IndexSettings
from relay.destinations.index.template import VERSION, template

_JSON = {"accept": "application/json", "content-type": "application/json"}
_NDJSON = {"accept": "application/json", "content-type": "application/x-ndjson"}

_BULK_FILTER = "items.*._id,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason,error"
"""The parts of a bulk reply that are read; `error` too, or a refusal of the whole request would come back empty."""

T = TypeVar("T")

_SERVER_SHARE = 0.9
"""Share of the time-out after which the server itself gives up waiting for a shard, so that its verdicts still come."""


REASON_MAX_CHARACTERS = 400
_QUOTED = re.compile(r" Preview of field's value: '.*'|prefix of the first immense term is: '.*'", re.DOTALL)
_VALUE_IN_CAUSE = re.compile(r"failed to parse field \[[^\]]*\] of type \[(?!flattened\])")
"""A typed field's cause quotes the value that does not fit; that of payload or metadata names the broken rule."""


class _Cause(msgspec.Struct):
    reason: str | None = None


class _Error(msgspec.Struct):
    type: str | None = None
    reason: str | None = None
    caused_by: _Cause | None = None


class _Result(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    status: int
    error: _Error | None = None


class _Item(msgspec.Struct):
    create: _Result


class _BulkReply(msgspec.Struct):
    items: list[_Item]


class _Body(msgspec.Struct):
    version: int | None = None


class _Named(msgspec.Struct):
    body: _Body = msgspec.field(name="index_template", default_factory=_Body)


class _Templates(msgspec.Struct):
    index_templates: list[_Named] = []


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
        self._connect = partial(connect, urls, api_key=api_key, ca_certs=ca_certs)
        self._access = Access(urls, api_key)
        self._ca_certs = ca_certs
        self._fresh = fresh
        self._client: Elasticsearch | None = self._connect()
        self._told: set[str] = set()
        self._log = structlog.get_logger()

    def prepare(self, timeout_seconds: float) -> None:
        """See `IndexClient.prepare`; a template of a later version is left as it is."""
        path = f"/_index_template/{self._settings.names.template}"
        found: Any = {}
        try:
            found = self.call("GET", path, timeout_seconds, params={"filter_path": "index_templates.*.version,error"})
        except IndexRefusedError as error:
            if error.status != 404:  # noqa: PLR2004 - no such template yet
                raise
        templates = _read(found, _Templates, "GET", path).index_templates
        if all((each.body.version or 0) <= VERSION for each in templates):
            self.call("PUT", path, timeout_seconds, headers=_JSON, body=template(self._settings))

    def bulk(self, body: bytes, timeout_seconds: float) -> Sequence[ItemVerdict]:
        """See `IndexClient.bulk`."""
        patience = f"{max(1, int(timeout_seconds * _SERVER_SHARE * 1000))}ms"
        params = {"filter_path": _BULK_FILTER, "timeout": patience}
        reply = self.call("POST", "/_bulk", timeout_seconds, params=params, headers=_NDJSON, body=body)
        items = _read(reply, _BulkReply, "POST", "/_bulk").items
        return [_verdict(item.create) for item in items]

    def close(self) -> None:
        """See `IndexClient.close`; later calls open connections again."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(TransportError, OSError):
                client.close()

    @property
    def place(self) -> str:
        """Where Elasticsearch is, without credentials."""
        self._client = self._client or self._connect()
        return addresses_of(self._client)

    def call(
        self,
        method: str,
        path: str,
        timeout_seconds: float,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = _JSON,
        body: object = None,
    ) -> Any:
        """Make one request; return the decoded reply.

        Raises:
            IndexLostError: No usable answer; the request was carried out or not.
            IndexRefusedError: Refused for a reason that time does not heal.
            TooLargeError: The body is too large.
        """
        self._renew()
        if self._client is None:
            self._client = self._connect()
        client = self._client.options(request_timeout=timeout_seconds)
        try:
            return client.perform_request(method, path, params=params, headers=headers, body=body).body
        except UnsupportedProductError as error:
            raise IndexRefusedError(400, "the server at this address is not Elasticsearch") from error
        except ApiError as error:
            raise _refusal(error) from error
        except (TransportError, OSError) as error:
            where = addresses_of(client)
            told = str(error)[:REASON_MAX_CHARACTERS]
            raise IndexLostError(f"Elasticsearch at {where} does not answer {method} {path}: {told}") from error
        except Exception as error:  # the client decodes whatever came as a reply, and may stumble over it
            kind = type(error).__name__
            if kind not in self._told:
                self._told.add(kind)
                self._log.error("index.unreadable", method=method, path=path, exc_info=True)
            told = f"{kind}: {str(error)[:REASON_MAX_CHARACTERS]}"
            raise IndexLostError(f"the reply of Elasticsearch to {method} {path} cannot be read: {told}") from error

    def _renew(self) -> None:
        """Take up credentials that were replaced: connections with the former ones are closed."""
        try:
            access = self._access if self._fresh is None else self._fresh()
        except SecretFileError as error:
            raise IndexRefusedError(401, str(error)) from error
        if access != self._access:
            self.close()
            self._access = access
            self._connect = partial(connect, access.urls, api_key=access.api_key, ca_certs=self._ca_certs)


def _read(reply: object, kind: type[T], method: str, path: str) -> T:
    try:
        return msgspec.convert(reply, kind)
    except jsontext.FAULTS as error:
        told = str(error)[:REASON_MAX_CHARACTERS]
        raise IndexLostError(f"the reply of Elasticsearch to {method} {path} cannot be read: {told}") from error


def addresses_of(client: Elasticsearch) -> str:
    """Return where a client looks for Elasticsearch, without credentials."""
    return ", ".join(node.base_url for node in client.transport.node_pool.all())


def connect(urls: str, *, api_key: str | None = None, ca_certs: str | None = None) -> Elasticsearch:
    """Return a client that makes one attempt per call; the caller names each call's time-out.

    Raises:
        ValueError: An address lacks its scheme, host or port.
    """
    options: dict[str, Any] = {"max_retries": 0, "retry_on_timeout": False, "retry_on_status": ()}
    if api_key is not None:
        options["api_key"] = api_key
    if ca_certs is not None:
        options["ca_certs"] = ca_certs
    try:
        return Elasticsearch([url.strip() for url in urls.split(",")], **options)
    except ValueError as error:
        raise ValueError(masked(str(error))) from None  # the error's own words hold the password


def _refusal(error: ApiError) -> IndexClientError:
    status = error.status_code
    kind, reason = _error_words(error.body)
    words = f"{kind}: {reason}" if kind else reason
    if status == 413:  # noqa: PLR2004 - HTTP: content too large
        return TooLargeError(f"the index, or a proxy before it, accepts no body of that size: {words}")
    if kind == "cluster_block_exception" or status in {408, 429} or status >= 500:  # noqa: PLR2004 - HTTP: server
        return IndexBusyError(f"the index accepts no requests now: {words} (status {status})")
    return IndexRefusedError(status, words)


def _error_words(body: object) -> tuple[str, str]:
    match body:
        case {"error": {"type": str(kind), "reason": str(reason)}}:
            return kind, reason
        case {"error": str(reason)}:
            return "", reason
        case _:
            return "", str(body)[:200]


def _verdict(result: _Result) -> ItemVerdict:
    if result.error is None:
        return ItemVerdict(result.id, result.status)
    reason, cause = result.error.reason or "", result.error.caused_by
    words = [_brief(reason)] if reason else []
    if cause is not None and cause.reason and not _VALUE_IN_CAUSE.search(reason):
        words.append(_brief(cause.reason))
    return ItemVerdict(result.id, result.status, result.error.type, "; ".join(words) or None)


def _brief(reason: str) -> str:
    """Return what an error says without the pieces of payload it quotes: reasons end up in logs."""
    first_line = reason.partition("\n")[0]
    return _QUOTED.sub("", first_line)[:REASON_MAX_CHARACTERS]

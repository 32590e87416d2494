"""What Elasticsearch's replies mean to the index's port: verdicts, refusals, and which of them are one node's alone."""

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from elasticsearch import ApiError

from eventstore import jsontext
from eventstore.transport.addresses import masked
from eventstore.transport.elastic_nodes import is_elasticsearchs
from relay.destinations.index.bulk_item import ItemVerdict
from relay.destinations.index.client import (
    IndexBusyError,
    IndexClientError,
    IndexLostError,
    IndexRefusedError,
    TooLargeError,
)

T = TypeVar("T")

REASON_MAX_CHARACTERS = 400
_REASONS_MAX_CHARACTERS = 1_200
_QUOTED = re.compile(r" Preview of field's value: '.*'|prefix of the first immense term is: '.*'", re.DOTALL)
_PLACE = re.compile(r"\s*at \[Source: .*", re.DOTALL)
"""How a parser's error goes on: with the text that it could not read, which is payload."""

_VALUE_IN_CAUSE = re.compile(r"failed to parse field \[[^\]]*\] of type \[(?!flattened\])")
"""A typed field's cause quotes the value that does not fit; that of payload or metadata names the broken rule."""

_TOO_LARGE = 413
_TIMED_OUT = 408
_SERVER_ERRORS_FROM = 500


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


class BulkReply(msgspec.Struct):
    """What is read of the reply to a bulk request."""

    items: list[_Item]

    def verdicts(self) -> list[ItemVerdict]:
        """Return the verdict of each item, in their order."""
        return [_verdict(item.create) for item in self.items]


def read(reply: object, kind: type[T], method: str, path: str) -> T:
    """Return a decoded reply as what it must be.

    Raises:
        IndexLostError: It is something else.
    """
    try:
        return msgspec.convert(reply, kind)
    except jsontext.FAULTS as error:
        told = str(error)[:REASON_MAX_CHARACTERS]
        raise IndexLostError(f"the reply of Elasticsearch to {method} {path} cannot be read: {told}") from error


def refusal(error: ApiError) -> IndexClientError:
    """Return the port's error for an answer that is no success."""
    status = error.status_code
    kind, reason = _error_words(error.body)
    reason = masked(" ".join(_PLACE.sub("", reason).split()))[:REASON_MAX_CHARACTERS]
    words = f"{kind}: {reason}" if kind else reason
    if status == _TOO_LARGE:
        return TooLargeError(f"the index, or a proxy before it, accepts no body of that size: {words}")
    if kind == "cluster_block_exception" or status in {_TIMED_OUT, 429} or status >= _SERVER_ERRORS_FROM:
        return IndexBusyError(f"the index accepts no requests now: {words} (status {status})")
    return IndexRefusedError(status, words, kind)


def is_of_the_node(error: ApiError) -> bool:
    """Tell whether such an answer says something about the node that gave it, so that another may say otherwise."""
    if error.status_code == _TOO_LARGE:
        return False  # a smaller request is what helps
    status = error.status_code
    return status == _TIMED_OUT or status >= _SERVER_ERRORS_FROM or not is_elasticsearchs(error.meta)


def none_answers(errors: Sequence[Exception]) -> IndexClientError:
    """Return what a call ends in when no node gave a usable answer: a refusal only when all refuse."""
    words = "; ".join(str(error) for error in errors)[:_REASONS_MAX_CHARACTERS]
    refusals = [error for error in errors if isinstance(error, IndexRefusedError)]
    if len(refusals) == len(errors):
        return IndexRefusedError(refusals[0].status, words)
    kind = IndexBusyError if all(isinstance(error, IndexBusyError) for error in errors) else IndexLostError
    return kind(f"no node of the index gives an answer: {words}")


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

"""Where the next page of a search begins, as text that callers keep and pass back."""

import base64
from dataclasses import dataclass

import msgspec

from eventstore import jsontext
from eventstore.errors import InvalidTokenError

VERSION = 1
TOKEN_MAX_CHARACTERS = 64 * 1024
"""Far above any view's id, which grows with the shards it looks at."""


@dataclass(frozen=True, slots=True)
class SearchPlace:
    """A place in the result of a search.

    Attributes:
        view: Id of the view (point in time) the pages are read from; None to open a new one.
        timestamp_ms: Of the last event that was given.
        event_id: Same as above; None for a document of somebody else that has none.
    """

    view: str | None
    timestamp_ms: int
    event_id: str | None


class _Token(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    fingerprint: str
    view: str
    timestamp_ms: int
    event_id: str | None


class _Version(msgspec.Struct, frozen=True, array_like=True):
    version: int


def encode(place: SearchPlace, fingerprint: str) -> str:
    """Return the token of a place in the result of the query with this fingerprint."""
    assert place.view is not None, "a token names the view it was read from"
    token = _Token(VERSION, fingerprint, place.view, place.timestamp_ms, place.event_id)
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def decode(text: str, fingerprint: str | None) -> SearchPlace:
    """Return the place a token names.

    Args:
        text: The token.
        fingerprint: Of the query it is used with; None when any will do.

    Raises:
        InvalidTokenError: It is not a token of ours, of another version, or of another query.
    """
    if not isinstance(text, str) or not text or len(text) > TOKEN_MAX_CHARACTERS:
        raise InvalidTokenError("is not a page token; hand back `SearchPage.token` as it is")
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version = msgspec.json.decode(content, type=_Version).version
        if version != VERSION:
            reason = f"is of version {version}, and this release reads {VERSION}; begin again without a token"
            raise InvalidTokenError(reason)
        token = msgspec.json.decode(content, type=_Token)
    except jsontext.FAULTS as error:
        if isinstance(error, InvalidTokenError):
            raise
        raise InvalidTokenError("is not a page token; hand back `SearchPage.token` as it is") from error
    if fingerprint is not None and token.fingerprint != fingerprint:
        raise InvalidTokenError("is of another query, order or index; use the query it came from, or begin without it")
    return SearchPlace(token.view, token.timestamp_ms, token.event_id)

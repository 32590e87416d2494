"""Page tokens: where a read stopped, as text that a web address can carry. Pure.

    1.<base64url of: digest of the query | JSON of the place | checksum>

A token is a place in the order of one query, nothing of DynamoDB's: so it stays good when events are added, when the
number of write shards is raised, and for as long as the events are there. The checksum finds damage. It keeps no
secret and proves no origin: whoever forges a token reads the same query from another place, no more.
"""

import hashlib

import msgspec

from eventstore import jsontext
from eventstore.errors import InvalidTokenError
from eventstore.timeline.place import Place
from eventstore.timeline.query import EventQuery, describe
from eventstore.timeline.sealed import seal, unseal

VERSION = "1"
_DIGEST_BYTES = 8
_LENGTH_MAX = 32_768
"""Above any token of ours: an aggregate id of 2,048 bytes, each six in JSON when escaped, in base64."""


def encode(table: str, query: EventQuery, given: Place) -> str:
    """Return the token with which a reader continues after a place.

    Args:
        table: The events table.
        query: What is read.
        given: The last place that the reader was given.
    """
    return seal(VERSION, _digest(table, query) + msgspec.json.encode(given))


def decode(table: str, query: EventQuery, token: str) -> Place:
    """Return the place after which to continue.

    Raises:
        InvalidTokenError: The token is damaged, of another query, or of another version of this library.
    """
    if not isinstance(token, str) or not token or len(token) > _LENGTH_MAX:
        raise InvalidTokenError("is not a page token: give back what `Page.token` held, or None for the first page")
    version, dot, text = token.partition(".")
    if dot and version.isdecimal() and version != VERSION:
        raise InvalidTokenError(f"is of version {version}, and this library reads version {VERSION}: start again")
    if dot and version.startswith("w"):
        raise InvalidTokenError("is of a walk: give it to `read_all`, and what `Page.token` held to this call")
    body = unseal(text) if dot and version == VERSION else b""
    if len(body) <= _DIGEST_BYTES:
        raise InvalidTokenError("is damaged: give back the whole of what `Page.token` held, or start again")
    if body[:_DIGEST_BYTES] != _digest(table, query):
        raise InvalidTokenError("is of another query: repeat the query it came from, or start this one without token")
    try:
        return Place(*msgspec.json.decode(body[_DIGEST_BYTES:], type=tuple[int, str, int]))
    except jsontext.FAULTS as error:
        raise InvalidTokenError("is damaged: start again without token") from error


def _digest(table: str, query: EventQuery) -> bytes:
    return hashlib.blake2b(f"{table} {describe(query)}".encode(), digest_size=_DIGEST_BYTES).digest()

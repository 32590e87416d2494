"""Tokens of walks: how far each segment has come, of which table. Pure.

    w1.<base64url of: JSON | checksum>

Unlike the places of page tokens these are places in DynamoDB's own order of keys, which means nothing in another
table, and in another number of segments.
"""

from dataclasses import dataclass

import msgspec

from eventstore import jsontext
from eventstore.errors import InvalidTokenError
from eventstore.timeline.sealed import seal, unseal
from eventstore.walk.place import SEGMENTS_MAX, WalkPlace

HEAD = "w1"
_LENGTH_MAX = 2 * 1024 * 1024
"""Above any token of ours: 64 aggregate ids of 2,048 bytes, each six in JSON when escaped, in base64."""

_NOT_OURS = "is not a token of a walk: give back what `EventWalk.token` held, or None to begin"
_Form = tuple[str, int, int, int | None, int, list[tuple[str, int, int] | None]]


@dataclass(frozen=True, slots=True)
class WalkToken:
    """What a token says.

    Attributes:
        generation: Which table it is about, as a digest.
        epoch: The store's epoch then.
        segments: How many there are.
        segment: Which one alone; None for all of them.
        began_ms: When the walk began, ms since 1970 UTC.
        places: How far each of its segments has come; None where nothing was given yet.
    """

    generation: str
    epoch: int
    segments: int
    segment: int | None
    began_ms: int
    places: tuple[WalkPlace | None, ...]

    def check(self, generation: str, epoch: int) -> None:
        """Compare with what is there now.

        Raises:
            InvalidTokenError: It speaks of another table, or of the time before a restore.
        """
        if epoch != self.epoch:
            raise InvalidTokenError(
                f"is of epoch {self.epoch}, and the store is at {epoch} since it was restored: what the walk has passed"
                " may be other events now. Begin without token"
            )
        if generation != self.generation:
            raise InvalidTokenError(
                "is of another events table: of another name, or made anew or restored since. Begin without token"
            )


def encode(token: WalkToken) -> str:
    """Return a token as text."""
    form: _Form = (token.generation, token.epoch, token.segments, token.segment, token.began_ms, [*token.places])
    return seal(HEAD, msgspec.json.encode(form))


def decode(text: str, segments: int | None, segment: int | None) -> WalkToken:
    """Return what a token says.

    Args:
        text: The token.
        segments: How many segments the caller asks for; None for as many as the token has.
        segment: Which one the caller asks for; None for the token's.

    Raises:
        InvalidTokenError: It is damaged, of something else, of another version, or of other segments.
    """
    if not isinstance(text, str) or not text or len(text) > _LENGTH_MAX:
        raise InvalidTokenError(_NOT_OURS)
    head, _, rest = text.partition(".")
    if head.isdecimal():
        raise InvalidTokenError("is of a page: give it to `read_page`, and what `EventWalk.token` held to this call")
    if head != HEAD and head[:1] == "w" and head[1:].isdecimal():
        raise InvalidTokenError(f"is of version {head[1:]}, and this library reads version {HEAD[1:]}: begin again")
    if head != HEAD:
        raise InvalidTokenError(_NOT_OURS)
    try:
        generation, epoch, count, alone, began_ms, places = msgspec.json.decode(unseal(rest), type=_Form)
    except jsontext.FAULTS as error:
        raise InvalidTokenError("is damaged: give back the whole of what `EventWalk.token` held") from error
    given = tuple(None if place is None else WalkPlace(*place) for place in places)
    if not 1 <= count <= SEGMENTS_MAX or len(given) != (count if alone is None else 1):
        raise InvalidTokenError("is damaged: begin without token")
    if segments is not None and segments != count:
        raise InvalidTokenError(
            f"is of a walk in segments={count}, not {segments}: its places mean nothing in others. Give"
            f" segments={count}, or begin without token"
        )
    if segment is not None and segment != alone:
        whose = "all segments" if alone is None else f"segment={alone}"
        raise InvalidTokenError(f"is of {whose}, not of segment={segment}: give each worker its own token")
    return WalkToken(generation, epoch, count, alone, began_ms, given)

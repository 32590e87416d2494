"""All events from the beginning, resumable, in one segment or several."""

import contextlib
import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime

from eventstore import checks, limits
from eventstore.context import StoreContext
from eventstore.errors import CorruptRowError, InvalidInputError
from eventstore.event_codec import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.walk import parallel, token
from eventstore.walk.place import SEGMENTS_MAX, TableSegment, WalkPlace
from eventstore.walk.segment_reader import SegmentReader
from eventstore.walk.token import WalkToken

Placed = tuple[RecordedEvent, int, WalkPlace]
"""An event, the index of its segment, and its place there."""

_GENERATION_BYTES = 8


@dataclass(frozen=True, slots=True)
class WantedWalk:
    """What is walked.

    Attributes:
        segments: How many there are.
        segment: Which one alone; None for all.
        consistent: Whether all events must be seen that were stored before.
        on_corrupt: Told of rows that cannot be read.
    """

    segments: int
    segment: int | None
    consistent: bool
    on_corrupt: OnCorrupt

    @property
    def indexes(self) -> range:
        """The indexes of the segments that are walked."""
        return range(self.segments) if self.segment is None else range(self.segment, self.segment + 1)


class Bookmark:
    """How far the events of a walk have been given.

    Args:
        wanted: What is walked.
        began_ms: When the walk first began.
        given: The token with which it goes on.
        text: The same as it came.
    """

    def __init__(self, wanted: WantedWalk, began_ms: int, given: WalkToken | None, text: str | None) -> None:
        self.began_ms = began_ms
        self._wanted = wanted
        self._given = given
        self._text = text
        self._about: tuple[str, int] | None = None
        self._has_moved = False
        places = (None,) * len(wanted.indexes) if given is None else given.places
        self._places: dict[int, WalkPlace | None] = dict(zip(wanted.indexes, places, strict=True))

    def open(self, generation: str, epoch: int) -> None:
        """Begin, with the table that is there.

        Raises:
            InvalidTokenError: The token is of another one.
        """
        if self._given is not None:
            self._given.check(generation, epoch)
        self._about = generation, epoch

    def place_in(self, segment: int) -> WalkPlace | None:
        """Return the place of the last event that was given of a segment."""
        return self._places[segment]

    def note(self, segment: int, place: WalkPlace) -> None:
        """Note that an event was given."""
        self._places[segment] = place
        self._has_moved = True

    @property
    def token(self) -> str | None:
        """See `EventWalk.token`."""
        if not self._has_moved or self._about is None:
            return self._text
        wanted = self._wanted
        places = tuple(self._places.values())
        return token.encode(WalkToken(*self._about, wanted.segments, wanted.segment, self.began_ms, places))


class EventWalk(Iterator[RecordedEvent]):
    """All events from the beginning; made by `EventStore.read_all`. It can be resumed, also by another process."""

    def __init__(self, placed: Generator[Placed, None, None], bookmark: Bookmark) -> None:
        self._placed = placed
        self._bookmark = bookmark

    @property
    def token(self) -> str | None:
        """What `read_all` goes on with, behind the last event that was given; None before the first.

        Text that needs no escaping in a web address: about 150 characters, and 75 more per segment for ids that are
        UUIDs. It is good until tables are made anew or restored. Behind the last event of all it gives nothing more but
        what happens to be stored behind its places; for what has come since use `follow_from_ms`.
        """
        return self._bookmark.token

    @property
    def follow_from_ms(self) -> int:
        """The `from_ms` with which `stream_events` gives all that the walk may have passed.

        It lies 10 seconds before the walk began, also when it was resumed meanwhile. Events that are stored with older
        timestamps since, as by an import, are not among these.
        """
        return max(0, self._bookmark.began_ms - round(limits.FOLLOW_OVERLAP_SECONDS_DEFAULT * 1000))

    def __next__(self) -> RecordedEvent:
        event, segment, place = next(self._placed)
        self._bookmark.note(segment, place)
        return event

    def close(self) -> None:
        """End it, and the threads of its segments. Safe to repeat."""
        self._placed.close()


def walk(
    context: StoreContext,
    text: str | None,
    *,
    segments: int | None,
    segment: int | None,
    consistent: bool,
    on_corrupt: OnCorrupt,
) -> EventWalk:
    """Return a lazy walk; see `EventStore.read_all`.

    Raises:
        InvalidInputError: Segments that cannot be.
        InvalidTokenError: The token is damaged, or of other segments.
    """
    if segments is not None:
        checks.check_count(segments, "segments", 1, SEGMENTS_MAX)
    if segment is not None and segments is None and text is None:
        raise InvalidInputError("segment", f"is {segment!r} of nobody knows how many: give `segments` too")
    if segment is not None and segments is not None:
        checks.check_count(segment, "segment", 0, segments - 1)
    if text is None:
        given, began_ms = None, context.runtime.now_ms()
    else:
        given = token.decode(text, segments, segment)
        segments, segment, began_ms = given.segments, given.segment, given.began_ms
    wanted = WantedWalk(segments or 1, segment, consistent, on_corrupt)
    bookmark = Bookmark(wanted, began_ms, given, text)
    return EventWalk(_placed(context, wanted, bookmark), bookmark)


def _placed(context: StoreContext, wanted: WantedWalk, bookmark: Bookmark) -> Generator[Placed, None, None]:
    bookmark.open(_generation(context), context.latest.get(context.caller, 0).epoch)
    sources = [
        SegmentReader(
            context, TableSegment(index, wanted.segments), bookmark.place_in(index), consistent=wanted.consistent
        ).read()
        for index in wanted.indexes
    ]
    reads = sources[0] if len(sources) == 1 else parallel.merged(context.runtime, "walk", sources)
    with contextlib.closing(reads):  # type: ignore[type-var]  # both are generators
        for read in reads:
            if not isinstance(read, CorruptRowError):
                yield read
            elif wanted.on_corrupt is None:
                raise read
            else:
                wanted.on_corrupt(read)


def _generation(context: StoreContext) -> str:
    """Return what tells the events table from others, also from a later one of its name."""
    name = context.tables.events
    table = context.caller.read(context.client.describe_table, needs="Table", TableName=name)["Table"]
    made_at = table.get("CreationDateTime")
    moment = made_at.timestamp() if isinstance(made_at, datetime) else made_at
    text = f"{name} {table.get('TableId', '')} {moment}"
    return hashlib.blake2b(text.encode(), digest_size=_GENERATION_BYTES).hexdigest()

"""All events from a moment on, across days, and new ones as they come."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime

from eventstore import checks, limits
from eventstore.context import StoreContext
from eventstore.errors import TryLaterError
from eventstore.event_codec import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.payload import moments
from eventstore.ports import Flag
from eventstore.timeline import reader, whole_events
from eventstore.timeline.place import batches
from eventstore.timeline.query import ByTime
from eventstore.timeline.seen import Seen
from eventstore.validation import TIMESTAMP_MAX_MS

OVERLAP_MAX_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Following:
    """How to follow.

    Attributes:
        overlap_seconds: How far each look goes back behind the one before it, and ahead of our clock.
        poll_seconds: Pause between two looks.
    """

    overlap_seconds: float = limits.FOLLOW_OVERLAP_SECONDS_DEFAULT
    poll_seconds: float = limits.FOLLOW_POLL_SECONDS_DEFAULT

    @property
    def overlap_ms(self) -> int:
        """The overlap in milliseconds."""
        return round(self.overlap_seconds * 1000)

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        checks.check_number(self.overlap_seconds, "overlap_seconds", least=0, most=OVERLAP_MAX_SECONDS)
        checks.check_number(self.poll_seconds, "poll_seconds", above=0, most=OVERLAP_MAX_SECONDS)


Placed = tuple[RecordedEvent, int]
"""An event, and the moment from which a later follower goes on once it is given."""

OnTrouble = Callable[[TryLaterError], None] | None
"""Told of each look of a follower that DynamoDB did not answer; the next look continues it."""


class EventStream(Iterator[RecordedEvent]):
    """Events as they come; made by `EventStore.stream_events`. It can be resumed, also by another process."""

    def __init__(self, placed: Generator[Placed, None, None], from_ms: int) -> None:
        self._placed = placed
        self._resume_ms = from_ms

    @property
    def resume_ms(self) -> int:
        """The `from_ms` with which a later stream misses nothing that this one would still have given.

        It gives again what is not older than that: events of the overlap, and of the last one's millisecond. Store it
        when an event is dealt with, and recognize what comes again by aggregate id and sequence number.
        """
        return self._resume_ms

    def __next__(self) -> RecordedEvent:
        event, self._resume_ms = next(self._placed)
        return event

    def close(self) -> None:
        """End it. Safe to repeat."""
        self._placed.close()


def stream(
    context: StoreContext,
    from_ms: int | datetime,
    following: Following,
    *,
    follow: bool,
    stop: Flag | None = None,
    on_corrupt: OnCorrupt = None,
    on_trouble: OnTrouble = None,
) -> EventStream:
    """Return a lazy iterator over all events from a moment on.

    Args:
        context: The store.
        from_ms: The first moment.
        following: How to follow.
        follow: Go on with the events that come; otherwise it ends at the present.
        stop: Ends the stream soon after it is raised.
        on_corrupt: Told of rows that cannot be read.
        on_trouble: Told of looks that failed and are continued.

    Raises:
        InvalidInputError: `from_ms` is not a moment, or more than 3,660 days ago.
    """
    from_ms = moments.to_ms(from_ms, "from_ms")
    ByTime(from_ms, from_ms)  # says at once what is wrong with it
    query = ByTime(from_ms, max(from_ms, context.runtime.now_ms() + 1))
    if follow:
        placed = _follow(context, from_ms, following, stop, on_corrupt, on_trouble)
    else:
        placed = _so_far(context, from_ms, query, following, on_corrupt)
    return EventStream(_until_stopped(placed, stop), from_ms)


def _until_stopped(placed: Iterator[Placed], stop: Flag | None) -> Generator[Placed, None, None]:
    for each in placed:
        if stop is not None and stop.is_set():
            return
        yield each


def _so_far(
    context: StoreContext, from_ms: int, query: ByTime, following: Following, on_corrupt: OnCorrupt
) -> Generator[Placed, None, None]:
    seen = Seen(from_ms)
    seen.begin_pass(context.runtime.now_ms() - following.overlap_ms)
    for event in reader.read(context, query, on_corrupt=on_corrupt):
        yield event, seen.resume_ms(event.timestamp_ms)


def look(context: StoreContext, seen: Seen, overlap_ms: int, on_corrupt: OnCorrupt) -> Generator[Placed, None, None]:
    """Yield what is new since the previous look, or the rest of one that an error ended.

    One that is used up counts as done. What an error kept from being given is given by the next.
    """
    now_ms = context.runtime.now_ms()
    given = seen.begin_pass(now_ms - overlap_ms)
    # Asked for after our clock: what a writer then stores in a write shard that we do not know is for the next look.
    context.latest.get(context.caller, 0)
    until_ms = min(now_ms + overlap_ms + 1, TIMESTAMP_MAX_MS + 1)
    query = ByTime(seen.low_ms, max(seen.low_ms, until_ms))
    places = reader.places(context, query, given, on_corrupt=on_corrupt)
    for batch in batches(filter(seen.is_new, places), limits.BATCH_GET_MAX_KEYS):
        for event in whole_events.of(context, batch, on_corrupt):
            yield event, seen.resume_ms(event.timestamp_ms)
        seen.give(batch)
    seen.end_pass()


def _follow(
    context: StoreContext,
    from_ms: int,
    following: Following,
    stop: Flag | None,
    on_corrupt: OnCorrupt,
    on_trouble: OnTrouble,
) -> Generator[Placed, None, None]:
    seen = Seen(from_ms)
    stop = stop or context.runtime.flag()
    while not stop.is_set():
        try:
            yield from look(context, seen, following.overlap_ms, on_corrupt)
        except TryLaterError as error:
            if on_trouble is not None:
                on_trouble(error)
        stop.wait(following.poll_seconds)

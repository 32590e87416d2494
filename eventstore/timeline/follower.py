"""All events from a moment on, across days, and new ones as they come."""

from collections.abc import Iterator
from dataclasses import dataclass

from eventstore import checks, limits
from eventstore.context import StoreContext
from eventstore.event_codec import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.ports import Flag
from eventstore.timeline import reader, whole_events
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

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        checks.check_number(self.overlap_seconds, "overlap_seconds", least=0, most=OVERLAP_MAX_SECONDS)
        checks.check_number(self.poll_seconds, "poll_seconds", above=0, most=OVERLAP_MAX_SECONDS)


def stream(
    context: StoreContext,
    from_ms: int,
    following: Following | None,
    stop: Flag | None = None,
    on_corrupt: OnCorrupt = None,
) -> Iterator[RecordedEvent]:
    """Return a lazy iterator over all events from a moment on.

    Args:
        context: The store.
        from_ms: The first moment.
        following: Go on with the events that come; None ends at the present.
        stop: Ends the stream soon after it is raised.
        on_corrupt: Told of rows that cannot be read.

    Raises:
        InvalidInputError: `from_ms` is not a moment, or more than 3,660 days ago.
    """
    ByTime(from_ms, from_ms)  # says at once what is wrong with it
    so_far = ByTime(from_ms, max(from_ms, context.runtime.now_ms() + 1))
    if following is None:
        return _until_stopped(reader.read(context, so_far, on_corrupt=on_corrupt), stop)
    return _follow(context, from_ms, following, stop, on_corrupt)


def _until_stopped(events: Iterator[RecordedEvent], stop: Flag | None) -> Iterator[RecordedEvent]:
    for event in events:
        if stop is not None and stop.is_set():
            return
        yield event


def look(context: StoreContext, seen: Seen, overlap_ms: int, on_corrupt: OnCorrupt) -> Iterator[RecordedEvent]:
    """Yield what is new since the previous poll; one that is used up counts as done."""
    now_ms = context.runtime.now_ms()
    until_ms = min(now_ms + overlap_ms + 1, TIMESTAMP_MAX_MS + 1)
    seen.begin_pass(now_ms - overlap_ms)
    query = ByTime(seen.low_ms, max(seen.low_ms, until_ms))
    fresh = (place for place in reader.places(context, query, on_corrupt=on_corrupt) if seen.admit(place))
    yield from whole_events.at(context, fresh, on_corrupt)
    seen.end_pass()


def _follow(
    context: StoreContext, from_ms: int, following: Following, stop: Flag | None, on_corrupt: OnCorrupt
) -> Iterator[RecordedEvent]:
    overlap_ms = round(following.overlap_seconds * 1000)
    seen = Seen(from_ms)
    stop = stop or context.runtime.flag()
    while not stop.is_set():
        yield from _until_stopped(look(context, seen, overlap_ms, on_corrupt), stop)
        stop.wait(following.poll_seconds)

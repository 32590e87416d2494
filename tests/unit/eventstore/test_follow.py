"""Streams of events from a moment on: over midnight, and of what is still to come."""

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import (
    CorruptRowError,
    EventStore,
    InvalidInputError,
    LimitExceededError,
    StoreOptions,
    TryLaterError,
    UnreachableError,
)
from eventstore.testing import InMemoryDynamoDB
from eventstore.timeline import follower
from eventstore.timeline.query import DAY_MS
from eventstore.timeline.seen import Seen

from .conftest import QUICK, lost
from .worlds import Script, TurnedRuntime, Watched, append, keys

MIDNIGHT = 1_700_006_400_000
"""2023-11-15 00:00 UTC."""

SECOND = 1_000


@pytest.fixture
def watched(database: InMemoryDynamoDB) -> Watched:
    return Watched(database.client())


@pytest.fixture
def clock() -> TurnedRuntime:
    return TurnedRuntime(MIDNIGHT - 5 * SECOND)


@pytest.fixture
def store(watched: Watched, clock: TurnedRuntime) -> EventStore:
    return EventStore.open(watched, runtime=clock)  # type: ignore[arg-type]


def follow(store: EventStore, *steps: Callable[[], None], from_ms: int, **options: Any) -> list[tuple[str, int]]:
    """Return what a follower gives; between its looks the steps are carried out, then it is stopped."""
    return keys(store.stream_events(from_ms, follow=True, stop=Script(steps), **options))


def test_a_stream_crosses_days_and_ends_now(store: EventStore, clock: TurnedRuntime) -> None:
    """
    The events of all days so far, and not those of a clock that is ahead.
    """
    clock.now = MIDNIGHT + 2 * DAY_MS
    append(store, "a", MIDNIGHT - 9, MIDNIGHT, MIDNIGHT + DAY_MS, clock.now, clock.now + 1)

    assert keys(store.stream_events(MIDNIGHT - 5)) == [("a", 2), ("a", 3), ("a", 4)]
    assert keys(store.stream_events(clock.now + 99)) == []


def test_a_follower_goes_on_with_the_next_day(store: EventStore, clock: TurnedRuntime) -> None:
    """
    Midnight is nothing special.
    """
    append(store, "a", MIDNIGHT - 9 * SECOND)

    def morning() -> None:
        clock.now = MIDNIGHT + SECOND
        append(store, "a", MIDNIGHT + SECOND)

    def much_later() -> None:
        clock.now = MIDNIGHT + 2 * DAY_MS
        append(store, "a", MIDNIGHT + 2 * DAY_MS)

    found = follow(store, morning, much_later, from_ms=MIDNIGHT - 10 * SECOND)

    assert found == [("a", 1), ("a", 2), ("a", 3)]


def test_what_the_index_shows_late_is_given_once(store: EventStore, clock: TurnedRuntime, watched: Watched) -> None:
    """
    Within the overlap; with what came meanwhile not given again.
    """
    append(store, "late", MIDNIGHT - 6 * SECOND)
    append(store, "seen", MIDNIGHT - 6 * SECOND)
    watched.hidden = {"late"}

    def appears() -> None:
        clock.now += 5 * SECOND
        watched.hidden = set()

    found = follow(store, appears, lambda: None, from_ms=MIDNIGHT - 20 * SECOND)

    assert found == [("seen", 1), ("late", 1)]


def test_what_shows_up_after_the_overlap_is_not_given(
    store: EventStore, clock: TurnedRuntime, watched: Watched
) -> None:
    """
    The documented limit: the look after the next begins behind it.
    """
    append(store, "late", MIDNIGHT - 6 * SECOND)
    watched.hidden = {"late"}

    def appears() -> None:
        watched.hidden = set()

    found = follow(store, lambda: setattr(clock, "now", MIDNIGHT + 9 * SECOND), appears, from_ms=MIDNIGHT - 20_000)

    assert found == []


def test_a_clock_that_is_ahead_is_no_matter(store: EventStore, clock: TurnedRuntime) -> None:
    """
    Within the overlap an event is given at once, beyond it when its time has come; each once.
    """
    append(store, "near", clock.now + 9 * SECOND)
    append(store, "far", clock.now + 60 * SECOND)
    given: list[list[tuple[str, int]]] = []

    def turn() -> None:
        clock.now += 30 * SECOND
        given.append([])

    found = follow(store, turn, turn, turn, from_ms=MIDNIGHT - 20 * SECOND)

    assert found == [("near", 1), ("far", 1)]


def test_a_follower_reads_only_bodies_that_are_new(store: EventStore, watched: Watched) -> None:
    """
    A look at what is known costs its keys alone: one Query per write shard and day of the window, and the store record.
    """
    append(store, "a", MIDNIGHT - 6 * SECOND)
    counts: list[dict[str, int]] = []

    def count() -> None:
        counts.append(dict(watched.calls))
        watched.calls.clear()

    watched.calls.clear()
    follow(store, count, count, from_ms=MIDNIGHT - 8 * SECOND)

    assert counts == [{"get_item": 1, "query": 8, "batch_get_item": 1}, {"get_item": 1, "query": 8}]


def test_a_follower_waits_as_long_as_it_was_told(store: EventStore) -> None:
    """
    Between looks it waits for the stop, so that it ends at once.
    """
    stop = Script([lambda: None, lambda: None])

    assert keys(store.stream_events(MIDNIGHT, follow=True, poll_seconds=2.5, stop=stop)) == []
    assert stop.waits == [2.5, 2.5, 2.5]


def test_a_follower_stops_between_events(store: EventStore) -> None:
    """
    Also when it has much to catch up with.
    """
    append(store, "a", *[MIDNIGHT - 6 * SECOND] * 50)
    for following in (False, True):
        stop = Script([])
        found = []
        for event in store.stream_events(MIDNIGHT - 20 * SECOND, follow=following, stop=stop):
            found.append(event.sequence_number)
            if len(found) == 3:
                stop.set()
        assert found == [1, 2, 3]


def test_a_flood_is_given_once(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    More events in the overlap than are remembered: nothing comes twice, and what comes next is seen.
    """
    monkeypatch.setattr(follower, "Seen", lambda low: Seen(low, capacity=3))
    append(store, "a", *range(MIDNIGHT - 6_000, MIDNIGHT - 5_990))

    found = follow(
        store,
        lambda: append(store, "a", MIDNIGHT - 5_000),
        lambda: None,
        from_ms=MIDNIGHT - 20 * SECOND,
    )

    assert found == [("a", number) for number in range(1, 12)]


def test_a_corrupt_row_does_not_end_a_stream(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    It is told of once, and passed over.
    """
    append(store, "a", MIDNIGHT - 6_000, MIDNIGHT - 5_999)
    database.client().update_item(
        TableName="inventory_events",
        Key={"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "1"}},
        UpdateExpression="REMOVE eventData",
    )
    told: list[CorruptRowError] = []

    found = follow(store, lambda: None, from_ms=MIDNIGHT - 20 * SECOND, on_corrupt=told.append)

    assert found == [("a", 2)]
    assert [error.key for error in told] == ["a/1"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"from_ms": -1}, "from_ms"),
        ({"from_ms": "now"}, "from_ms"),
        ({"from_ms": MIDNIGHT, "overlap_seconds": -1}, "overlap_seconds"),
        ({"from_ms": MIDNIGHT, "overlap_seconds": float("nan")}, "overlap_seconds"),
        ({"from_ms": MIDNIGHT, "poll_seconds": 0}, "poll_seconds"),
    ],
)
def test_a_stream_that_cannot_work_is_refused(store: EventStore, arguments: dict[str, Any], field: str) -> None:
    """
    By the call itself.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.stream_events(**arguments)

    assert caught.value.field == field


def test_a_stream_from_the_beginning_of_time_is_refused(store: EventStore) -> None:
    """
    53 years are 80,000 requests; nobody means them.
    """
    with pytest.raises(LimitExceededError, match="days"):
        store.stream_events(0)


def test_a_follower_outlives_a_clock_that_is_set_back(store: EventStore, clock: TurnedRuntime) -> None:
    """
    It gives what is stored by the new time at once, and nothing twice; not only when the old time is reached again.
    """
    clock.now = MIDNIGHT + 3600 * SECOND
    append(store, "before", clock.now - SECOND)

    def back() -> None:
        clock.now = MIDNIGHT
        append(store, "after", clock.now + SECOND)

    def further() -> None:
        clock.now = MIDNIGHT - DAY_MS
        append(store, "long after", clock.now)

    found = follow(store, back, further, lambda: None, from_ms=MIDNIGHT - 2 * DAY_MS)

    assert found == [("before", 1), ("after", 1), ("long after", 1)]


def append_250(store: EventStore, first_ms: int) -> None:
    """Append 250 events to aggregate `a`, a millisecond apart."""
    for start in range(first_ms, first_ms + 250, 50):
        append(store, "a", *range(start, start + 50))


class Failing:
    """Passes calls on to a client; while it is out of order, those of one operation fail.

    Attributes:
        operation: Which calls fail.
        after: How many of them are answered before; None for all.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.operation = "query"
        self.after: int | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        passed_on: Callable[..., Any] = getattr(self._inner, name)
        if name != self.operation or self.after is None:
            return passed_on
        if self.after > 0:
            self.after -= 1
            return passed_on

        def fail(**_: Any) -> Any:
            raise lost()

        return fail


@pytest.mark.parametrize(
    ("operation", "after"),
    [*(("query", after) for after in (0, 1, 3, 5)), *(("batch_get_item", after) for after in (0, 1, 2))],
)
def test_a_follower_outlives_an_outage(
    database: InMemoryDynamoDB, clock: TurnedRuntime, operation: str, after: int
) -> None:
    """
    Wherever in a look DynamoDB stops to answer: each event is given once, and the outage is told.
    """
    failing = Failing(database.client())
    options = StoreOptions(read_backoff=QUICK)
    store = EventStore.open(failing, runtime=clock, options=options)  # type: ignore[arg-type]
    told: list[TryLaterError] = []
    healthy = EventStore.open(database.client(), runtime=clock)
    append_250(healthy, MIDNIGHT - 9_000)
    failing.operation, failing.after = operation, after

    def goes_on() -> None:
        append(healthy, "late", MIDNIGHT - 8_900)

    def is_well() -> None:
        failing.after = None

    found = follow(
        store, goes_on, is_well, lambda: None, lambda: None, from_ms=MIDNIGHT - DAY_MS, on_trouble=told.append
    )

    assert sorted(found) == [*(("a", number) for number in range(1, 251)), ("late", 1)]
    assert told
    assert {type(error) for error in told} == {UnreachableError}


def test_a_stream_that_does_not_follow_raises(database: InMemoryDynamoDB, clock: TurnedRuntime) -> None:
    """
    It has no next look, so an outage is its caller's; `resume_ms` says where to go on.
    """
    failing = Failing(database.client())
    options = StoreOptions(read_backoff=QUICK)
    store = EventStore.open(failing, runtime=clock, options=options)  # type: ignore[arg-type]
    append_250(store, MIDNIGHT - 90_000)
    failing.operation, failing.after = "batch_get_item", 2
    stream = store.stream_events(MIDNIGHT - DAY_MS)
    found = []

    with pytest.raises(UnreachableError):
        found.extend(event.sequence_number for event in stream)
    failing.after = None

    assert found == list(range(1, 201))
    assert stream.resume_ms == MIDNIGHT - 90_000 + 199
    assert keys(store.stream_events(stream.resume_ms)) == [("a", number) for number in range(200, 251)]


def test_a_follower_is_resumed_by_another(store: EventStore, clock: TurnedRuntime) -> None:
    """
    Another one, of another process, misses nothing, also of what the index shows late; it repeats the overlap alone.
    """
    append(store, "old", MIDNIGHT - 3600 * SECOND)
    append(store, "new", clock.now - SECOND)
    stop = Script([])
    stream = store.stream_events(MIDNIGHT - DAY_MS, follow=True, stop=stop)
    assert stream.resume_ms == MIDNIGHT - DAY_MS

    assert next(stream).aggregate_id == "old"
    assert stream.resume_ms == MIDNIGHT - 3600 * SECOND
    assert next(stream).aggregate_id == "new"
    assert stream.resume_ms == clock.now - 10 * SECOND
    stream.close()

    append(store, "late", clock.now - 9 * SECOND)
    append(store, "next", clock.now)
    resumed = keys(store.stream_events(stream.resume_ms, follow=True, stop=Script([])))

    assert resumed == [("late", 1), ("new", 1), ("next", 1)]

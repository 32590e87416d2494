"""
Times as `datetime`, wherever milliseconds are taken.
"""

import asyncio
import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    ByAggregateType,
    ByTime,
    ByType,
    EventStore,
    EventTypes,
    InvalidInputError,
    NewEvent,
    Projection,
    Repository,
    TypedEvent,
)
from eventstore.aio import AsyncEventSearch, AsyncEventStore, AsyncProjection, AsyncRepository
from eventstore.payload import moments
from eventstore.search import EventSearch, SearchQuery
from eventstore.testing import InMemorySearch, ManualRuntime, in_memory_store, recorded

ITEM = AggregateRef("Item", "a-1")
BERLIN = timezone(timedelta(hours=1))
NOON = datetime(2025, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
NOON_MS = 1_740_830_400_123
NAIVE = datetime(2025, 3, 1, 12, 0)  # noqa: DTZ001 - which is what is refused
MINUTE = timedelta(minutes=1)


class Nowhere(tzinfo):
    """A zone that does not know how far it is from UTC, so that its times are naive by Python's definition."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None


@dataclass(frozen=True)
class Counted:
    n: int


class Later(datetime):
    """A subclass, as other libraries have them."""


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON.astimezone(BERLIN),
        NOON.replace(microsecond=123_000),
        NOON.replace(microsecond=123_999),
        Later(2025, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC),
        NOON_MS,
    ],
)
def test_a_moment_is_its_milliseconds(moment: datetime | int) -> None:
    """
    Whatever the zone; what is below a millisecond is dropped, before 1970 as well.
    """
    assert moments.to_ms(moment, "x") == NOON_MS


def test_moments_around_1970_and_at_the_ends() -> None:
    """
    Counting is exact, where floating-point seconds are not.
    """
    assert moments.to_ms(datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC), "x") == -1
    assert moments.to_ms(datetime.max.replace(tzinfo=UTC), "x") == 253_402_300_799_999
    assert moments.to_ms(datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), "x") < 0


def store_with_history() -> EventStore:
    """Return a store with an event a minute, three of them, the second at noon."""
    store = in_memory_store(clock=ManualRuntime(NOON + 2 * MINUTE))
    events = [NewEvent("COUNTED", {"n": n}, timestamp_ms=NOON + (n - 2) * MINUTE) for n in (1, 2, 3)]
    store.append(ITEM, events, expected_version=0)
    return store


def last_of(state: int, event: Any) -> int:
    del state
    return int(event.sequence_number)


def numbers(events: Any) -> list[int]:
    return [event.sequence_number for event in events]


async def collected(stream: Any) -> list[int]:
    return [event.sequence_number async for event in stream]


def in_tasks(store: EventStore, call: Callable[[AsyncEventStore], Any]) -> Any:
    async def body() -> Any:
        async with AsyncEventStore(store) as opened:
            made = call(opened)
            return await (made if inspect.isawaitable(made) else collected(made))

    return asyncio.run(body())


def of_repository(made: Any, moment: Any) -> int:
    return int(made.load("a-1", as_of_ms=moment).state)


def repository(kind: Any, store: Any) -> Any:
    return kind(store, aggregate_type="Item", initial=0, evolve=last_of)


def projection(kind: Any, store: Any) -> Any:
    return kind(store, "last", initial=0, evolve=last_of)


async def state_of(made: Any, moment: Any) -> int:
    return int((await made.load("a-1", as_of_ms=moment)).state)


READS: dict[str, tuple[str, Callable[[EventStore, Any], Any], Any]] = {
    "read_type from": ("from_ms", lambda s, at: numbers(s.read_type("COUNTED", from_ms=at)), [2, 3]),
    "read_type until": ("until_ms", lambda s, at: numbers(s.read_type("COUNTED", until_ms=at)), [1]),
    "read_aggregate_type from": ("from_ms", lambda s, at: numbers(s.read_aggregate_type("Item", from_ms=at)), [2, 3]),
    "read_aggregate_type until": ("until_ms", lambda s, at: numbers(s.read_aggregate_type("Item", until_ms=at)), [1]),
    "read_between from": ("from_ms", lambda s, at: numbers(s.read_between(at, NOON_MS + 1)), [2]),
    "read_between until": ("until_ms", lambda s, at: numbers(s.read_between(NOON_MS - 60_000, at)), [1]),
    "stream_events": ("from_ms", lambda s, at: numbers(s.stream_events(at)), [2, 3]),
    "verify": ("since_ms", lambda s, at: list(s.verify(since_ms=at)), []),
    "latest_of_day": ("since_ms", lambda s, at: numbers(s.latest_of_day("2025-03-01", limit=9, since_ms=at)), [2, 3]),
    "ByType": ("from_ms", lambda s, at: numbers(s.read_page(ByType("COUNTED", at)).events), [2, 3]),
    "ByAggregateType": ("until_ms", lambda s, at: numbers(s.read_page(ByAggregateType("Item", 0, at)).events), [1]),
    "ByTime": ("from_ms", lambda s, at: numbers(s.read_page(ByTime(at, NOON_MS + 1)).events), [2]),
    "Repository.load": ("as_of_ms", lambda s, at: of_repository(repository(Repository, s), at), 2),
    "Projection.load": ("as_of_ms", lambda s, at: of_repository(projection(Projection, s), at), 2),
    "async read_type": ("from_ms", lambda s, at: in_tasks(s, lambda a: a.read_type("COUNTED", from_ms=at)), [2, 3]),
    "async read_aggregate_type": (
        "until_ms",
        lambda s, at: in_tasks(s, lambda a: a.read_aggregate_type("Item", until_ms=at)),
        [1],
    ),
    "async read_between": ("from_ms", lambda s, at: in_tasks(s, lambda a: a.read_between(at, NOON_MS + 1)), [2]),
    "async stream_events": ("from_ms", lambda s, at: in_tasks(s, lambda a: a.stream_events(at)), [2, 3]),
    "async verify": ("since_ms", lambda s, at: in_tasks(s, lambda a: a.verify(since_ms=at)), []),
    "async latest_of_day": (
        "since_ms",
        lambda s, at: numbers(in_tasks(s, lambda a: a.latest_of_day("2025-03-01", limit=9, since_ms=at))),
        [2, 3],
    ),
    "async Repository.load": (
        "as_of_ms",
        lambda s, at: in_tasks(s, lambda a: state_of(repository(AsyncRepository, a), at)),
        2,
    ),
    "async Projection.load": (
        "as_of_ms",
        lambda s, at: in_tasks(s, lambda a: state_of(projection(AsyncProjection, a), at)),
        2,
    ),
}


@pytest.mark.parametrize("name", READS)
def test_reads_take_a_datetime_as_its_milliseconds(name: str) -> None:
    """
    Every read that takes a moment answers the same for both of its forms.
    """
    _, read, expected = READS[name]
    store = store_with_history()

    assert read(store, NOON) == read(store, NOON_MS) == expected


WRONG = {
    "naive": (NAIVE, "without a zone; add one, such as tzinfo=datetime.UTC"),
    "of a zone without offset": (NAIVE.replace(tzinfo=Nowhere()), "without a zone"),
    "a day": (date(2025, 3, 1), "is a date; give whole milliseconds since 1970 UTC, or a datetime with a zone"),
    "a float": (NOON.timestamp(), "is a float; give whole milliseconds"),
    "text": ("2025-03-01", "is a str; give"),
    "a bool": (True, "is a bool; give"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", READS)
def test_reads_refuse_what_is_no_moment(name: str, kind: str) -> None:
    """
    The error names the parameter and the cure.
    """
    field, read, _ = READS[name]
    wrong, says = WRONG[kind]

    with pytest.raises(InvalidInputError, match=says) as caught:
        read(store_with_history(), wrong)
    assert caught.value.field == field


def test_every_parameter_of_milliseconds_takes_a_datetime() -> None:
    """
    Whoever adds a parameter that takes milliseconds lets it take a datetime too, and says so in its annotation.
    """
    classes = [EventStore, Repository, Projection, EventSearch, SearchQuery]
    classes += [AsyncEventStore, AsyncRepository, AsyncProjection, AsyncEventSearch]
    functions = [(f"{cls.__name__}.{name}", each) for cls in classes for name, each in inspect.getmembers(cls)]
    functions += [
        (each.__name__, each) for each in (NewEvent, NewEvent.of, TypedEvent, ByType, ByAggregateType, ByTime)
    ]
    functions += [("recorded", recorded), ("ManualRuntime", ManualRuntime)]
    functions += [("ManualRuntime.set_now_ms", ManualRuntime.set_now_ms)]
    found = {}
    for name, function in functions:
        if name.partition(".")[2].startswith("_") or not (inspect.isroutine(function) or inspect.isclass(function)):
            continue
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name.endswith("_ms") or parameter.name == "from_":
                found[name, parameter.name] = str(parameter.annotation)

    assert len(found) > 30
    assert {key: said for key, said in found.items() if "datetime" not in said} == {}


def test_an_event_keeps_the_milliseconds_of_its_time() -> None:
    """
    New events are equal whichever form they were given in, and what is stored is a number.
    """
    event = NewEvent("COUNTED", {"n": 1}, timestamp_ms=NOON.astimezone(BERLIN))
    typed = NewEvent.of(Counted(1), timestamp_ms=NOON)
    types = EventTypes()
    types.add_class(Counted, "COUNTED")
    store = in_memory_store(events=types)

    assert event == NewEvent("COUNTED", {"n": 1}, timestamp_ms=NOON_MS) == copy.deepcopy(event)
    assert pickle.loads(pickle.dumps(typed)) == NewEvent.of(Counted(1), timestamp_ms=NOON_MS)  # noqa: S301 - our own
    store.append(ITEM, [event, typed, NewEvent("COUNTED", {"n": 1})], expected_version=0)
    assert [each.timestamp_ms for each in store.load(ITEM)][:2] == [NOON_MS, NOON_MS]
    assert recorded(NewEvent("COUNTED", {}), timestamp_ms=NOON).timestamp_ms == NOON_MS


@pytest.mark.parametrize("kind", WRONG)
def test_an_event_whose_time_is_no_moment_is_refused(kind: str) -> None:
    """
    The append names the event, and nothing is stored.
    """
    wrong, says = WRONG[kind]
    types = EventTypes()
    types.add_class(Counted, "COUNTED")
    store = in_memory_store(events=types)
    fine = NewEvent("COUNTED", {"n": 1}, timestamp_ms=NOON)

    for event in (NewEvent("COUNTED", {"n": 1}, timestamp_ms=wrong), NewEvent.of(Counted(1), timestamp_ms=wrong)):
        with pytest.raises(InvalidInputError, match=says) as caught:
            store.append(ITEM, [fine, event], expected_version=0)
        assert caught.value.field == "events[1].timestamp_ms"
    assert store.current_version(ITEM) == 0


@pytest.mark.parametrize("moment", [datetime(1969, 12, 31, tzinfo=UTC), datetime.max.replace(tzinfo=UTC) - MINUTE])
def test_years_that_no_index_holds(moment: datetime) -> None:
    """
    A datetime is refused where its milliseconds are, and taken where they are.
    """
    store = in_memory_store()
    event = NewEvent("COUNTED", {}, timestamp_ms=moment)
    if moment.year > 1970:
        assert store.append(ITEM, [event], expected_version=0).version == 1
        return
    with pytest.raises(InvalidInputError, match="outside of the years 1970 to 9999"):
        store.append(ITEM, [event], expected_version=0)
    with pytest.raises(InvalidInputError, match="outside of the years 1970 to 9999"):
        list(store.read_type("COUNTED", from_ms=moment))


def test_searches_and_clocks_take_a_datetime() -> None:
    """
    The search's range, its shortest form, and the clock of tests.
    """
    clock = ManualRuntime(NOON)
    search = EventSearch(InMemorySearch())

    assert SearchQuery().between(NOON, NOON + MINUTE) == SearchQuery().between(NOON_MS, NOON_MS + 60_000)
    assert search.find_events_by_type("COUNTED", NOON) == []
    assert clock.now_ms() == NOON_MS
    clock.set_now_ms(NOON - MINUTE)
    assert clock.now_ms() == NOON_MS - 60_000
    for field, call in (
        ("until_ms", lambda: SearchQuery().between(0, NAIVE)),
        ("from_", lambda: search.find_events_by_type("COUNTED", NAIVE)),
        ("now_ms", lambda: ManualRuntime(NAIVE)),
        ("now_ms", lambda: clock.set_now_ms(NAIVE)),
        ("timestamp_ms", lambda: recorded(NewEvent("COUNTED", {}), timestamp_ms=NAIVE)),
    ):
        with pytest.raises(InvalidInputError, match="without a zone") as caught:
            call()
        assert caught.value.field == field

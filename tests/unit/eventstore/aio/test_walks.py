"""Everything from the beginning, for tasks: a token is of what was given, whatever is fetched ahead."""

import asyncio
import threading
from typing import Any

import pytest

from eventstore import AggregateRef, InvalidTokenError, NewEvent
from eventstore.aio import AsyncEventStore, AsyncEventWalk
from eventstore.testing import InMemoryEventStore, in_memory_store


@pytest.fixture
def store() -> InMemoryEventStore[Any]:
    made = in_memory_store()
    for number in range(40):
        made.append(AggregateRef("ITEM", f"a-{number}"), [NewEvent("COUNTED", {})] * 10, expected_version=0)
    return made


async def take(walk: AsyncEventWalk, count: int) -> list[tuple[str, int]]:
    found = []
    async for event in walk:
        found.append((event.aggregate_id, event.sequence_number))
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize("count", [1, 99, 100, 101, 250])
def test_a_walk_goes_on_behind_what_its_reader_was_given(
    store: InMemoryEventStore[Any], segments: int, count: int
) -> None:
    """
    Not behind what was fetched ahead; in order per aggregate, and everything once.
    """

    async def main() -> list[tuple[str, int]]:
        async with AsyncEventStore(store) as opened:
            async with opened.read_all(segments=segments) as walk:
                assert walk.token is None
                before = await take(walk, count)
            resumed = opened.read_all(walk.token)
            assert resumed.follow_from_ms == walk.follow_from_ms
            return before + await take(resumed, 1_000)

    found = asyncio.run(main())

    assert sorted(found) == [(f"a-{number}", each) for number in sorted(range(40), key=str) for each in range(1, 11)]
    for number in range(40):
        assert [each for name, each in found if name == f"a-{number}"] == list(range(1, 11))
    assert not [each.name for each in threading.enumerate() if each.name.startswith("walk-")]


def test_aggregates_are_awaited(store: InMemoryEventStore[Any]) -> None:
    """
    Of a type, and of all.
    """

    async def main() -> tuple[int, int]:
        async with AsyncEventStore(store) as opened:
            return len([each async for each in opened.aggregates("ITEM")]), len(
                [each async for each in opened.aggregates()]
            )

    assert asyncio.run(main()) == (40, 40)


def test_a_bad_token_is_refused_by_the_call(store: InMemoryEventStore[Any]) -> None:
    """
    As by the blocking store.
    """

    async def main() -> None:
        async with AsyncEventStore(store) as opened:
            opened.read_all("nonsense")

    with pytest.raises(InvalidTokenError):
        asyncio.run(main())

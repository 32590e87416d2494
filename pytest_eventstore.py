"""The pytest plugin `eventstore`: fixtures with a store in memory, one for each test.

It stands beside the package `eventstore`, which pytest would otherwise import at the start of every test run, used or
not. The package is imported when a test asks for the first of these fixtures.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from eventstore import EventTypes
    from eventstore.testing import InMemoryDynamoDB, InMemoryEventStore, ManualRuntime


@pytest.fixture
def event_clock() -> "ManualRuntime":
    """The clock of `event_store` and `event_database`: it stands at 2025-01-01 UTC until a test lets time pass."""
    from eventstore.testing import ManualRuntime  # noqa: PLC0415 - see above

    return ManualRuntime()


@pytest.fixture
def event_database(event_clock: "ManualRuntime") -> "InMemoryDynamoDB":
    """The in-memory DynamoDB below `event_store`."""
    from eventstore.testing import InMemoryDynamoDB  # noqa: PLC0415 - see above

    return InMemoryDynamoDB(clock=event_clock)


@pytest.fixture
def event_types() -> "EventTypes | None":
    """What the program knows about its events: none. Define a fixture of this name to give `event_store` yours."""
    return None


@pytest.fixture
def event_store(
    event_database: "InMemoryDynamoDB",
    event_clock: "ManualRuntime",
    event_types: "EventTypes | None",
) -> "InMemoryEventStore[ManualRuntime]":
    """An event store of the test's own, its tables made and empty."""
    from eventstore.testing import in_memory_store  # noqa: PLC0415 - see above

    return in_memory_store(events=event_types, clock=event_clock, database=event_database)

"""Examples of the shop's rules, as its tests have them."""

from datetime import UTC, datetime

from eventstore.testing import DeciderSpec, ManualRuntime, ProjectionSpec, history, in_memory_store, recorded

from .events import Received, Removed, types
from .stock import Remove, SoldOutError, Stock, count, evolve, remove

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


def check_rules() -> None:
    """Try the decisions without a store."""
    spec = DeciderSpec(initial=Stock, evolve=evolve, decide=remove, event_types=types)
    spec.given(Received(3)).when(Remove(1, "A-1")).then(Removed(1, "A-1"))
    spec.given().when(Remove(1, "A-1")).then_raises(SoldOutError)
    tallies = ProjectionSpec(initial=dict, evolve=count, event_types=types)
    tallies.given(Received(3), Received(4)).then_state({"STOCK_RECEIVED": 2})
    assert recorded(Received(1), event_types=types).payload == Received(1)
    assert len(history(Received(1), Received(2), event_types=types)) == len("12")


def check_clock() -> int:
    """Return what a store's clock says a minute after the new year."""
    store = in_memory_store(events=types, clock=ManualRuntime(NEW_YEAR))
    store.clock.advance(60)
    return store.clock.now_ms()

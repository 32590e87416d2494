"""What visitors append: events in the form that the ledger knows, with what they say about the decision behind them."""

from typing import Any

from eventstore import NewEvent
from tests.simulation.content import meant


def new_events(request: str, size: int, *, group: int = 1, **about: Any) -> list[NewEvent]:
    """Return the events of a request.

    Args:
        request: Names it; no two commits come from one.
        size: How many.
        group: How many aggregates are appended to together.
        about: What else each of them says; no name twice in the product's own words.
    """
    return [
        NewEvent(
            data={"request": request, "place": place, "of": size, "group": group, "pad": "", **about},
            **meant(request, place),
        )
        for place in range(size)
    ]

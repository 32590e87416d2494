"""The fold of services in a simulation, as the product is to do it and as it is done by hand from the ledger.

Each event becomes one step of the state, so that one that is left out, doubled or not lifted shows.
"""

import json
from typing import Any

import msgspec

from eventstore import EventTypes, RecordedEvent
from relay.testing.checker import TrueEvent
from tests.simulation.content import TYPES
from tests.simulation.ledger import Ledger

LATEST = {TYPES[0]: 3, TYPES[1]: 4}
"""The latest schema version of each type; events are stored at this one and at lower ones."""

Tale = dict[str, Any]
"""A state: what has happened, step by step. It is changed in place, as a state may be."""


class Moved(msgspec.Struct):
    """The payload of the second type, at its latest version."""

    request: str
    place: int
    of: int
    group: int
    pad: str
    lifted: list[int] = []
    poison: bool = False
    after: int = 0
    rests: dict[str, int] = {}
    reserves: str = ""
    counts: str = ""


def event_types() -> EventTypes:
    """Return what a service registers: an upcaster for each version below the latest, and a class."""
    types = EventTypes()
    types.add_class(Moved, TYPES[1], LATEST[TYPES[1]])
    for name, latest in LATEST.items():
        for version in range(1, latest):
            types.add_upcaster(_lift_to(version + 1), name, version)
    return types


def _lift_to(version: int) -> Any:
    def lift(data: dict[str, Any]) -> dict[str, Any]:
        data.setdefault("lifted", []).append(version)
        return data

    return lift


def begin() -> Tale:
    """Return the state before the first event."""
    return {"steps": []}


def evolve(tale: Tale, event: RecordedEvent) -> Tale:
    """Return the state after an event."""
    payload = event.payload
    request, lifted = (
        (payload.request, payload.lifted) if isinstance(payload, Moved) else (payload["request"], payload.get("lifted"))
    )
    tale["steps"].append(
        [event.sequence_number, event.type, event.schema_version, request, lifted or [], event.data.get("place")]
    )
    return tale


def told(ledger: Ledger, aggregate_id: str, version: int) -> Tale:
    """Return the state of an aggregate at a version, from what is stored."""
    commits = (ledger.by_number[aggregate_id, number] for number in range(1, version + 1))
    return {"steps": [_step(commit.event(number)) for number, commit in enumerate(commits, start=1)]}


def _step(event: TrueEvent) -> list[Any]:
    data, latest = json.loads(event.data_json), LATEST[event.type]
    lifted = list(range(event.schema_version + 1, latest + 1))
    return [event.sequence_number, event.type, latest, data["request"], lifted, data["place"]]

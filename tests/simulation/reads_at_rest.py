"""What reads of many aggregates give at rest: of every event one, in the order of its place."""

from eventstore import EventStore
from tests.simulation.content import TYPES
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.ledger import Ledger
from tests.simulation.primitives import SimulatedRuntime

PROMISE = "a read by type has every event, in order"


def check(ledger: Ledger, passage: SimulatedPassage, runtime: SimulatedRuntime) -> None:
    """Read the events of each type, through pages as small as the world's, and compare them with what is stored."""
    with passage.direct():
        store = EventStore.open(passage.database.client(), runtime=runtime)
        for event_type in TYPES:
            read = [
                (each.timestamp_ms, each.aggregate_id, each.sequence_number) for each in store.read_type(event_type)
            ]
            stored = sorted(
                (event.timestamp_ms, event.aggregate_id, event.sequence_number)
                for commit in ledger.commits.values()
                for event in commit.events
                if event.type == event_type
            )
            if read != stored:
                missing = sorted(set(stored) - set(read))
                ledger.broken(PROMISE, f"{event_type}: {len(read)} of {len(stored)}, without {missing[:3]}")

"""Tables made anew under their names while the relay lives: how many of the new events arrive?"""

from eventstore import TableNames
from relay.sweep.sweep import SweepSettings
from tests.bench.flow import report
from tests.bench.flow.report import Findings
from tests.bench.flow.scene import Scene
from tests.bench.flow.servers import Ledger

AGGREGATES = 20
COMMITS_EACH = 3
SECONDS_MAX = 45.0

ALL = (
    TableNames().events,
    TableNames().outbox,
    TableNames().relay,
    TableNames().snapshots,
    TableNames().idempotency,
)
CASES = {"all tables": ALL, "events and outbox": ALL[:2]}


def fill(scene: Scene) -> None:
    """Append the same commits as any other time."""
    for _ in range(COMMITS_EACH):
        for number in range(AGGREGATES):
            scene.append(f"item-{number}")


def measure(findings: Findings) -> None:
    """Deliver to the end, make the tables anew, append again; count what the bus gets of it.

    The sweep looks early, so that it may meet the new rows before the new stream is found.
    """
    events = AGGREGATES * COMMITS_EACH
    for case, tables in CASES.items():
        with Scene(sweep=SweepSettings(min_age_seconds=0.0, interval_seconds=0.1)) as scene:
            scene.start()
            fill(scene)
            assert scene.wait(lambda: scene.owed() == 0, 30), "the first store is not delivered"
            scene.drop_tables(*tables)
            scene.bus.ledger = ledger = Ledger()
            scene.make_tables()
            fill(scene)
            scene.wait(lambda: scene.owed() == 0, SECONDS_MAX)
            arrived = sum(1 for key in ledger.copies if key[0].startswith("item-"))
            owed = scene.owed()
        findings.add(remade=case, events=events, arrived=arrived, still_owed=owed, lost=events - arrived - owed)
        findings.bound(f"events that did not arrive, {case}", events - arrived, at_most=0)


if __name__ == "__main__":
    report.main(__doc__ or "", measure)

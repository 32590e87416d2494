"""A stop with work in hand: how long until the relay has gone?"""

from collections.abc import Callable

from relay.daemon import DaemonSettings
from relay.destinations.bus.broker import BrokerLostError
from tests.bench.flow import report
from tests.bench.flow.report import Findings
from tests.bench.flow.scene import Scene

SHARDS = 2
AGGREGATES = 20
COMMITS_EACH = 200
CONFIRM_SECONDS = 0.05
OUTAGE_SECONDS = 3.0
"""How long the bus is away before the stop."""

CONNECT_SECONDS = 5.0
LEAVE_SECONDS = CONNECT_SECONDS
"""What a stop may take beyond its leases: a connection that is being opened is waited for."""

SECONDS_MAX = 25.0


def well(_: Scene) -> None:
    """Leave the bus as it is."""


def down(scene: Scene) -> None:
    """Let the bus be out of reach."""
    scene.broker.refuse_connections(BrokerLostError("no broker there"))
    scene.broker.drop_connections()
    scene.wait(lambda: False, OUTAGE_SECONDS)


def unanswered(scene: Scene) -> None:
    """Let the bus be out of reach in such a way that each attempt to connect takes its time-out."""
    scene.bus.connect_seconds = CONNECT_SECONDS
    down(scene)


def silent(scene: Scene) -> None:
    """Let the bus take messages and say nothing."""
    scene.broker.stall()
    scene.wait(lambda: False, OUTAGE_SECONDS)


BEGUN_SECONDS = 5.0
"""What is unconfirmed may be waited for so long, while the bus is well."""

CASES: dict[str, tuple[Callable[[Scene], None], float]] = {
    "well": (well, 1.5),
    "down": (down, 1.0),
    "unanswered": (unanswered, 1.0),
    "silent": (silent, BEGUN_SECONDS + 1.0),
}
"""What happens to the bus, and within how many seconds all leases must be free then."""


def stop_after(befall: Callable[[Scene], None]) -> dict[str, float | int]:
    """Stop in the middle of long chains, when something has happened to the bus; return the figures."""
    with Scene(shards=SHARDS, confirm_seconds=CONFIRM_SECONDS, daemon=DaemonSettings()) as scene:
        for number in range(AGGREGATES * COMMITS_EACH):
            scene.append(f"item-{number % AGGREGATES}")
        scene.start_at_once()
        ledger = scene.bus.ledger
        assert scene.wait(lambda: len(ledger.confirmed_at) > AGGREGATES, 30), "nothing goes"
        befall(scene)
        begin = scene.runtime.monotonic()
        scene.stop.set()
        scene.wait(lambda: scene.leases_held() == 0, SECONDS_MAX)
        free = scene.runtime.monotonic() - begin
        gone = free + scene.end(SECONDS_MAX)
    confirmed, repeats = len(ledger.confirmed_at), ledger.repeats()
    return {"leases_free_s": free, "gone_s": gone, "confirmed": confirmed, "repeats": repeats}


def measure(findings: Findings) -> None:
    """Stop beside a bus that is well, and beside others."""
    for case, (befall, at_most) in CASES.items():
        figures = stop_after(befall)
        findings.add(bus=case, **figures)
        findings.bound(f"seconds until all leases are free, bus {case}", figures["leases_free_s"], at_most=at_most)
        findings.bound(f"seconds until it has gone, bus {case}", figures["gone_s"], at_most=at_most + LEAVE_SECONDS)


if __name__ == "__main__":
    report.main(__doc__ or "", measure)

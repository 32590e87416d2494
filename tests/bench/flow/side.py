"""An index that is down or slow: how much longer does the bus take?"""

from collections.abc import Callable

from relay.destinations.index.client import IndexClient, IndexLostError
from tests.bench.flow import report
from tests.bench.flow.report import Findings
from tests.bench.flow.scene import Scene
from tests.bench.flow.servers import SlowIndex

COMMITS = 3_000
AGGREGATES = 600
CALL_SECONDS = 0.005
CONFIRM_SECONDS = 0.002
BULK_SECONDS = 2.0
SECONDS_MAX = 35.0
RATIO_MAX = 1.15
ROUNDS = 3
CASE_SECONDS = 9.0
"""No further round of a case that has taken so long."""


def as_it_is(client: IndexClient) -> IndexClient:
    """Return the index in memory itself."""
    return client


def slow(client: IndexClient) -> IndexClient:
    """Return an index that takes its time."""
    return SlowIndex(client, BULK_SECONDS)


def course(index: Callable[[IndexClient], IndexClient], *, is_down: bool) -> tuple[float, int]:
    """Return the seconds from the first append to the last confirm, all of the time without it, and the confirms."""
    with Scene(confirm_seconds=CONFIRM_SECONDS, call_seconds=CALL_SECONDS, index=index) as scene:
        if is_down:
            scene.index.fail(IndexLostError("no index there"))
        scene.start()
        begin = scene.runtime.monotonic()
        for number in range(COMMITS):
            scene.append(f"item-{number % AGGREGATES}")
        confirmed = scene.bus.ledger.confirmed_at
        scene.wait(lambda: len(confirmed) == COMMITS + 1, SECONDS_MAX)
        times = list(confirmed.values())
    return (max(times) - begin if len(times) == COMMITS + 1 else SECONDS_MAX), len(times) - 1


def measure(findings: Findings) -> None:
    """Append the same commits beside an index that is well, down, and slow; of some rounds the best one counts.

    The machine does other things too: they make a round slower, never quicker.
    """
    cases: dict[str, Callable[[], tuple[float, int]]] = {
        "well": lambda: course(as_it_is, is_down=False),
        "down": lambda: course(as_it_is, is_down=True),
        "slow": lambda: course(slow, is_down=False),
    }
    rounds: dict[str, list[tuple[float, int]]] = {case: [] for case in cases}
    for _ in range(ROUNDS):
        for case, go in cases.items():
            if sum(seconds for seconds, _ in rounds[case]) < CASE_SECONDS:
                rounds[case].append(go())
    best = {case: min(found) for case, found in rounds.items()}
    for case, (seconds, confirmed) in best.items():
        ratio = seconds / best["well"][0]
        findings.add(index=case, rounds=len(rounds[case]), bus_has_all_s=seconds, ratio=ratio, confirmed=confirmed)
    for case in ("down", "slow"):
        findings.bound(f"ratio, index {case}", best[case][0] / best["well"][0], at_most=RATIO_MAX)


if __name__ == "__main__":
    report.main(__doc__ or "", measure)

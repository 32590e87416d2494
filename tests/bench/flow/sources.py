"""A start with an old backlog, where feed and sweep meet: is anything sent twice by one process?"""

from tests.bench.flow import report
from tests.bench.flow.report import Findings
from tests.bench.flow.scene import PastRuntime, Scene

COMMITS = 5_000
AGGREGATES = 500
SHARDS = 4
AGE_SECONDS = 1_200.0
CONFIRM_SECONDS = 0.008
CALL_SECONDS = 0.005
SECONDS_MAX = 75.0


def measure(findings: Findings) -> None:
    """Append everything some time ago, then start the relay."""
    with Scene(shards=SHARDS, confirm_seconds=CONFIRM_SECONDS, call_seconds=CALL_SECONDS) as scene:
        scene.open_store(PastRuntime(AGE_SECONDS))
        for number in range(COMMITS):
            scene.append(f"item-{number % AGGREGATES}")
        scene.start_at_once()
        scene.wait(lambda: scene.owed() == 0, SECONDS_MAX)
        ledger, owed = scene.bus.ledger, scene.owed()
    repeats = ledger.repeats()
    findings.add(events=COMMITS, messages=ledger.messages(), repeats=repeats, still_owed=owed)
    findings.bound("messages that were repeated", repeats, at_most=0)
    findings.bound("commits still owed", owed, at_most=0)


if __name__ == "__main__":
    report.main(__doc__ or "", measure)

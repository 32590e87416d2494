"""A queue refuses although another took the message: how many copies does the healthy one get, and who waits?"""

from relay.destinations.bus.broker import Message
from tests.bench.flow import report
from tests.bench.flow.report import Findings
from tests.bench.flow.scene import Scene
from tests.support.figures import quantile

REFUSED = 300
CONFIRM_SECONDS = 0.002
AGGREGATES = 40
PER_SECOND = 20.0
SECONDS_WITHOUT = 6.0
SECONDS = 90.0
COPIES_MAX = 8.0
"""Seven attempts fit into 90 s when the pause starts at 1 s and doubles; one more for another start."""

DELAY_MAX_SECONDS = 0.5


def refuses(message: Message) -> bool:
    """Tell whether the full queue is bound for a message."""
    return message.routing_key.endswith(".REFUSED")


def measure(findings: Findings) -> None:
    """Stream to others without events that a queue refuses, and beside such events."""
    with Scene(confirm_seconds=CONFIRM_SECONDS, refuses=refuses) as scene:
        scene.start()
        scene.stream("without", aggregates=AGGREGATES, per_second=PER_SECOND, seconds=SECONDS_WITHOUT)
        without = scene.delays("without")
    with Scene(confirm_seconds=CONFIRM_SECONDS, refuses=refuses) as scene:
        for number in range(REFUSED):  # before the start, so that one page has them all
            scene.append(f"refused-{number}", event_type="REFUSED")
        scene.start_at_once()
        assert scene.wait(lambda: bool(scene.bus.ledger.copies), 30), "nothing goes"
        scene.stream("beside", aggregates=AGGREGATES, per_second=PER_SECOND, seconds=SECONDS)
        copies = [count for key, count in scene.bus.ledger.copies.copy().items() if key[0].startswith("refused-")]
        beside = scene.delays("beside")
    worst = max(copies, default=0)
    findings.add(refused=REFUSED, tried=len(copies), messages=sum(copies), copies_of_the_worst=worst)
    findings.add(commits_of="others, without", **report.spread(without))
    findings.add(commits_of="others, beside", **report.spread(beside))
    findings.bound("refused events that were never tried", REFUSED - len(copies), at_most=0)
    findings.bound("copies of the worst event", worst, at_most=COPIES_MAX)
    later = quantile(beside, 0.99) - quantile(without, 0.99)
    findings.bound("seconds by which others are later, p99", later, at_most=DELAY_MAX_SECONDS)


if __name__ == "__main__":
    report.main(__doc__ or "", measure)

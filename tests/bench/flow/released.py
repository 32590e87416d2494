"""A released aggregate with 6,000 owed commits: by how much are the others delayed?"""

from eventstore import TableNames
from eventstore.backoff import Backoff
from relay.destination import BUS
from relay.operating.parked.release import Releaser
from relay.operating.parked.selection import Selection
from tests.bench.flow import report
from tests.bench.flow.report import Findings
from tests.bench.flow.scene import PastRuntime, Scene
from tests.support.figures import quantile

COMMITS = 6_000
AGE_SECONDS = 1_200.0
"""How long they have waited: it is the sweep that finds what stands behind."""

CONFIRM_SECONDS = 0.002
AGGREGATES = 40
PER_SECOND = 25.0
SECONDS_BEFORE = 8.0
SECONDS = 20.0
LATE_MAX_SECONDS = 30.0
DELAY_MAX_SECONDS = 0.5
NAME = "released"


def park_first(scene: Scene) -> None:
    """Let the first commit have a mark, so that all others wait behind it."""
    now = {"N": str(scene.runtime.now_ms())}
    texts = {"reason": {"S": "a test says so"}, "errorClass": {"S": "told"}}
    mark = {"M": {**texts, "attempts": {"N": "1"}, "firstFailedAt": now, "lastFailedAt": now}}
    scene.client.update_item(
        TableName=TableNames().outbox,
        Key={"aggregateId": {"S": NAME}, "sequenceNumber": {"N": "1"}},
        UpdateExpression="SET parked = :map",
        ExpressionAttributeValues={":map": {"M": {BUS: mark}}},
    )


def measure(findings: Findings) -> None:
    """Stream to others before and after the release, on the one shard there is."""
    with Scene(confirm_seconds=CONFIRM_SECONDS) as scene:
        scene.open_store(PastRuntime(AGE_SECONDS))
        for _ in range(COMMITS):
            scene.append(NAME)
            if scene.versions[NAME] == 1:
                park_first(scene)
        scene.open_store(scene.runtime)
        scene.start()
        scene.stream("before", aggregates=AGGREGATES, per_second=PER_SECOND, seconds=SECONDS_BEFORE)
        releaser = Releaser(scene.client, TableNames(), scene.runtime, Backoff(attempts_max=3))
        begin = scene.runtime.monotonic()
        assert sum(1 for _ in releaser.release(Selection(NAME), dry_run=False)) == 1, "nothing was released"
        scene.stream("after", aggregates=AGGREGATES, per_second=PER_SECOND, seconds=SECONDS)
        scene.wait(lambda: (NAME, COMMITS) in scene.bus.ledger.confirmed_at, LATE_MAX_SECONDS)
        before, after = scene.delays("before"), scene.delays("after")
        end = scene.bus.ledger.confirmed_at.get((NAME, COMMITS))
    findings.add(commits_of="others, before", **report.spread(before))
    findings.add(commits_of="others, after", **report.spread(after))
    findings.add(released=COMMITS, all_delivered_s="not yet" if end is None else round(end - begin, 1))
    later = quantile(after, 0.99) - quantile(before, 0.99)
    findings.bound("seconds by which others are later, p99", later, at_most=DELAY_MAX_SECONDS)


if __name__ == "__main__":
    report.main(__doc__ or "", measure)

"""One aggregate with 2,000 waiting commits: how much later do the commits of others arrive?"""

from eventstore.testing.dynamodb.storage.rows import HASH_BITS, hash_of
from tests.bench.flow import report
from tests.bench.flow.report import Findings
from tests.bench.flow.scene import Scene
from tests.support.figures import quantile

SHARDS = 4
HOT_COMMITS = 2_000
CONFIRM_SECONDS = 0.008
AGGREGATES = 40
PER_SECOND = 30.0
SECONDS = 14.0
LATE_MAX_SECONDS = 20.0
RATIO_MAX = 2.0


def shard_of(aggregate_id: str) -> int:
    """Return which of the shards has an aggregate."""
    return hash_of(aggregate_id) * SHARDS >> HASH_BITS


def delays(*, hot: int) -> dict[str, list[float]]:
    """Return the delays of others, by where they are, beside an aggregate with that many waiting commits."""
    with Scene(shards=SHARDS, confirm_seconds=CONFIRM_SECONDS) as scene:
        confirmed = scene.bus.ledger.confirmed_at
        for _ in range(hot):
            scene.append("hot")
        scene.start_at_once()
        assert scene.wait(lambda: ("hot", 1) in confirmed, 30), "the relay does not deliver"
        scene.stream("other", aggregates=AGGREGATES, per_second=PER_SECOND, seconds=SECONDS)
        count = round(PER_SECOND * SECONDS)
        scene.wait(lambda: sum(key[0] != "hot" for key in list(confirmed)) == count, LATE_MAX_SECONDS)
        beside = scene.delays("other", lambda name: shard_of(name) == shard_of("hot"))
        elsewhere = scene.delays("other", lambda name: shard_of(name) != shard_of("hot"))
    return {"the hot one's shard": beside, "other shards": elsewhere}


def measure(findings: Findings) -> None:
    """Measure beside an aggregate with one commit, and beside the hot one."""
    cold, hot = delays(hot=1), delays(hot=HOT_COMMITS)
    for place in cold:
        for waiting, found in ((1, cold[place]), (HOT_COMMITS, hot[place])):
            findings.add(commits_of=place, waiting=waiting, **report.spread(found))
    for place in cold:
        ratio = quantile(hot[place], 0.9) / quantile(cold[place], 0.9)
        findings.bound(f"ratio of p90, {place}", ratio, at_most=RATIO_MAX)


if __name__ == "__main__":
    report.main(__doc__ or "", measure)

"""The input of the longer tests: real sales when the file is at hand, the seeded warehouse otherwise."""

from collections.abc import Sequence
from typing import NamedTuple

from relay.demo import retail, scenario
from relay.demo.planned import PlannedCommit
from tests.support.servers import ROOT

RETAIL = ROOT.parent / "shared" / "data" / "online-retail-20k.csv"
SEED = 20_261


Commits = Sequence[PlannedCommit]


class Input(NamedTuple):
    """What to append, and where it comes from."""

    source: str
    commits: Commits


def commits(count: int) -> Input:
    """Return so many commits."""
    if RETAIL.is_file():
        return Input(RETAIL.name, retail.commits(RETAIL, None)[:count])
    return Input(f"warehouse scenario, since {RETAIL.name} is absent", list(scenario.commits(SEED, count)))

"""How long tiers and tests took, as a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

SLOWEST = 10


@dataclass(frozen=True, slots=True)
class Took:
    """What one tier came to.

    Attributes:
        tier: Its name.
        seconds: By the clock, start and end of its processes included.
        failure: What went wrong; empty when all tests passed.
        tests: Seconds and name of each test, set-up and tear-down included.
    """

    tier: str
    seconds: float
    failure: str = ""
    tests: Sequence[tuple[float, str]] = ()


def cases_of(report: Path) -> list[tuple[float, str]]:
    """Return seconds and name of each test in a JUnit report; none when pytest did not come to write one."""
    if not report.is_file():
        return []
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - our own pytest has just written it
    return [(float(each.get("time", "0")), f"{each.get('classname')}::{each.get('name')}") for each in cases]


def table(tiers: Sequence[Took], seconds: float) -> str:
    """Return the slowest tests of all tiers, then each tier, and the seconds of all, waiting between them included."""
    tests = [(seconds, tier.tier, name) for tier in tiers for seconds, name in tier.tests]
    slowest = sorted(tests, reverse=True)[:SLOWEST]
    return "\n".join(
        [
            *([f"the slowest of {len(tests):,} tests"] if slowest else []),
            *_aligned(slowest),
            *([""] if slowest else []),
            *_aligned((tier.seconds, tier.tier, tier.failure or "passed") for tier in tiers),
            *_aligned([(seconds, "in all", "")]),
        ],
    )


def _aligned(rows: Iterable[tuple[float, str, str]]) -> list[str]:
    return [f"{name:<16} {seconds:>6.1f} s  {words}".rstrip() for seconds, name, words in rows]

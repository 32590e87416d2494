"""What a measurement found: a table for people or JSON for programs, and bounds that it must keep."""

# ruff: noqa: T201 - a benchmark talks to a person

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType

import structlog

from tests.support.figures import quantile

DEADLINE_SECONDS = 120
"""No measurement takes longer."""


class OverTimeError(Exception):
    """A measurement took longer than it may."""


class Findings:
    """Rows of figures, each row with the same columns, and bounds."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.bounds: list[dict[str, object]] = []

    def add(self, **figures: object) -> None:
        """Add a row; a name says its unit."""
        self.rows.append(
            {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
        )

    def bound(self, what: str, value: float, *, at_most: float) -> None:
        """State that a value must not be above a bound."""
        self.bounds.append(
            {"what": what, "value": round(value, 3), "at_most": at_most, "kept": value <= at_most},
        )

    @property
    def are_kept(self) -> bool:
        """Whether there are bounds, and all are kept."""
        return bool(self.bounds) and all(bound["kept"] for bound in self.bounds)

    def table(self) -> str:
        """Return everything as Markdown."""
        lines = []
        for place, row in enumerate(self.rows):
            if place == 0 or list(row) != list(self.rows[place - 1]):
                lines += ["", _line(row), _line(["---"] * len(row))]
            lines.append(_line(f"{value:,}" if isinstance(value, int | float) else value for value in row.values()))
        lines.append("")
        for bound in self.bounds:
            verdict = "kept" if bound["kept"] else "BROKEN"
            lines.append(f"{verdict}: {bound['what']} is {bound['value']:,}, at most {bound['at_most']:,}")
        return "\n".join(lines[1:])


def spread(delays: list[float]) -> dict[str, object]:
    """Return the figures of delays in seconds."""
    return {
        "commits": len(delays),
        "p50_s": quantile(delays, 0.5),
        "p90_s": quantile(delays, 0.9),
        "p99_s": quantile(delays, 0.99),
        "max_s": max(delays),
    }


def main(question: str, measure: Callable[[Findings], None]) -> None:
    """Measure, print, and exit: 0 when all bounds are kept or nobody asked, 1 otherwise."""
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--measure", action="store_true", help="do not fail when a bound is broken")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    signal.signal(signal.SIGALRM, _over_time)
    signal.alarm(DEADLINE_SECONDS)
    findings, fault = Findings(), None
    try:
        measure(findings)
    except OverTimeError as error:
        fault = str(error)
    signal.alarm(0)
    if options.json:
        print(json.dumps({"question": question, "rows": findings.rows, "bounds": findings.bounds, "fault": fault}))
    else:
        print(f"{question}\n\n{findings.table()}" + (f"\n{fault}" if fault else ""))
    sys.exit(0 if fault is None and (options.measure or findings.are_kept) else 1)


def _over_time(_number: int, _frame: FrameType | None) -> None:
    raise OverTimeError(f"not done within {DEADLINE_SECONDS} s")


def _line(cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"  # type: ignore[attr-defined]

"""Figures that a test has measured: printed at the end of the run, and appended to a file when one is named.

ACCEPTANCE_REPORT=FILE   appends one line of JSON for each test that has figures
"""

import json
import os
from pathlib import Path

PROPERTY = "figures"
"""Under this name the line is handed to whoever prints it at the end, as a property of the test's reports."""


class Figures:
    """Collects the figures of one test, in the order in which they were stated."""

    def __init__(self, test: str) -> None:
        self.test = test
        self.values: dict[str, object] = {}

    def state(self, **values: object) -> None:
        """State some; a name says its unit."""
        self.values.update(
            {name: round(value, 2) if isinstance(value, float) else value for name, value in values.items()}
        )

    def line(self) -> str:
        """Return them as a line for people."""
        return f"{self.test}: " + ", ".join(f"{name}={value}" for name, value in self.values.items())

    def report(self) -> None:
        """Append them to the file that `ACCEPTANCE_REPORT` names, if it does."""
        if named := os.environ.get("ACCEPTANCE_REPORT"):
            with Path(named).open("a") as report:
                report.write(json.dumps({"test": self.test, **self.values}) + "\n")


def quantile(values: list[float], share: float) -> float:
    """Return a quantile by the nearest rank."""
    ordered = sorted(values)
    assert ordered, "nothing was measured"
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

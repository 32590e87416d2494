"""A commit that does not fit one time budget: is it ever settled, and how many copies does it cost?"""

from dataclasses import dataclass

from relay.delivery.pumps.bus_pump import BusPumpSettings
from tests.bench.flow import report
from tests.bench.flow.report import Findings
from tests.bench.flow.scene import Scene

EVENTS = 98
CONFIRM_SECONDS = 0.11
SECONDS_MAX = 90.0
SETTLED_WITHIN_SECONDS = 60.0
COPIES_MAX = 1.1
"""A connection that is thrown away costs the copy of what was under way on it."""

INNOCENT = 8
"""Aggregates of the same shard that have one event each, appended when the long commit is under way."""


@dataclass(slots=True)
class Course:
    """One commit on its way, with the budget it has."""

    budget_seconds: float
    scene: Scene
    settled_seconds: float | None = None

    def append(self) -> None:
        """Append the long commit, and the others when its first event is confirmed."""
        self.scene.append("long", EVENTS)
        confirmed = self.scene.bus.ledger.confirmed_at
        assert self.scene.wait(lambda: ("long", 1) in confirmed, 30), "nothing goes"
        for number in range(INNOCENT):
            self.scene.append(f"innocent-{number}")

    def copies(self) -> float:
        """Return messages per event of the long commit."""
        copies = self.scene.bus.ledger.copies.copy()
        return sum(count for key, count in copies.items() if key[0] == "long") / EVENTS


def measure(findings: Findings) -> None:
    """Append one long commit under each budget, all at the same time, since everything here is waiting."""
    courses = [
        Course(budget, Scene(confirm_seconds=CONFIRM_SECONDS, bus=BusPumpSettings(budget_seconds=budget)))
        for budget in (10.0, 1.0)
    ]
    for course in courses:
        course.scene.start()
    begin = courses[0].scene.runtime.monotonic()
    for course in courses:
        course.append()

    def are_settled() -> bool:
        for course in courses:
            if course.settled_seconds is None and course.scene.owed() == 0:
                course.settled_seconds = course.scene.runtime.monotonic() - begin
        return all(course.settled_seconds is not None for course in courses)

    courses[0].scene.wait(are_settled, SECONDS_MAX)
    for course in courses:
        took = course.settled_seconds
        findings.add(
            budget_s=course.budget_seconds,
            settled_s="never" if took is None else round(took, 1),
            copies_per_event=course.copies(),
            innocent_p90_s=report.spread(course.scene.delays("innocent"))["p90_s"],
        )
        name = f"budget {course.budget_seconds:.0f} s"
        findings.bound(f"seconds until settled, {name}", took or SECONDS_MAX, at_most=SETTLED_WITHIN_SECONDS)
        findings.bound(f"copies per event, {name}", course.copies(), at_most=COPIES_MAX)
        course.scene.end(0.1)


if __name__ == "__main__":
    report.main(__doc__ or "", measure)

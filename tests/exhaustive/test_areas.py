"""Every course of the small cases keeps what must hold, none is left out, and every deliberate bug is found."""

from pathlib import Path

import pytest

from tests.exhaustive.area import Area, Case, PlantedBug, counterexample, explore_case, silent
from tests.exhaustive.areas import AREAS
from tests.exhaustive.enumeration import Enumeration, look_at_all

SECONDS_MAX = 600
"""A case takes some seconds of one core, and minutes where many share it."""


@pytest.mark.timeout(SECONDS_MAX)
@pytest.mark.parametrize("case", [pytest.param(c, id=f"{a.name}: {c.name}") for a in AREAS for c in a.cases])
def test_whatever_the_order_it_holds(case: Case) -> None:
    """
    As many states and steps are looked at as were when it was measured: a case that shrinks looks at less.
    """
    found = explore_case(case)
    assert found.is_whole
    assert (found.states, found.steps) == (case.states, case.steps)


@pytest.mark.timeout(SECONDS_MAX)
@pytest.mark.parametrize(
    "enumeration", [pytest.param(e, id=f"{a.name}: {e.name}") for a in AREAS for e in a.enumerations]
)
def test_each_case_holds(enumeration: Enumeration) -> None:
    """
    As many are looked at as were counted.
    """
    with silent():
        assert look_at_all(enumeration) == enumeration.count


@pytest.mark.timeout(SECONDS_MAX)
@pytest.mark.parametrize(("area", "bug"), [pytest.param(a, b, id=f"{a.name}: {b.name}") for a in AREAS for b in a.bugs])
def test_a_deliberate_bug_is_found_by_a_shortest_course(area: Area, bug: PlantedBug) -> None:
    """
    An exploration that finds none proves nothing.
    """
    found = counterexample(area, bug)
    assert found is not None
    assert bug.why in found.why
    assert len(found.course) == bug.length


def test_the_page_states_what_is_looked_at() -> None:
    """
    Each case stands in the table, with its numbers.
    """
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "exhaustive.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    stated = {row[0]: row[3] for row in rows if len(row) == 5} | {row[0]: row[2] for row in rows if len(row) == 4}
    for area in AREAS:
        for case in area.cases:
            assert stated[f"{area.name}: {case.name}"] == f"{case.states:,}, {case.steps:,}"
        for enumeration in area.enumerations:
            assert stated[f"{area.name}: {enumeration.name}"] == f"{enumeration.count:,}"

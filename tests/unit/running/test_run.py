"""What `python -m tests` runs, in which order, and what it says at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tests.__main__ as command
from tests import conftest
from tests.running import servers
from tests.running.times import Took, cases_of, table

REPORT = """<?xml version="1.0"?>
<testsuites><testsuite name="pytest" tests="2">
<testcase classname="tests.unit.test_a" name="test_one[x]" time="0.250"/>
<testcase classname="tests.unit.test_a.TestB" name="test_two" time="12.5"><failure message="no"/></testcase>
</testsuite></testsuites>
"""


def test_the_cases_of_a_report(tmp_path: Path) -> None:
    """
    Each with its seconds, whether it has passed or not; no report, no tests.
    """
    (tmp_path / "junit.xml").write_text(REPORT)

    assert cases_of(tmp_path / "junit.xml") == [
        (0.25, "tests.unit.test_a::test_one[x]"),
        (12.5, "tests.unit.test_a.TestB::test_two"),
    ]
    assert cases_of(tmp_path / "absent.xml") == []


def test_the_table_at_the_end() -> None:
    """
    The slowest tests of all tiers, the slowest first; then the tiers, and the whole run with what lay between them.
    """
    some = Took("without servers", 100.04, tests=[(number / 10, f"a::test_{number}") for number in range(11)])
    others = Took("timed", 20.0, "FAILED (pytest ended with 1)", tests=[(0.95, "b::test")])

    assert table([some, others], 125.0).splitlines() == [
        "the slowest of 12 tests",
        "without servers     1.0 s  a::test_10",
        "timed               0.9 s  b::test",
        *(f"without servers     0.{number} s  a::test_{number}" for number in range(9, 1, -1)),
        "",
        "without servers   100.0 s  passed",
        "timed              20.0 s  FAILED (pytest ended with 1)",
        "in all            125.0 s",
    ]


def test_a_tier_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """
    It is said which there are, and nothing is run.
    """
    assert command.main(["servers"]) == 2
    assert "no tier is called servers; there are: without servers, simulation, with servers, timed" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(("are_up", "code"), [(True, 0), (False, 1)])
def test_tiers_with_servers_wait_for_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, are_up: bool, code: int
) -> None:
    """
    Those without begin at once; when the servers do not come up, theirs are not run, and have failed.
    """
    done: list[str] = []

    def wait() -> bool:
        done.append("waited")
        return are_up

    @contextmanager
    def starting() -> Iterator[Any]:
        yield SimpleNamespace(wait=wait, code=None if are_up else 3)

    def run(tier: Any, _environment: object) -> Took:
        done.append(tier.name)
        return Took(tier.name, 1.0)

    monkeypatch.setattr(servers, "starting", starting)
    monkeypatch.setattr(command, "run", run)

    assert command.main([]) == code
    assert done[:3] == ["without servers", "simulation", "waited"]
    assert done[3:] == (["with servers", "waited", "timed"] if are_up else ["waited"])
    assert ("the servers did not start: 3" in capsys.readouterr().out) is not are_up


def item(folder: str, *marks: pytest.Mark) -> Any:
    """Return what is known of a test before it runs."""
    named = {mark.name: mark for mark in marks}
    path = conftest.HERE / folder / "test_it.py"
    return SimpleNamespace(nodeid=f"{folder}/test_it.py", path=path, get_closest_marker=named.get)


SERVERS, ACCEPTANCE = pytest.mark.servers.mark, pytest.mark.acceptance.mark


def test_a_test_with_servers_where_nobody_would_run_it() -> None:
    """
    The tiers with servers look into some folders alone, so another one is refused.
    """
    conftest.pytest_collection_modifyitems([item("contract/search", SERVERS), item("unit")])

    with pytest.raises(pytest.UsageError, match=r"unit/test_it\.py needs servers, and is not in tests/acceptance"):
        conftest.pytest_collection_modifyitems([item("unit", SERVERS)])


def test_the_longest_begin() -> None:
    """
    Those that may take longest first, then those that start processes; of the rest, the shuffle has the say.
    """
    given = [
        item("unit"),
        item("contract", SERVERS),
        item("acceptance", SERVERS, ACCEPTANCE),
        item("acceptance", SERVERS, ACCEPTANCE, pytest.mark.timeout(600).mark),
        item("acceptance", SERVERS, ACCEPTANCE, pytest.mark.timeout(900).mark),
    ]

    assert sorted(given[1:], key=conftest.rank) == given[:0:-1]
    assert conftest.rank(item("unit", pytest.mark.timeout(600).mark)) == conftest.rank(given[0])

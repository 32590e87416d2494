"""The pytest plugin, in test runs of its own."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

from eventstore.testing import ManualRuntime

ROOT = Path(__file__).parents[4]

CONFTEST = """
from eventstore import EventTypes
import pytest

@pytest.fixture
def event_types():
    types = EventTypes(strict=True)
    types.add_plain("COUNTED")
    return types
"""

TESTS = """
import pytest
from eventstore import AggregateRef, InvalidInputError, NewEvent

ITEM = AggregateRef("Item", "item-1")

@pytest.mark.parametrize("run", [1, 2])
def test_each_test_has_a_store_of_its_own(event_store, event_database, event_clock, run):
    assert event_store.current_version(ITEM) == 0
    event_clock.advance(60)
    event_store.append(ITEM, [NewEvent("COUNTED", {})], expected_version=0)
    assert event_store.load(ITEM)[0].timestamp_ms == 1_735_689_660_000
    assert event_store.database is event_database
    assert event_store.clock is event_clock
    assert event_database.client().scan(TableName="inventory_events")["Count"] == 1

def test_the_types_of_the_program_are_used(event_store):
    with pytest.raises(InvalidInputError):
        event_store.append(ITEM, [NewEvent("OTHER", {})], expected_version=0)
"""

LAZY = """
import sys

def test_nothing_was_imported():
    assert [name for name in sys.modules if name.split(".")[0] in ("eventstore", "boto3", "botocore")] == []
"""


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder with this plugin and no other, warnings being errors."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", "pytest_eventstore", "-p", "no:cacheprovider", "-W", "error"]
    return subprocess.run(
        [*command, "--rootdir", str(folder), *options, str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_fixtures_give_each_test_a_store(tmp_path: Path) -> None:
    """
    A new one for each test, on one clock with its database, with the program's event types.
    """
    (tmp_path / "conftest.py").write_text(CONFTEST, "utf-8")
    (tmp_path / "test_shop.py").write_text(TESTS, "utf-8")

    ran = run_pytest(tmp_path)

    assert "3 passed" in ran.stdout, ran.stdout + ran.stderr


def test_nothing_is_imported_before_it_is_used(tmp_path: Path) -> None:
    """
    A run that uses no fixture of the plugin imports neither the library nor boto3.
    """
    (tmp_path / "test_lazy.py").write_text(LAZY, "utf-8")

    ran = run_pytest(tmp_path)

    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_fixtures_explain_themselves(tmp_path: Path) -> None:
    """
    `pytest --fixtures` has a sentence about each.
    """
    listed = run_pytest(tmp_path, "--fixtures").stdout
    for name in ("event_clock", "event_database", "event_store", "event_types"):
        assert re.search(rf"^{name} .*\n    \w+", listed, re.MULTILINE), name


def test_the_package_declares_the_plugin() -> None:
    """
    The entry point leads to the module, and the wheel carries it.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["entry-points"]["pytest11"] == {"eventstore": "pytest_eventstore"}
    assert "pytest_eventstore.py" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert import_module("pytest_eventstore").__doc__


def test_the_fixtures_are_what_the_module_says() -> None:
    """
    The clock is a `ManualRuntime`, and no event types are known unless a program says so.
    """
    plugin = import_module("pytest_eventstore")
    assert isinstance(plugin.event_clock.__wrapped__(), ManualRuntime)
    assert plugin.event_types.__wrapped__() is None


def test_a_failed_example_points_at_the_test(tmp_path: Path) -> None:
    """
    The report ends in the test's line and shows the difference; the library's own frames are left out.
    """
    (tmp_path / "test_shop.py").write_text(
        "from eventstore import NewEvent\n"
        "from eventstore.testing import DeciderSpec\n"
        "SPEC = DeciderSpec(initial=0, evolve=lambda n, _: n, decide=lambda _, n: [NewEvent('MADE', {'n': n})])\n"
        "def test_made():\n"
        "    SPEC.given().when(1).then(NewEvent('MADE', {'n': 2}))\n",
        "utf-8",
    )
    shown = run_pytest(tmp_path).stdout
    assert 'E       -     "n": 2' in shown
    assert "given.py" not in shown

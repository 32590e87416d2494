"""Of a whole run: its order, what its tests have measured, and that no process is left which one has started."""

from pathlib import Path

import pytest

from tests.running import leftovers
from tests.running.tiers import WITH_SERVERS
from tests.support.figures import PROPERTY

HERE = Path(__file__).parent

LEFT = pytest.StashKey[list[leftovers.Process]]()
MEASURED = pytest.StashKey[list[str]]()


def is_worker(config: pytest.Config) -> bool:
    """Tell whether this is a worker of pytest-xdist, which a controller looks after."""
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Sort the tests, and become the parent of whatever one of them leaves."""
    config.pluginmanager.register(LongestFirst())
    if not is_worker(config):
        leftovers.adopt_orphans()
        config.stash[MEASURED] = []
        config.pluginmanager.register(Figures(config.stash[MEASURED]))


@pytest.hookimpl(tryfirst=True)  # before those with another marker are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test with servers where the tiers with servers do not look."""
    for item in items:
        if item.get_closest_marker("servers") and item.path.relative_to(HERE).parts[0] not in WITH_SERVERS:
            raise pytest.UsageError(f"{item.nodeid} needs servers, and is not in tests/{', '.join(WITH_SERVERS)}")


class LongestFirst:
    """Lets those tests with servers begin that may take longest, as they say by their time-outs."""

    @pytest.hookimpl(trylast=True)  # behind the shuffle, which stays in force among equals
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the tests."""
        items.sort(key=rank)


def rank(item: pytest.Item) -> tuple[float, bool]:
    """Return the place of a test: by its time-out, then those that start processes before the others."""
    if not item.get_closest_marker("servers"):
        return 0.0, False
    timeout = item.get_closest_marker("timeout")
    return -float(timeout.args[0]) if timeout else 0.0, not item.get_closest_marker("acceptance")


class Figures:
    """Collects the figures of tests, which come with their reports, from a worker too."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the figures that a test has stated; its last report has them all."""
        if report.when == "teardown":
            self._lines += [str(value) for name, value in report.user_properties if name == PROPERTY]


@pytest.hookimpl(trylast=True)  # the workers have ended, and so have the fixtures of the session
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that leaves a process."""
    if is_worker(session.config):
        return
    session.config.stash[LEFT] = leftovers.end_leftovers()
    if session.config.stash[LEFT]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print figures, and what was left."""
    if lines := config.stash.get(MEASURED, []):
        terminalreporter.section("figures")
        for line in sorted(lines):
            terminalreporter.line(line)
    if left := config.stash.get(LEFT, []):
        terminalreporter.section("processes that tests have left", red=True)
        for process in left:
            terminalreporter.line(str(process))

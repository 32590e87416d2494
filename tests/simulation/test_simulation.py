"""The simulation in `make test`: 200 seeds keep every promise, every planted bug is found, and a seed says it all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.planted import BUGS
from tests.simulation.shrink import promise_of, shrink
from tests.simulation.world import Plan, simulate

ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_two_hundred_seeds_keep_every_promise_and_meet_every_fault() -> None:
    """Whatever goes wrong, nothing is lost, doubled or out of order, and everything drains."""
    done = command("--runs", "200", "--seed", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    fewest = re.search(r"at least ([\d,]+) a seed", done.stdout)
    assert fewest is not None, done.stdout
    assert int(fewest[1].replace(",", "")) >= 500


def test_every_planted_bug_is_found() -> None:
    """A simulation that cannot find planted bugs proves nothing."""
    assert len(BUGS) >= 14
    done = command("--planted", "all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("found ") == len(BUGS), done.stdout


def test_the_same_seed_gives_the_same_trace() -> None:
    """Two processes do the same steps for one seed, and others for another."""
    once, again, other = (command("--runs", "1", "--seed", seed).stdout for seed in ("11", "11", "12"))
    assert "trace" in once
    assert once == again
    assert once != other


def test_runs_in_one_process_do_not_disturb_each_other() -> None:
    """A seed gives the same trace whatever ran before it in the process."""
    alone = simulate(Plan(5)).trace
    simulate(Plan(6))
    assert simulate(Plan(5)).trace == alone


@pytest.mark.parametrize("name", ["settle-before-confirm"])
def test_a_failing_run_shrinks(name: str) -> None:
    """A smaller run that breaks the same promise is found."""
    with BUGS[name]():
        plan = next(plan for plan in map(Plan, range(50)) if promise_of(simulate(plan)) is not None)
        promise = promise_of(simulate(plan))
        assert promise is not None
        smaller, run = shrink(plan, promise, simulate)
    assert promise_of(run) == promise
    assert len(smaller.without) > len(plan.without)

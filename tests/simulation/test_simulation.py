"""The simulation in `make test`: 200 seeds keep every promise, every planted bug is found, and a seed says it all."""

import os
import random
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.simulation.command import Found, known_seeds, say_found
from tests.simulation.planted import BUGS
from tests.simulation.shrink import command as command_of
from tests.simulation.shrink import promise_of, shrink
from tests.simulation.world import Plan, settings_of, simulate

ROOT = Path(__file__).parents[2]

COMMAND_SECONDS = 1_200
"""Two hundred seeds, and all planted bugs, take some minutes each on two busy cores."""


FRESH_SEEDS = 5
"""Drawn anew in each test run, beside the fixed ones."""


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


@pytest.mark.timeout(COMMAND_SECONDS + 60)
def test_two_hundred_seeds_keep_every_promise_and_meet_every_fault() -> None:
    """Whatever goes wrong, nothing is lost, doubled or out of order, and everything drains."""
    done = command("--runs", "200", "--seed", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    fewest = re.search(r"at least ([\d,]+) a seed", done.stdout)
    assert fewest is not None, done.stdout
    assert int(fewest[1].replace(",", "")) >= 500


@pytest.mark.timeout(COMMAND_SECONDS + 60)
def test_some_fresh_seeds_keep_every_promise() -> None:
    """Seeds that no run had before, beside the fixed ones; what fails is repeated by the command that it shows."""
    first = int(os.environ.get("SIMULATION_SEED", random.SystemRandom().randrange(10_000, 1_000_000_000)))
    print(f"fresh seeds: {first} to {first + FRESH_SEEDS - 1}; SIMULATION_SEED={first} draws the same")  # noqa: T201 - pytest shows it
    done = command("--runs", str(FRESH_SEEDS), "--seed", str(first))
    assert done.returncode == 0, f"fresh seeds from {first}:\n{done.stdout}{done.stderr}"


@pytest.mark.timeout(COMMAND_SECONDS + 60)
def test_every_planted_bug_is_found() -> None:
    """A simulation that cannot find planted bugs proves nothing.

    Here each is looked for at the seed that is noted for it; `make simulate` looks for all, from the first seed on.
    """
    known = known_seeds()
    assert set(known) <= set(BUGS)
    assert len(known) >= 90
    done = command("--planted", "known")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("found ") == len(known), done.stdout


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


def _can_shrink(plan: Plan) -> bool:
    """Tell whether a world is larger than it has to be, and yet quickly run."""
    settings = settings_of(plan)
    return 8 < settings.writers * settings.appends <= 24 and settings.workers <= 2


def _breaks(plan: Plan, promises: Collection[str]) -> bool:
    return promise_of(simulate(plan)) in promises


@pytest.mark.parametrize("name", ["return-ignored", "idempotency-key-forgotten", "refused-event-overtaken"])
def test_a_failing_run_shrinks(name: str) -> None:
    """A run with fewer aggregates, appends and faults and a shorter storm breaks the same promise."""
    with BUGS[name].plant():
        plan = next(plan for plan in map(Plan, range(80)) if _can_shrink(plan) and _breaks(plan, BUGS[name].promises))
        promise = promise_of(simulate(plan))
        assert promise is not None
        smaller, run = shrink(plan, promise, simulate)
        assert promise_of(simulate(smaller)) == promise
    assert promise_of(run) == promise
    assert promise in BUGS[name].promises
    before, after = settings_of(plan), settings_of(smaller)
    assert after.storm_seconds < before.storm_seconds
    assert after.writers * after.appends < before.writers * before.appends
    assert after.aggregates <= before.aggregates
    assert len(smaller.without) > 30


def test_a_queue_that_refuses_for_an_hour_gets_few_copies() -> None:
    """Pauses grow to 300 s, also across workers: no event is sent to the healthy queues too often, nor forgotten."""
    run = simulate(Plan(1, standing="a queue refuses", standing_seconds=3600.0))
    assert promise_of(run) is None, run.failure
    assert run.seconds > 3600.0


def test_the_command_of_a_plan_repeats_it() -> None:
    """Every size that shrinking may change is on the command line."""
    plan = Plan(7, writers=2, appends=3, aggregates=1, storm_seconds=5.0, without=frozenset({"pause", "bus.nack"}))
    assert command_of(plan, "no-sweep") == (
        "python -m tests.simulation --seed 7 --runs 1 --writers 2 --appends 3 --aggregates 1 --storm 5"
        " --without bus.nack,pause --planted no-sweep"
    )
    calm = Plan(7, is_calm=True, standing="one is hot", standing_seconds=60.0)
    assert command_of(calm) == (
        "python -m tests.simulation --seed 7 --runs 1 --standing 'one is hot' --standing-seconds 60 --calm"
    )


def test_a_bug_that_is_found_for_another_reason_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    """A bug that breaks another promise than those it was planted for fails the run of the list."""
    reason = next(iter(BUGS["no-sweep"].promises))
    assert say_found("no-sweep", Found(1, reason, 900)) == 0
    assert say_found("no-sweep", Found(1, "a relay does not fail", 900)) == 1
    assert say_found("no-sweep", None) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[0] for line in told] == ["found", "FAILED", "FAILED"]
    promises = "a dead worker's shards are carried on, everything drains when faults stop"
    assert f"a relay does not fail; it was planted to break: {promises}" in told[1]

"""`python -m tests.simulation`: many seeds, one seed again, or the planted bugs."""

# ruff: noqa: T201 - a command talks to a person

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.chance import ALL_FAULTS
from tests.simulation.coverage import Coverage
from tests.simulation.paths import never_met
from tests.simulation.planted import BUGS
from tests.simulation.settings import STANDING_FAULTS
from tests.simulation.shrink import command, promise_of, shrink
from tests.simulation.world import Plan, Run, simulate

KNOWN_SEEDS = Path(__file__).with_name("known_seeds.json")
"""Per planted bug the seed that found it. A change of the product may make some of them miss; then it is looked for."""

PLANTED_SEEDS_MAX = 200
COVERED_RUNS_MIN = 100
"""So many runs meet every kind of fault; fewer are not expected to."""

_CHUNK = 5
_PROGRESS_SECONDS = 20.0
_FAILURES_SHOWN = 5


@dataclass(slots=True)
class Tally:
    """What some runs came to.

    Attributes:
        coverage: What they met.
        steps: Of all of them.
        fewest: Steps of the shortest.
        failures: Seed and promise of those that failed.
    """

    coverage: Coverage = field(default_factory=Coverage)
    steps: int = 0
    fewest: int = sys.maxsize
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, seed: int, run: Run) -> None:
        """Add a run."""
        self.coverage.add(run.coverage)
        self.steps += run.steps
        self.fewest = min(self.fewest, run.steps)
        promise = promise_of(run)
        if promise is not None:
            self.failures.append((seed, promise))

    def merge(self, other: "Tally") -> None:
        """Add what another process has run."""
        self.coverage.add(other.coverage)
        self.steps += other.steps
        self.fewest = min(self.fewest, other.fewest)
        self.failures += other.failures


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code: 0 all promises were kept, 1 one was broken."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets must be that of the run which is repeated
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation", *arguments], environment)  # noqa: S606
    options = _parser().parse_args(arguments)
    if options.planted == "all":
        return _find_all(list(BUGS), options.jobs, record=options.record)
    if options.planted == "known":
        return _find_all([name for name in BUGS if name in known_seeds()], options.jobs, record=False)
    plan = Plan(
        options.seed,
        writers=options.writers,
        appends=options.appends,
        workers=options.workers,
        aggregates=options.aggregates,
        storm_seconds=options.storm,
        without=frozenset(filter(None, options.without.split(","))),
        is_calm=options.calm,
        standing=options.standing,
        standing_seconds=options.standing_seconds,
        keep_log=options.log is not None,
    )
    if options.runs == 1:
        return _repeat(plan, options.planted, options.log, no_shrink=options.no_shrink)
    if options.planted is not None:
        return say_found(options.planted, _find(options.planted))
    return _run_many(plan, options.runs, options.jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="seeds to run (200)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument(
        "--planted", choices=[*BUGS, "all", "known"], help="plant a bug, and look for the seed that finds it"
    )
    parser.add_argument("--record", action="store_true", help="with --planted all: note the seeds, to try them first")
    parser.add_argument("--writers", type=int, help="instead of the seed's number")
    parser.add_argument("--appends", type=int, help="of each writer, instead of the seed's number")
    parser.add_argument("--workers", type=int, help="of the relay, instead of the seed's number")
    parser.add_argument("--aggregates", type=int, help="instead of the seed's number")
    parser.add_argument("--storm", type=float, help="seconds, instead of the seed's")
    parser.add_argument("--without", default="", help="kinds of faults to leave out, with commas between")
    parser.add_argument("--calm", action="store_true", help="leave all of them out")
    parser.add_argument("--standing", choices=STANDING_FAULTS, help="the fault that stays, instead of the seed's")
    parser.add_argument("--standing-seconds", type=float, help="for how long, instead of the usual time")
    parser.add_argument("--log", type=argparse.FileType("w"), help="with --runs 1: write a line per step to this file")
    parser.add_argument("--no-shrink", action="store_true", help="with --runs 1: do not look for a smaller run")
    return parser


def _run_many(first: Plan, runs: int, jobs: int) -> int:
    began = time.monotonic()
    tally = Tally()
    said_at, done = began, 0
    for part in _spread([replace(first, seed=first.seed + number) for number in range(runs)], jobs):
        tally.merge(part)
        done = min(done + _CHUNK, runs)
        for seed, promise in part.failures:
            print(f"seed {seed} broke a promise: {promise}", file=sys.stderr, flush=True)
        if time.monotonic() - said_at > _PROGRESS_SECONDS:
            said_at = time.monotonic()
            rate = done / (said_at - began)
            print(f"{done:,} of {runs:,} seeds, {rate:.1f} a second", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    print("\n".join(tally.coverage.lines()))
    print(
        f"{runs:,} seeds, {tally.steps:,} steps (at least {tally.fewest:,} a seed) in {seconds:.1f} s:"
        f" {runs / seconds:.1f} seeds and {tally.steps / seconds:,.0f} steps a second"
    )
    for seed, promise in sorted(tally.failures)[:_FAILURES_SHOWN]:
        print(f"FAILED seed {seed}: {promise}\n  repeat and shrink it: {command(replace(first, seed=seed))}")
    is_full = runs >= COVERED_RUNS_MIN and not first.is_calm
    missed = sorted(set(tally.coverage.never_met(ALL_FAULTS)) - first.without) if is_full else []
    if missed:
        print(f"FAILED: never met: {', '.join(missed)}")
    is_whole = is_full and not first.without
    untrodden = never_met(tally.coverage, runs) if is_whole else []
    if untrodden:
        print(f"FAILED: paths never gone: {', '.join(untrodden)}")
    return 1 if tally.failures or missed or untrodden else 0


def _spread(plans: Sequence[Plan], jobs: int) -> Iterator[Tally]:
    chunks = [plans[start : start + _CHUNK] for start in range(0, len(plans), _CHUNK)]
    if jobs == 1:
        yield from map(_run_chunk, chunks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_run_chunk, chunks)


def _run_chunk(plans: Sequence[Plan]) -> Tally:
    tally = Tally()
    for plan in plans:
        tally.add(plan.seed, simulate(plan))
    return tally


def _repeat(plan: Plan, bug: str | None, log: object, *, no_shrink: bool) -> int:
    with BUGS[bug].plant() if bug is not None else nullcontext():
        run = simulate(plan)
        print(f"seed {plan.seed}: {run.steps:,} steps, {run.seconds:.0f} simulated seconds, trace {run.trace}")
        if log is not None:
            print("\n".join(run.log or ()), file=log)  # type: ignore[call-overload]
        promise = promise_of(run)
        if promise is None:
            return 0
        print(f"FAILED {run.failure}")
        if not no_shrink:
            smaller, again = shrink(plan, promise, simulate)
            print(f"shrunk to {again.steps:,} steps: {again.failure}\n  {command(smaller, bug)} --no-shrink")
    return 1


def _find_all(names: Sequence[str], jobs: int, *, record: bool) -> int:
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        seeds, codes = {}, []
        for name, found in zip(names, pool.map(_find, names), strict=True):
            codes.append(say_found(name, found))
            if found is not None and not codes[-1]:
                seeds[name] = found.seed
    if record:
        KNOWN_SEEDS.write_text(json.dumps(seeds, indent=2) + "\n")
    return max(codes)


@dataclass(frozen=True, slots=True)
class Found:
    """Where a planted bug was found.

    Attributes:
        seed: The first seed that breaks a promise.
        promise: The promise.
        steps: Of that run.
    """

    seed: int
    promise: str
    steps: int


def _find(name: str) -> Found | None:
    """Return where a bug is found: at the seed that found it before, or else at the first that breaks a promise."""
    with BUGS[name].plant():
        known = known_seeds().get(name)
        found = None if known is None else _look(known)
        if found is not None and found.promise in BUGS[name].promises:
            return found
        return next(filter(None, map(_look, range(PLANTED_SEEDS_MAX))), None)


def _look(seed: int) -> Found | None:
    run = simulate(Plan(seed))
    promise = promise_of(run)
    return None if promise is None else Found(seed, promise, run.steps)


def known_seeds() -> dict[str, int]:
    """Return the seeds that found planted bugs when `--record` was last said: they are tried first."""
    seeds: dict[str, int] = json.loads(KNOWN_SEEDS.read_text())
    return seeds


def say_found(name: str, found: Found | None) -> int:
    """Say what became of a planted bug; return the exit code: 1 when no run found it, or for another reason."""
    if found is None:
        print(f"FAILED {name}: not found in {PLANTED_SEEDS_MAX} seeds")
        return 1
    what = f"{name:<30} seed {found.seed:>3} after {found.steps:>6,} steps: {found.promise}"
    if found.promise not in BUGS[name].promises:
        print(f"FAILED {what}; it was planted to break: {', '.join(sorted(BUGS[name].promises))}")
        return 1
    print(f"found {what}", flush=True)
    return 0

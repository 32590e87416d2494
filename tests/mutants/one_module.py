"""Tries the mutants of one module, in a process of its own: what it has imported would be there for the next."""

# ruff: noqa: T201 - a command talks to a person

import sys
import time

from tests.mutants import results
from tests.mutants.own_tests import OWN_TESTS, pure_modules
from tests.mutants.results import Result, Survivor


def try_module(module: str, sample: int) -> None:
    """Try a module's mutants, keep the result and print it; exit with 1 when its tests fail without any mutant."""
    from tests.mutants import anew, trials  # noqa: PLC0415 - they import pytest, and this process alone needs it

    path, tests = pure_modules()[module], OWN_TESTS[module]
    source_digest, tests_digest = results.digests(path, tests)
    anew.warm_up()
    began = time.monotonic()
    try:
        outcome = trials.run(module, path, tests, sample)
    except trials.FailingTestsError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    survivors = []
    for mutant in outcome.survivors:
        gone, new = mutant.lines()
        survivors.append(Survivor(mutant.function, "\n".join(gone), "\n".join(new)))
    result = Result(source_digest, tests_digest, outcome.mutants, outcome.tried, outcome.hung, tuple(survivors))
    results.write(module, result)
    took = time.monotonic() - began
    print(f"{module}: {result.killed} of {result.tried} killed, {result.hung} hung, {took:.0f} s", flush=True)

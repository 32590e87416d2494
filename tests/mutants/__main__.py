"""`python -m tests.mutants [MODULE…]`: try mutants of pure modules, and write the results and their page."""

# ruff: noqa: T201 - a command talks to a person

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

from tests.mutants import page, results
from tests.mutants.one_module import try_module
from tests.mutants.own_tests import OWN_TESTS, ROOT, pure_modules

SAMPLE = 100
"""So many mutants of a module are tried, or all where it has fewer."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return 0 when every module that was tried is above the least score, else 1."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is the same in every run
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, "-m", "tests.mutants", *arguments], environment)  # noqa: S606
    options = _parser().parse_args(arguments)
    known = [module for module in pure_modules() if module in OWN_TESTS]
    if wrong := sorted(set(options.modules) - set(known)):
        print(f"not a module of the purity contract with tests of its own: {', '.join(wrong)}", file=sys.stderr)
        return 2
    todo = [module for module in options.modules or known if options.modules or not _is_done(module)]
    began = time.monotonic()
    # A process for each module: what one has imported would be there for the next.
    with ThreadPoolExecutor(options.jobs) as pool:
        for _ in pool.map(lambda module: _in_process(module, options.sample), todo):
            pass
    page.write()
    reasons = results.explained()
    low = [
        module
        for module in options.modules or known
        if (result := results.read(module)) is None or results.score(module, result, reasons) < results.SCORE_MIN
    ]
    print(f"{len(todo)} modules tried in {time.monotonic() - began:.0f} s; {page.PAGE.relative_to(ROOT)} is written")
    for module in low:
        print(f"below {results.SCORE_MIN:.0%}: {module}")
    return 1 if low else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="only these; else all whose text or tests changed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="modules at a time")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="mutants of a module that are tried at most")
    return parser


def _is_done(module: str) -> bool:
    """Tell whether neither the module nor its tests have changed since it was tried."""
    known = results.read(module)
    return known is not None and (known.source, known.tests) == results.digests(
        pure_modules()[module], OWN_TESTS[module]
    )


def _in_process(module: str, sample: int) -> None:
    process = get_context("spawn").Process(target=try_module, args=(module, sample))
    process.start()
    process.join()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

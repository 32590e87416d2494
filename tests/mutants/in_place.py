"""The fast way to try mutants: tests are collected once, and each trial changes a function's code and runs them.

What survives here is tried once more the sure way, since a function may have done its work while modules were imported.
Where nothing can be changed in place it is tried that way alone.
"""

import gc
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from tests.mutants.anew import PYTEST
from tests.mutants.forked import Limits, Outcome, attempt, hush
from tests.mutants.mutation import Mutant

_CO_OPTIMIZED = 1
"""Flag of the code of a function, and not of a class."""


_UNSURE = "unsure"


def try_in_place(path: Path, tests: Sequence[str], mutants: Sequence[Mutant], limits: Limits) -> list[Outcome | None]:
    """Return what became of mutants that are in functions, in their order; None where it is unsure.

    Args:
        path: Of their module.
        tests: Paths.
        mutants: Each with a function.
        limits: Of each trial.
    """
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(readable)
            hush()
            pytest.main([*PYTEST, *tests], plugins=[_Trials(path, mutants, limits, writable)])
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as lines:
        outcomes = [None if line.strip() == _UNSURE else Outcome(line.strip()) for line in lines]
    os.waitpid(pid, 0)
    if len(outcomes) != len(mutants):
        raise RuntimeError(f"{path}: the trials ended after {len(outcomes)} of {len(mutants)} mutants")
    return outcomes


class _Trials:
    """A pytest plugin that runs the tests once for each mutant, instead of once."""

    def __init__(self, path: Path, mutants: Sequence[Mutant], limits: Limits, report: int) -> None:
        self._path = path
        self._mutants = mutants
        self._limits = limits
        self._report = report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = list(session.items)
        original = _functions(self._compiled(self._path.read_text("utf-8")))
        gc.collect()
        functions = [each for each in gc.get_objects() if type(each) is FunctionType]
        gc.freeze()  # so that processes share this memory for longer
        for mutant in self._mutants:
            key = mutant.function, mutant.ordinal
            code = _functions(self._compiled(mutant.source))[key]
            same = [each for each in functions if _is(original[key], each.__code__)]
            if not same or code.co_freevars != original[key].co_freevars:
                os.write(self._report, f"{_UNSURE}\n".encode())
                continue
            trial = attempt(partial(_swap_and_run, session, items, same, code), self._limits)
            os.write(self._report, f"{trial.outcome.value}\n".encode())
            # What has killed one mutant is likely to kill its neighbour.
            items = [item for item in items if item.nodeid == trial.failed] + [
                item for item in items if item.nodeid != trial.failed
            ]
        return True

    def _compiled(self, source: str) -> CodeType:
        return compile(source, str(self._path), "exec", dont_inherit=True)


def _functions(code: CodeType, inside: str = "") -> dict[tuple[str, int], CodeType]:
    """Return the outermost functions and methods of a module, by name and by which of that name."""
    found: dict[tuple[str, int], CodeType] = {}
    for each in (each for each in code.co_consts if isinstance(each, CodeType)):
        name = f"{inside}{each.co_name}"
        if each.co_flags & _CO_OPTIMIZED:
            found[name, sum(1 for known, _ in found if known == name)] = each
        else:
            found |= _functions(each, f"{name}.")
    return found


def _is(one: CodeType, other: CodeType) -> bool:
    return (one.co_filename, one.co_qualname, one.co_firstlineno) == (
        other.co_filename,
        other.co_qualname,
        other.co_firstlineno,
    )


def _swap_and_run(
    session: pytest.Session, items: Sequence[pytest.Item], same: Sequence[FunctionType], code: CodeType, report: int
) -> int:
    for function in same:
        function.__code__ = code
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            os.write(report, item.nodeid.encode())
            return 1
    return 0

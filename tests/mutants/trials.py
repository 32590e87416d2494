"""All trials of a module: a sample of its mutants, each against the module's own tests."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.anew import import_and_run
from tests.mutants.forked import Limits, Outcome, Trial, attempt
from tests.mutants.in_place import try_in_place
from tests.mutants.mutation import Mutant, mutants

CPU_SECONDS_MIN = 3
SECONDS_MIN = 8.0
FACTOR = 5
"""A trial may take these, and so many times what the tests take without a mutant; then it counts as hung."""
_BASELINE = Limits(120, 300.0)


class FailingTestsError(Exception):
    """A module's own tests fail without any mutant."""


@dataclass(frozen=True, slots=True)
class Trials:
    """What became of a module's mutants.

    Attributes:
        mutants: How many there are.
        tried: How many of them were tried.
        hung: How many of these did not end; they count as killed.
        survivors: Those that no test noticed.
    """

    mutants: int
    tried: int
    hung: int
    survivors: Sequence[Mutant]


def run(module: str, path: Path, tests: Sequence[str], sample: int) -> Trials:
    """Try mutants of a module.

    Args:
        module: Its name.
        path: Its file.
        tests: Paths of its own tests.
        sample: How many mutants are tried at most; always the same ones of one source.

    Raises:
        FailingTestsError: The tests fail without a mutant.
    """
    source = path.read_text("utf-8")
    every = mutants(source)
    chosen = sorted(random.Random(module).sample(range(len(every)), min(sample, len(every))))
    tried = [every[i] for i in chosen]

    def try_anew(text: str, limits: Limits) -> Trial:
        return attempt(lambda _: import_and_run(module, path, text, tests), limits)

    baseline = try_anew(source, _BASELINE)
    if baseline.outcome is not Outcome.SURVIVED:
        raise FailingTestsError(f"{module}: its own tests fail without a mutant: pytest {' '.join(tests)}")
    limits = Limits(CPU_SECONDS_MIN + int(FACTOR * baseline.cpu_seconds), SECONDS_MIN + FACTOR * baseline.seconds)
    inside = [mutant for mutant in tried if mutant.function]
    outcomes = try_in_place(path, tests, inside, limits) if inside else []
    quick = dict(zip(map(id, inside), outcomes, strict=True))
    hung, survivors = 0, []
    for mutant in tried:
        outcome = quick.get(id(mutant))
        if outcome is None or outcome is Outcome.SURVIVED:
            outcome = try_anew(mutant.source, limits).outcome
        hung += outcome is Outcome.HUNG
        if outcome is Outcome.SURVIVED:
            survivors.append(mutant)
    return Trials(len(every), len(tried), hung, survivors)

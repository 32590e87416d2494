"""A failing run made smaller: fewer writers, appends and kinds of faults, while it still breaks the promise."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation import settings
from tests.simulation.chance import Chance
from tests.simulation.coverage import Coverage
from tests.simulation.ledger import Violation
from tests.simulation.world import Plan, Run

ATTEMPTS_MAX = 150


def promise_of(run: Run) -> str | None:
    """Return what a run has broken, in a few words; None when nothing."""
    if run.failure is None:
        return None
    return run.failure.promise if isinstance(run.failure, Violation) else type(run.failure).__name__


def shrink(plan: Plan, promise: str, simulate: Callable[[Plan], Run]) -> tuple[Plan, Run]:
    """Return the smallest plan found that still breaks a promise, and its run."""
    best, attempts = plan, 0
    run = simulate(plan)
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in _smaller(best):
            attempts += 1
            if attempts > ATTEMPTS_MAX:
                return best, run
            tried = simulate(smaller)
            if promise_of(tried) == promise:
                best, run, shrunk = smaller, tried, True
                break
    return best, run


def command(plan: Plan, bug: str | None = None) -> str:
    """Return the command that repeats a run."""
    parts = [f"python -m tests.simulation --seed {plan.seed} --runs 1"]
    if plan.writers is not None:
        parts.append(f"--writers {plan.writers}")
    if plan.appends is not None:
        parts.append(f"--appends {plan.appends}")
    if plan.without:
        parts.append(f"--without {','.join(sorted(plan.without))}")
    if bug is not None:
        parts.append(f"--planted {bug}")
    return " ".join(parts)


def _smaller(plan: Plan) -> Iterator[Plan]:
    drawn = settings.draw(str(plan.seed), writers=plan.writers, appends=plan.appends)
    rates = sorted(Chance(str(plan.seed), Coverage(), plan.without).rates)
    for size in (len(rates), len(rates) // 2, len(rates) // 4):
        for start in range(0, len(rates), size) if size > 1 else ():
            yield replace(plan, without=plan.without | set(rates[start : start + size]))
    if drawn.writers > 1:
        yield replace(plan, writers=drawn.writers - 1)
    if drawn.appends > 1:
        yield replace(plan, appends=drawn.appends // 2)
        yield replace(plan, appends=drawn.appends - 1)
    for name in rates:
        yield replace(plan, without=plan.without | {name})

"""A failing run made smaller in all its sizes and its kinds of faults, while it still breaks the same promise."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.chance import Chance
from tests.simulation.coverage import Coverage
from tests.simulation.ledger import Violation
from tests.simulation.world import Plan, Run, settings_of

ATTEMPTS_MAX = 150
STORM_SECONDS_MIN = 5.0


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
    for option, value in (
        ("writers", plan.writers),
        ("appends", plan.appends),
        ("workers", plan.workers),
        ("aggregates", plan.aggregates),
        ("storm", plan.storm_seconds),
        ("standing", None if plan.standing is None else f"'{plan.standing}'"),
        ("standing-seconds", plan.standing_seconds),
    ):
        if value is not None:
            parts.append(f"--{option} {value:g}" if isinstance(value, float) else f"--{option} {value}")
    if plan.without:
        parts.append(f"--without {','.join(sorted(plan.without))}")
    if plan.is_calm:
        parts.append("--calm")
    if bug is not None:
        parts.append(f"--planted {bug}")
    return " ".join(parts)


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Yield smaller plans, those first that leave most out."""
    now = settings_of(plan)
    rates = [] if plan.is_calm else sorted(Chance(str(plan.seed), Coverage(), plan.without).rates)
    for size in (len(rates), len(rates) // 2, len(rates) // 4):
        for start in range(0, len(rates), size) if size > 1 else ():
            yield replace(plan, without=plan.without | set(rates[start : start + size]))
    if now.storm_seconds > STORM_SECONDS_MIN:
        yield replace(plan, storm_seconds=max(STORM_SECONDS_MIN, now.storm_seconds // 2))
    for name in ("writers", "workers", "aggregates", "appends"):
        number: int = getattr(now, name)
        for fewer in sorted({1, number // 2, number - 1} - {0, number}):
            yield replace(plan, **{name: fewer})  # type: ignore[arg-type]
    for name in rates:
        yield replace(plan, without=plan.without | {name})

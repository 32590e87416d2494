"""What the health endpoints answer, as plain values. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

OK = 200
UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a worker needs.

    Attributes:
        name: Of the check, such as `dynamodb` or `destination bus`.
        ok: Whether it is as it should be.
        required: Whether the worker is not ready without it; the others are shown only.
        reason: What is wrong, and what to do; empty when it is ok.
    """

    name: str
    ok: bool
    required: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer: the status code, and the document."""

    code: int
    document: Mapping[str, object]


def live(ages_seconds: Mapping[str, float], overdue: Iterable[str]) -> Verdict:
    """Judge loop progress: 503 when a loop hangs, so that the supervisor restarts the process."""
    stuck = sorted(overdue)
    loops = {part: {"turned_seconds_ago": round(age, 1)} for part, age in ages_seconds.items()}
    return Verdict(
        UNAVAILABLE if stuck else OK, {"status": "stuck" if stuck else "alive", "stuck": stuck, "loops": loops}
    )


def ready(checks: Iterable[Check]) -> Verdict:
    """Judge whether the worker can deliver to the bus: 503 when a required check is not ok."""
    given = list(checks)
    failed = [check for check in given if check.required and not check.ok]
    document = {
        "status": "not ready" if failed else "ready",
        "checks": {
            check.name: {"ok": check.ok, "required": check.required}
            | ({} if check.ok or not check.reason else {"reason": check.reason})
            for check in given
        },
    }
    return Verdict(UNAVAILABLE if failed else OK, document)

"""Writes docs/explanation/mutants.md: the score of each module, and the survivors with their reasons."""

from collections.abc import Mapping
from pathlib import Path

from tests.mutants import results
from tests.mutants.own_tests import ROOT, pure_modules
from tests.mutants.results import Result, Survivor

PAGE = ROOT / "docs" / "explanation" / "mutants.md"
_BEGIN = "<!-- written by `python -m tests.mutants` from here on -->"


def write() -> None:
    """Write the page's tables anew; its text above them stays."""
    PAGE.write_text(rendered(PAGE), "utf-8")


def rendered(page: Path) -> str:
    """Return the page as it should be."""
    text, _, _ = page.read_text("utf-8").partition(_BEGIN)
    known = {module: result for module in pure_modules() if (result := results.read(module)) is not None}
    reasons = results.explained()
    return f"{text}{_BEGIN}\n\n{_scores(known, reasons)}\n{_survivors(known, reasons)}"


def _scores(known: Mapping[str, Result], reasons: Mapping[tuple[str, Survivor], str]) -> str:
    lines = ["| module | mutants | tried | killed | of these hung | explained | open | score |", "|" + " --- |" * 8]
    for module, result in known.items():
        equivalent = sum((module, each) in reasons for each in result.survivors)
        lines.append(
            f"| `{module}` | {result.mutants} | {result.tried} | {result.killed} | {result.hung} | {equivalent} "
            f"| {len(result.survivors) - equivalent} | {_percent(results.score(module, result, reasons))} |"
        )
    tried = sum(each.tried for each in known.values())
    killed = sum(each.killed for each in known.values())
    equivalent = sum((module, each) in reasons for module, result in known.items() for each in result.survivors)
    lines.append(
        f"| all | {sum(each.mutants for each in known.values())} | {tried} | {killed} "
        f"| {sum(each.hung for each in known.values())} | {equivalent} | {tried - killed - equivalent} "
        f"| {_percent((killed + equivalent) / max(tried, 1))} |"
    )
    return "\n".join(lines) + "\n"


def _percent(part: float) -> str:
    return f"{int(part * 1000) / 10:.1f} %"


def _survivors(known: Mapping[str, Result], reasons: Mapping[tuple[str, Survivor], str]) -> str:
    lines = ["## Survivors", ""]
    for module, result in known.items():
        if result.survivors:
            lines += [f"### `{module}`", ""]
        for each in result.survivors:
            where = f"`{each.function}`: " if each.function else ""
            reason = reasons.get((module, each), "*open*")
            lines.append(f"- {where}{_code(each.before)} → {_code(each.after)}: {reason}")
        if result.survivors:
            lines.append("")
    return "\n".join(lines)


def _code(text: str) -> str:
    """Return code for the middle of a line."""
    return f"`{' '.join(text.split())}`" if text.strip() else "nothing"

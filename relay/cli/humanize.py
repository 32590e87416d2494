"""How lengths of time, counts and stored text are shown to a person."""

from eventstore.cli.output.streams import printable
from eventstore.cli.output.timestamps import as_text

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_TEXT_MAX = 300


def age(seconds: float | None) -> str:
    """Return a length of time in its two largest units; `-` when it is not known."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY:,} d {whole % _DAY // _HOUR} h"


def moment(at_ms: int | None) -> str:
    """Return a point in time, UTC; `-` when it is not known."""
    return "-" if at_ms is None else as_text(at_ms)


def commits(count: int) -> str:
    """Return a count of commits."""
    return "1 commit" if count == 1 else f"{count:,} commits"


def aggregates(count: int) -> str:
    """Return a count of aggregates."""
    return "1 aggregate" if count == 1 else f"{count:,} aggregates"


def text(stored: str, characters_max: int = _TEXT_MAX) -> str:
    """Return stored text on one line that cannot control a terminal, cut when it is long."""
    cut = stored if len(stored) <= characters_max else f"{stored[:characters_max]}…"
    return printable(cut)

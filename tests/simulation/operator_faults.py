"""Kinds of faults that operators, searches and a file bring; each is drawn by itself, and changes no other draw."""

from random import Random

OPERATOR_FAULTS: dict[str, float] = {
    # Of the file, per write or sync
    "file.short_write": 0.2,
    "file.torn": 0.02,
    "file.full": 0.03,
    "file.failed_sync": 0.02,
    # Of operators, per look at the weather
    "weather.visit": 0.3,
    "weather.mixed_fleet": 0.15,
    "weather.torn_row": 0.1,
    # Of a search, per request
    "search.lost_before": 0.03,
    "search.lost_after": 0.02,
    "search.partial": 0.05,
    "search.expired": 0.02,
    "search.hidden": 0.1,
}
"""Each with its usual chance, as in `chance.FAULTS`."""

_ENABLED = 0.7


def drawn(seed: str) -> dict[str, float]:
    """Return the rates of a seed."""
    found = {}
    for name, rate in OPERATOR_FAULTS.items():
        draw = Random(f"fault {name} {seed}")
        found[name] = rate * draw.choice((0.3, 1.0, 2.5)) * (draw.random() < _ENABLED)
    return found

"""All deliberate bugs, by name."""

from tests.simulation import (
    planted_delivery,
    planted_flow,
    planted_generations,
    planted_operators,
    planted_reads,
    planted_workers,
    planted_worlds,
)
from tests.simulation.bugs import BUGS

__all__ = [
    "BUGS",
    "planted_delivery",
    "planted_flow",
    "planted_generations",
    "planted_operators",
    "planted_reads",
    "planted_workers",
    "planted_worlds",
]

"""What a writer expects an aggregate to be at: a number, or one of the looser expectations. Pure."""

from enum import Enum
from typing import Final


class Expectation(Enum):
    """An expectation that is not a number; the version is read, and read again when another writer was faster."""

    EXISTS = "exists"
    """The aggregate has events, however many."""
    ANY = "any"
    """Nothing is expected: new or not, append behind what is there."""

    def __repr__(self) -> str:
        return self.name

    __str__ = __repr__


NO_EVENTS: Final = 0
"""The aggregate is new. It is the number 0, so it needs no read."""

EXISTS: Final = Expectation.EXISTS
"""The aggregate has events, however many."""

ANY: Final = Expectation.ANY
"""Nothing is expected: new or not, append behind what is there."""


def accepts(expected: int | Expectation, actual: int) -> bool:
    """Tell whether an aggregate with that many events meets an expectation."""
    match expected:
        case Expectation.ANY:
            return True
        case Expectation.EXISTS:
            return actual > 0
        case _:
            return expected == actual

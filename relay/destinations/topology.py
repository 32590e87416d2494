"""How a destination differs from what the settings want, and what can be done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is missing or different from what is wanted.

    Attributes:
        thing: What it is about, such as `exchange inventory.events`.
        problem: What is wrong with it, a predicate: `is missing`.
        advice: What a person does about it.
        remedy: What `make` does about it, in the destination's own terms; None when only a person can fix it.
    """

    thing: str
    problem: str
    advice: str
    remedy: object = None


@dataclass(frozen=True, slots=True)
class Examination:
    """What a look at a destination showed.

    Attributes:
        differences: What is not as wanted; empty when all is well.
        notes: Sentences for a person about what is not a difference, or could not be seen.
    """

    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


class Topology(Protocol):
    """What must exist on one destination before events can go there."""

    @property
    def name(self) -> str:
        """The destination's name."""
        ...

    @property
    def place(self) -> str:
        """Where it is, without credentials."""
        ...

    def examine(self) -> Examination:
        """Look, and change nothing.

        Raises:
            TryLaterError: Out of reach, or not answering now.
            SetUpError: The credentials or the address are refused.
        """
        ...

    def make(self, differences: Sequence[Difference]) -> list[str]:
        """Fix the differences that have a remedy; nothing is ever deleted. Repeating it is harmless.

        Returns:
            Sentences about what was refused; what else is left shows the next examination.

        Raises:
            TryLaterError: Out of reach, or not answering now.
            SetUpError: The credentials or the address are refused.
        """
        ...

"""How often each fault and each mark was met, over one run or many."""

from collections import Counter
from collections.abc import Iterable


class Coverage:
    """Counts. A fault is injected by the simulation; a mark is something the product was seen to do."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.marks: Counter[str] = Counter()

    def add(self, other: "Coverage") -> None:
        """Add what another run has met."""
        self.faults.update(other.faults)
        self.marks.update(other.marks)

    def never_met(self, kinds: Iterable[str]) -> list[str]:
        """Return the kinds of faults that were never met."""
        return sorted(kind for kind in kinds if not self.faults[kind])

    def lines(self) -> list[str]:
        """Return the counts for a person."""
        return [
            "faults met:",
            *(f"  {count:>8,}  {name}" for name, count in sorted(self.faults.items())),
            "marks met:",
            *(f"  {count:>8,}  {name}" for name, count in sorted(self.marks.items())),
        ]

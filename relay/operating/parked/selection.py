"""Which marks an operator selects. Pure."""

from dataclasses import dataclass

from relay.operating.parked.mark import Mark, MarkedRow


@dataclass(frozen=True, slots=True)
class Selection:
    """Marks that match every condition; None is no condition.

    Attributes:
        aggregate_id: Of this aggregate only.
        destination: For this destination only.
        error_class: Of this error class only.
    """

    aggregate_id: str | None = None
    destination: str | None = None
    error_class: str | None = None

    def of(self, row: MarkedRow) -> list[Mark]:
        """Return the marks of a row that are selected."""
        if self.aggregate_id not in (None, row.aggregate_id):
            return []
        return [
            mark
            for mark in row.marks.values()
            if self.destination in (None, mark.destination) and self.error_class in (None, mark.error_class)
        ]

    def words(self) -> dict[str, str]:
        """Return the conditions, by name, for an audit record."""
        said = {"aggregate": self.aggregate_id, "destination": self.destination, "error class": self.error_class}
        return {name: value for name, value in said.items() if value is not None} or {"all": "yes"}

"""Names of the tables of one store."""

from dataclasses import dataclass

PREFIX_DEFAULT = "inventory"


@dataclass(frozen=True, slots=True)
class TableNames:
    """The five tables, all named after one prefix.

    Attributes:
        prefix: First part of every name.
    """

    prefix: str = PREFIX_DEFAULT

    @property
    def events(self) -> str:
        """The history."""
        return f"{self.prefix}_events"

    @property
    def outbox(self) -> str:
        """What is owed."""
        return f"{self.prefix}_outbox"

    @property
    def relay(self) -> str:
        """What the store and its relay agree on."""
        return f"{self.prefix}_relay"

    @property
    def snapshots(self) -> str:
        """Folded states."""
        return f"{self.prefix}_snapshots"

    @property
    def idempotency(self) -> str:
        """Keys that callers have used."""
        return f"{self.prefix}_idempotency"

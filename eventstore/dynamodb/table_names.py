"""Names of the tables of one store."""

from dataclasses import dataclass

from eventstore.payload.plain import scalar

PREFIX_DEFAULT = "inventory"


@dataclass(frozen=True, slots=True)
class TableNames:
    """The five tables, all named after one prefix.

    Attributes:
        prefix: First part of every name.
    """

    prefix: str = PREFIX_DEFAULT

    def __post_init__(self) -> None:
        """Keep plain text."""
        object.__setattr__(self, "prefix", scalar(self.prefix))

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

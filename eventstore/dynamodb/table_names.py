"""Names of the tables of one store."""

import re
from dataclasses import dataclass

from eventstore.errors import InvalidInputError
from eventstore.payload.plain import scalar

PREFIX_DEFAULT = "inventory"
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,200}")
"""Names of tables are 3 to 255 of these. Source: AWS, "Naming rules" of Amazon DynamoDB."""


@dataclass(frozen=True, slots=True)
class TableNames:
    """The five tables, all named after one prefix.

    Attributes:
        prefix: First part of every name; at most 200 letters, digits, `_`, `.` and `-`.
    """

    prefix: str = PREFIX_DEFAULT

    def __post_init__(self) -> None:
        """Keep plain text, and refuse what cannot be part of a name.

        Raises:
            InvalidInputError: Says what can.
        """
        given: object = self.prefix
        if not isinstance(given, str) or not _PREFIX.fullmatch(given):
            raise InvalidInputError("tables.prefix", f"is {given!r}; use at most 200 letters, digits, '_', '.' and '-'")
        object.__setattr__(self, "prefix", scalar(given))

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

"""What a store is called on its servers: every name begins with one prefix, so that several stores can share them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from eventstore.search.fields import PREFIX_PATTERN, alias_of
from relay import defaults

_PREFIX = re.compile(PREFIX_PATTERN)
_1970 = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of exchanges and queues on the bus, and of alias, template and indices in the index.

    Attributes:
        prefix: 1 to 64 lower-case letters, digits, `_` and `-`; the store's name.
    """

    prefix: str = defaults.NAME_PREFIX

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"prefix {self.prefix!r}: use 1 to 64 lower-case letters, digits, '_' and '-'")

    @property
    def exchange(self) -> str:
        """Topic exchange to which every event goes."""
        return f"{self.prefix}.events"

    @property
    def unrouted(self) -> str:
        """Alternate exchange and its queue: what no binding wanted."""
        return f"{self.prefix}.unrouted"

    @property
    def dead_letters(self) -> str:
        """Exchange and queue for what consumers reject."""
        return f"{self.prefix}.dead-letters"

    @property
    def alias(self) -> str:
        """Where readers of the index look; the index template puts every month under it."""
        return alias_of(self.prefix)

    @property
    def template(self) -> str:
        """Name of the index template."""
        return f"{self.prefix}-events"

    @property
    def pattern(self) -> str:
        """Which indices the template is for."""
        return f"{self.prefix}-events-*"

    def index(self, timestamp_ms: int) -> str:
        """Return the index of an event, by the event's own time: a document's place never depends on when it came."""
        return f"{self.prefix}-events-{_1970 + timedelta(milliseconds=timestamp_ms):%Y.%m}"

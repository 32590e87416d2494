"""What a store is called on its servers: every name begins with one prefix, so that several stores can share them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from eventstore.search import visibility
from eventstore.search.fields import PREFIX_PATTERN, alias_of
from relay import defaults

_PREFIX = re.compile(PREFIX_PATTERN)
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MONTH_MS = 631_152_000_000
_LAST_MONTH_ENDS_MS = 4_102_444_800_000
"""1990 to 2099. Fixed, since a document's place must not depend on when it comes: 1,320 indices and one at most."""


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
        """Return the index of an event, by the event's own time: a document's place never depends on when it came.

        From 1990 to 2099 each month has one; all events that are dated before or after share one more.
        """
        if not _FIRST_MONTH_MS <= timestamp_ms < _LAST_MONTH_ENDS_MS:
            return f"{self.alias}-{visibility.BEYOND}"
        return f"{self.alias}-{_1970 + timedelta(milliseconds=timestamp_ms):%Y.%m}"

    @property
    def unborn(self) -> str:
        """Name of an index that there is never, to ask what a new one would be like."""
        return f"{self.alias}-9999.99"

    def is_index(self, name: str) -> bool:
        """Tell whether an index is one of this store's; `pattern` alone also meets those of a longer prefix."""
        return visibility.is_of_the_store(name, self.alias)

"""What the index is called and how it is filled: alias, months, batch bounds, promoted fields."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from eventstore.search.fields import PREFIX_PATTERN, PROMOTED_PATH, PromotedType, alias_of

_PREFIX = re.compile(PREFIX_PATTERN)
_1970 = datetime(1970, 1, 1, tzinfo=UTC)

HTTP_BODY_MAX_BYTES = 100 * 1024 * 1024
"""Elasticsearch's default of `http.max_content_length`."""


@dataclass(frozen=True, slots=True)
class IndexNames:
    """Names of the alias and its indices, all under one prefix.

    Attributes:
        prefix: Lower-case letters, digits, `_` and `-`; the store's name.
    """

    prefix: str = "inventory"

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"prefix {self.prefix!r}: use 1 to 64 lower-case letters, digits, '_' and '-'")

    @property
    def alias(self) -> str:
        """Where readers look; the index template puts every month under it."""
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


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """How the index is filled.

    Attributes:
        names: Alias, template and index names.
        batch_max_bytes: Largest bulk body; far below Elasticsearch's 100 MB, since it holds a body in memory.
        batch_max_events: Most events in one bulk request.
        bulk_timeout_seconds: Longest wait for one bulk reply, within the delivery's budget.
        shards: Primary shards of a month.
        replicas: Copies of each.
        promoted: Payload path (`price.amount`) → type: copied into `promoted.price.amount` for ranges and full text.
            What does not fit the type stays findable as a keyword only.
    """

    names: IndexNames = field(default_factory=IndexNames)
    batch_max_bytes: int = 5 * 1024 * 1024
    batch_max_events: int = 1000
    bulk_timeout_seconds: float = 10.0
    shards: int = 1
    replicas: int = 1
    promoted: Mapping[str, PromotedType] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = []
        if not 1 <= self.batch_max_bytes <= HTTP_BODY_MAX_BYTES:
            faults.append(f"batch_max_bytes is {self.batch_max_bytes}; it is 1 to {HTTP_BODY_MAX_BYTES}")
        if self.batch_max_events < 1:
            faults.append(f"batch_max_events is {self.batch_max_events}; it is 1 or more")
        if self.bulk_timeout_seconds <= 0:
            faults.append(f"bulk_timeout_seconds is {self.bulk_timeout_seconds}; it is more than 0")
        if self.shards < 1 or self.replicas < 0:
            faults.append(f"shards is {self.shards} (1 or more), replicas is {self.replicas} (0 or more)")
        faults += [
            f"promoted: {path!r} is no path such as price.amount"
            for path in self.promoted
            if not PROMOTED_PATH.fullmatch(path)
        ]
        faults += [
            f"promoted: {path!r} lies within {other!r}; promote one of them"
            for path in self.promoted
            for other in self.promoted
            if path.startswith(f"{other}.")
        ]
        if faults:
            raise ValueError("; ".join(faults))

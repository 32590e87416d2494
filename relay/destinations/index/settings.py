"""How the index is filled: batch bounds, shards, promoted fields, and under which names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eventstore.search.fields import PROMOTED_PATH, PromotedType
from relay import defaults
from relay.destinations.resource_names import Names

HTTP_BODY_MAX_BYTES = 100 * 1024 * 1024
"""Elasticsearch's default of `http.max_content_length`."""


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

    names: Names = field(default_factory=Names)
    batch_max_bytes: int = 5 * 1024 * 1024
    batch_max_events: int = 1000
    bulk_timeout_seconds: float = defaults.SIDE_BUDGET_SECONDS
    shards: int = 1
    replicas: int = defaults.INDEX_REPLICAS
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
            f"promoted: {path!r} is not a path such as price.amount"
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

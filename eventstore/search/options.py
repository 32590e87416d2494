"""How a search behaves: where it looks, what is promoted, and its bounds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from eventstore import checks
from eventstore.backoff import Backoff
from eventstore.dynamodb.table_names import PREFIX_DEFAULT
from eventstore.errors import InvalidInputError
from eventstore.search.fields import PREFIX_PATTERN, PROMOTED_PATH, PromotedType, alias_of

TIMEOUT_MAX_SECONDS = 300.0
KEEP_ALIVE_MAX_SECONDS = 24 * 3600
"""Elasticsearch's default of `search.max_keep_alive`."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How a search behaves.

    Attributes:
        prefix: First part of the index names, as the relay has it.
        promoted: Payload path → type, as the relay has them; only these can be searched by range and full text.
        timeout_seconds: Time of one call of a search, its attempts included; of `events`, of each page.
        backoff: Attempts of one call, and the delays between them.
        keep_alive_seconds: How long the view behind a page is kept for the next one to be asked for.
    """

    prefix: str = PREFIX_DEFAULT
    promoted: Mapping[str, PromotedType] = field(default_factory=dict)
    timeout_seconds: float = 10.0
    backoff: Backoff = field(default_factory=lambda: Backoff(attempts_max=4, base_seconds=0.1))
    keep_alive_seconds: int = 300

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        if not isinstance(self.prefix, str) or not re.fullmatch(PREFIX_PATTERN, self.prefix):
            reason = f"is {self.prefix!r}; use 1 to 64 lower-case letters, digits, '_' and '-'"
            raise InvalidInputError("options.prefix", reason)
        for path in self.promoted:
            if not PROMOTED_PATH.fullmatch(path):
                raise InvalidInputError("options.promoted", f"has {path!r}, which is not a path such as price.amount")
        if not isinstance(self.backoff, Backoff):
            raise InvalidInputError("options.backoff", "is no Backoff; give one")
        checks.check_number(self.timeout_seconds, "options.timeout_seconds", above=0, most=TIMEOUT_MAX_SECONDS)
        checks.check_count(self.keep_alive_seconds, "options.keep_alive_seconds", 1, KEEP_ALIVE_MAX_SECONDS)

    @property
    def alias(self) -> str:
        """Where it looks."""
        return alias_of(self.prefix)

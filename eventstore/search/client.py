"""The port below a search: a few calls with Elasticsearch's request bodies, replies as JSON text.

SearchCallError
├── SearchLostError      no usable answer: out of reach, timed out, overloaded or failing; asking again is safe
└── SearchStatusError    an answer that asking again does not change
"""

from collections.abc import Mapping
from typing import Any, Protocol

from eventstore.errors import Portable


class SearchCallError(Portable, Exception):
    """Base of what one call can end in; never leaves the library."""


class SearchLostError(SearchCallError):
    """No usable answer came; asking again is safe."""


class SearchStatusError(SearchCallError):
    """The server refused.

    Attributes:
        status: HTTP status.
        kind: Elasticsearch's name of the error; of its innermost cause where there is one.
        reason: Elasticsearch's words.
    """

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason} (status {status})")
        self.status = status
        self.kind = kind
        self.reason = reason


class SearchClient(Protocol):
    """The calls a search makes, one attempt each; each raises `SearchCallError` of one kind or the other."""

    def search(self, alias: str | None, body: Mapping[str, Any], timeout_seconds: float) -> bytes:
        """Return the reply to a search body, complete over all shards; None for a body that names its view."""
        ...

    def count(self, alias: str, body: Mapping[str, Any], timeout_seconds: float) -> int:
        """Return how many documents a query meets."""
        ...

    def open_view(self, alias: str, keep_alive_seconds: int, timeout_seconds: float) -> str:
        """Open a view (point in time) of this moment and return its id."""
        ...

    def close_view(self, view: str, timeout_seconds: float) -> None:
        """Release a view; one that is gone already is not an error."""
        ...

    def refresh(self, alias: str, timeout_seconds: float) -> None:
        """Make what was stored searchable."""
        ...

    def refresh_intervals(self, alias: str, timeout_seconds: float) -> Mapping[str, str | None]:
        """Return index → its setting `index.refresh_interval`; None where it has none."""
        ...

    def hidden(self, alias: str, timeout_seconds: float) -> Mapping[str, str]:
        """Return which indices of the store the alias does not show in full: name → why, as a predicate."""
        ...

    def close(self) -> None:
        """Release connections; never raises."""
        ...

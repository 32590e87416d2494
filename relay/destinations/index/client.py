"""The port below the index: bulk requests and their verdicts.

IndexClientError
├── IndexLostError       no usable answer: out of reach, timed out, overloaded or failing
│   └── IndexBusyError   it answered that it takes nothing now
├── IndexRefusedError    credentials, permissions, or something that must exist: a person must act
└── TooLargeError        the body is larger than the index takes: send less
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from eventstore.errors import Portable
from relay.destinations.index.bulk_item import ItemVerdict
from relay.destinations.index.holdings import Holdings

_BAD_REQUEST = 400


class IndexClientError(Portable, Exception):
    """Base of what can go wrong with a whole request to an index."""


class IndexLostError(IndexClientError):
    """No usable answer came; the request was carried out or not. Sending it again is safe."""


class IndexBusyError(IndexLostError):
    """It answered that it takes nothing now: it is overloaded, or blocked for writing."""


class IndexRefusedError(IndexClientError):
    """The index refuses for a reason that does not go away by itself.

    Attributes:
        status: HTTP status: 400, 401, 403 or 404.
        reason: Elasticsearch's words.
        kind: Elasticsearch's name of the error; empty when it is not Elasticsearch that refuses.
    """

    def __init__(self, status: int, reason: str, kind: str = "") -> None:
        super().__init__(f"{reason} (status {status})")
        self.status = status
        self.reason = reason
        self.kind = kind

    @property
    def is_of_the_body(self) -> bool:
        """Whether something in the body may be the reason, so that a part of it may be taken."""
        return self.status == _BAD_REQUEST and bool(self.kind)


class TooLargeError(IndexClientError):
    """The body is larger than the index, or a proxy before it, takes."""


class IndexClient(Protocol):
    """The calls the index destination makes."""

    def prepare(self, timeout_seconds: float) -> None:
        """See to the index template, and through it the alias; may be repeated. What operators added to it stays.

        Raises:
            IndexLostError: No usable answer; an IndexBusyError when it said that it takes nothing.
            IndexRefusedError: Not allowed, or another template is in the way.
        """
        ...

    def look(self, indices: Collection[str], timeout_seconds: float) -> Mapping[str, str | None]:
        """Return for each of the indices that is there why a search does not see its events, None when it does.

        Raises:
            IndexLostError: No usable answer.
            IndexRefusedError: Not allowed.
        """
        ...

    def holdings(self, timeout_seconds: float) -> Holdings:
        """Return what each of the store's indices holds, as far as it is known now.

        Raises:
            IndexLostError: No usable answer.
            IndexRefusedError: Not allowed.
        """
        ...

    def bulk(self, body: bytes, timeout_seconds: float) -> Sequence[ItemVerdict]:
        """Send a bulk body of `create` actions; return a verdict per item, in their order.

        Raises:
            IndexLostError: No usable answer in time; some of it may have been stored.
            IndexRefusedError: The whole request was refused.
            TooLargeError: The body is too large.
        """
        ...

    def close(self) -> None:
        """Release connections; never raises."""
        ...

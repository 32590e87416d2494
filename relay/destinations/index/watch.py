"""Looks once a minute whether the indices still hold what they once held."""

from collections.abc import Sequence
from typing import Protocol

import structlog

from eventstore.errors import EventStoreError
from eventstore.ports import Runtime
from relay.destination import Trouble, TroubleKind
from relay.destinations.index.client import IndexClient, IndexClientError
from relay.destinations.index.holdings import LOSS_ADVICE, Holdings, Loss, learnt, losses, shrunk

INTERVAL_SECONDS = 60.0
SECOND_LOOK_SECONDS = 15.0
TIMEOUT_SECONDS = 5.0
_NAMED_MAX = 5


class IndexMemory(Protocol):
    """Where what the indices held is remembered, for all workers."""

    def load(self) -> Holdings:
        """Return what is known.

        Raises:
            EventStoreError: It cannot be read.
        """
        ...

    def save(self, holdings: Holdings) -> bool:
        """Remember this in place of what was loaded last; False when somebody was faster.

        Raises:
            EventStoreError: It cannot be written.
        """
        ...


class Watch:
    """Compares what the indices hold with what is remembered.

    Args:
        client: Counts documents.
        memory: What they held.
        runtime: Clock.
    """

    def __init__(self, client: IndexClient, memory: IndexMemory, runtime: Runtime) -> None:
        self._client = client
        self._memory = memory
        self._runtime = runtime
        self._next_look = runtime.monotonic()
        self._log = structlog.get_logger()
        self._doubted = False
        self.concern: Trouble | None = None

    @property
    def is_due(self) -> bool:
        """Whether the next look is due."""
        return self._runtime.monotonic() >= self._next_look

    def look(self) -> None:
        """Look now; what cannot be known leaves the concern as it is."""
        self._next_look = self._runtime.monotonic() + INTERVAL_SECONDS
        try:
            known = self._memory.load()  # first: what others count meanwhile must not look like a loss
            found = self._client.holdings(TIMEOUT_SECONDS)
            self._doubted = shrunk(known, found) and not self._doubted
            if self._doubted:
                self._next_look = self._runtime.monotonic() + SECOND_LOOK_SECONDS
                return
            after = learnt(known, found)
            if after != known:
                self._memory.save(after)  # who was faster remembers the same, or the next look does
        except (IndexClientError, EventStoreError) as error:
            self._log.warning("index.holdings_unknown", error=str(error))
            return
        for index in sorted(known.keys() - after.keys()):
            self._log.info("index.retired", index=index, documents=known[index].documents)
        self.concern = concern_of(list(losses(after, found)))


def concern_of(missing: Sequence[Loss]) -> Trouble | None:
    """Return what a person must know of losses; None when there are none."""
    if not missing:
        return None
    named = "; ".join(str(loss) for loss in missing[:_NAMED_MAX])
    more = f"; and {len(missing) - _NAMED_MAX} more" if len(missing) > _NAMED_MAX else ""
    return Trouble(
        TroubleKind.LOST,
        f"{named}{more}: searches miss them, and new events arrive; {LOSS_ADVICE}",
    )

"""One aggregate's chain on its way to the bus: which event comes next, and the outcome of the commits so far."""

from collections.abc import MutableMapping

from relay.destination import Chain, CommitKey, Confirmed, Outcome, Retry
from relay.destinations.bus import message
from relay.destinations.bus.broker import Message

BEHIND_PARKED = "behind_parked"


class ChainCursor:
    """A chain whose events go one by one: the next is asked for only after the one before it was confirmed."""

    def __init__(
        self,
        chain: Chain,
        outcomes: MutableMapping[CommitKey, Outcome],
        *,
        source: str,
        message_max_bytes: int,
    ) -> None:
        self._chain = chain
        self._outcomes = outcomes
        self._source = source
        self._message_max_bytes = message_max_bytes
        self._commit = 0
        self._event = 0

    def next(self) -> Message | None:
        """Return the message to send now, None when there is nothing more to send.

        A commit with an event that cannot be sent is parked before any of its events is sent.
        """
        if self._commit == len(self._chain):
            return None
        row = self._chain[self._commit]
        assert row.events, f"commit {row.key} came without its events"
        if self._event == 0:
            faults = (message.unsendable(event, self._message_max_bytes) for event in row.events)
            fault = next((fault for fault in faults if fault is not None), None)
            if fault is not None:
                self._outcomes[row.key] = fault
                self._commit += 1
                self.stop(BEHIND_PARKED)
                return None
        return message.encode(row.events[self._event], self._source)

    def confirm(self) -> None:
        """Note that the message given last was confirmed."""
        row = self._chain[self._commit]
        assert row.events is not None
        self._event += 1
        if self._event == len(row.events):
            self._outcomes[row.key] = Confirmed()
            self._commit += 1
            self._event = 0

    def stop(self, reason: str) -> None:
        """Note that nothing more of this chain is sent: what is not decided yet is to be tried again."""
        for row in self._chain[self._commit :]:
            self._outcomes[row.key] = Retry(reason)
        self._commit = len(self._chain)

"""The events that a page holds in memory: read by key when their turn comes, within bounds, put away when it passes.

Events that an outbox row carries itself came with the row and are no matter here. Without a bound over all rounds of a
page, a bus that refuses would let each attempt read a few more commits, until the memory is full.
"""

from collections.abc import Collection, Iterable, MutableMapping
from dataclasses import replace

from eventstore.model import RecordedEvent
from eventstore.outbox_row import OutboxRow
from relay.delivery.event_reader import EventReader
from relay.destination import CommitKey


class EventStock:
    """Of one page.

    Args:
        reader: Reads them.
        events_max: Most events held; a commit has at most 98.
        bytes_max: Nothing more is read once so many bytes are held, as DynamoDB counts them; one question more, of 100
            events, may go beyond it.
    """

    def __init__(self, reader: EventReader, events_max: int, bytes_max: int) -> None:
        self._reader = reader
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._held: dict[CommitKey, tuple[int, int]] = {}

    @property
    def room_events(self) -> int:
        """How many more events may be held."""
        return max(0, self._events_max - sum(events for events, _ in self._held.values()))

    def fill(self, rows: MutableMapping[CommitKey, OutboxRow], keys: Iterable[CommitKey]) -> None:
        """Read the events of commits in this order, as far as there is room; the others stay as they are.

        Raises:
            TryLaterError: DynamoDB did not answer.
        """
        wanted = [rows[key] for key in keys if rows[key].events is None and rows[key].defect is None]
        room_bytes = self._bytes_max - sum(size for _, size in self._held.values())
        if not wanted or room_bytes <= 0:
            return
        for row in self._reader.complete(wanted, room_bytes):
            rows[row.key] = row
            if row.events is not None:
                self._held[row.key] = (len(row.events), sum(_size(event) for event in row.events))

    def keep(self, rows: MutableMapping[CommitKey, OutboxRow], keys: Collection[CommitKey]) -> None:
        """Put the events of all other commits away; they are read again when their turn comes."""
        for key in list(self._held):
            if key not in keys or key not in rows:
                del self._held[key]
                if key in rows:
                    rows[key] = replace(rows[key], events=None)


def _size(event: RecordedEvent) -> int:
    return len(event.data_json.encode()) + len(event.metadata_json.encode())

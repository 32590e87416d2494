"""Events of commits as batches for bulk requests, within both bounds, encoded as they are needed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eventstore import jsontext
from eventstore.rows.outbox import OutboxRow
from relay.destination import CommitKey
from relay.destinations.index import bulk_lines
from relay.destinations.index.bulk_lines import EncodedEvent
from relay.destinations.index.settings import IndexSettings
from relay.destinations.index.tally import Tally


@dataclass(frozen=True, slots=True)
class Item:
    """One event on its way.

    Attributes:
        commit: The commit it is part of.
        sequence_number: Its number.
        event_id: The id of its document.
        encoded: Its part of the body.
    """

    commit: CommitKey
    sequence_number: int
    event_id: str
    encoded: EncodedEvent

    @property
    def index(self) -> str:
        """Where it goes."""
        return self.encoded.index


def body(items: Iterable[Item]) -> bytes:
    """Return the body of a bulk request."""
    return b"".join(item.encoded.lines for item in items)


def batches(commits: Iterable[OutboxRow], tally: Tally, settings: IndexSettings) -> Iterator[list[Item]]:
    """Yield batches within the bounds; an event beyond them goes alone, one that has no document fails its commit."""
    batch: list[Item] = []
    size = 0
    for row in commits:
        for event in row.events or ():
            fault = bulk_lines.unindexable(event)
            if fault is not None:
                tally.failed(row.key, fault)
                continue
            try:
                encoded = bulk_lines.encode(event, settings)
            except jsontext.FAULTS as error:
                tally.failed(row.key, bulk_lines.unencodable(event, error))
                continue
            full = size + len(encoded.lines) > settings.batch_max_bytes
            if batch and (full or len(batch) == settings.batch_max_events):
                yield batch
                batch, size = [], 0
            batch.append(Item(row.key, event.sequence_number, event.event_id, encoded))
            size += len(encoded.lines)
    if batch:
        yield batch

"""An outbox row as the relay takes it: a commit, a commit with a defect, or a row that nobody can read. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from eventstore import outbox_row
from eventstore.errors import CorruptRowError
from eventstore.outbox_row import OutboxRow


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """An outbox row of which not even the range of numbers can be read. It stays owed and holds up what is above it.

    Attributes:
        aggregate_id: First half of its key.
        last: Second half of its key.
        reason: What is wrong with it.
    """

    aggregate_id: str
    last: int
    reason: str

    @property
    def key(self) -> tuple[str, int]:
        """The row's key."""
        return self.aggregate_id, self.last


def of_row(item: Mapping[str, Any], table: str) -> OutboxRow | UnreadableRow:
    """Return the commit of an outbox row.

    A row that is broken but says where it stands becomes a commit with a defect, which is parked in its turn.
    """
    try:
        return outbox_row.decode(item, table)
    except CorruptRowError as error:
        return _salvage(item, str(error))


def number_of(item: Mapping[str, Any]) -> int:
    """Return the number in a row's key; of one that is not whole, which no append makes, the whole number below it."""
    return math.floor(Decimal(item["sequenceNumber"]["N"]))


def _salvage(item: Mapping[str, Any], reason: str) -> OutboxRow | UnreadableRow:
    """Return what can be said of a broken row. DynamoDB checks that it has a key, not that its number is whole."""
    aggregate_id, last = item["aggregateId"]["S"], number_of(item)
    first_text = item.get("firstSequence", {}).get("N", "")
    is_whole = Decimal(item["sequenceNumber"]["N"]) == last
    if not is_whole or not first_text.isdecimal() or not 1 <= int(first_text) <= last:
        return UnreadableRow(aggregate_id, last, reason)
    return OutboxRow(
        aggregate_id=aggregate_id,
        aggregate_type=item.get("aggregateType", {}).get("S", "?"),
        commit_id=item.get("commitId", {}).get("S", "?"),
        first=int(first_text),
        last=last,
        committed_at_ms=0,
        epoch=0,
        events=None,
        delivered=frozenset(item.get("delivered", {}).get("SS", ())),
        parked=dict.fromkeys(item.get("parked", {}).get("M", {}), "?"),
        defect=reason,
    )

"""What must hold for one aggregate's rows, taken one by one in order. Pure; only the place reached is in memory."""

from collections.abc import Iterator

from eventstore import jsontext
from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent
from eventstore.rows import event as event_row
from eventstore.rows.item import Item
from eventstore.verify.commit_rules import CommitRules
from eventstore.verify.finding import Finding, FindingKind, fault, note


class HistoryRules:
    """Follows the rows of one aggregate.

    Args:
        aggregate_id: The aggregate.
        table: Name of the events table, for sentences.
        index_shards: Write shards of the store.
    """

    def __init__(self, aggregate_id: str, table: str, index_shards: int) -> None:
        self._aggregate_id = aggregate_id
        self._table = table
        self._index_shards = index_shards
        self._commits = CommitRules(aggregate_id)
        self._expected = 1
        self._first_type: str | None = None
        self._last_type: str | None = None
        self._timestamp_ms = 0
        self.highest_shard = -1
        """Highest write shard that an index key names."""

    def take(self, item: Item) -> Iterator[Finding]:
        """Take the next row, whatever it holds."""
        text = item["sequenceNumber"]["N"]
        if not text.isdecimal() or int(text) == 0:
            sentence = f"a row has the number {text}; numbers are 1, 2, 3 …"
            yield fault(FindingKind.CORRUPT_ROW, self._aggregate_id, 0, sentence)
            return
        number = int(text)
        if number != self._expected:
            missing = f"{self._expected}" if number == self._expected + 1 else f"{self._expected} to {number - 1}"
            yield fault(FindingKind.HOLE, self._aggregate_id, self._expected, f"missing: {missing}; {number} is there")
        self._expected = number + 1
        try:
            event = event_row.decode(item, self._table)
        except CorruptRowError as error:
            self._commits.take_unreadable(number)
            yield fault(FindingKind.CORRUPT_ROW, self._aggregate_id, number, str(error))
            return
        yield from self._commits.take(event)
        yield from self._payloads(event)
        yield from self._type(event)
        yield from self._time(event)
        yield from self._index_keys(event, item)

    def end(self) -> Iterator[Finding]:
        """Take the end of the aggregate."""
        return self._commits.end()

    def _payloads(self, event: RecordedEvent) -> Iterator[Finding]:
        for attribute, text in (("eventData", event.data_json), ("metadata", event.metadata_json)):
            try:
                jsontext.decode(text)
            except ValueError as error:
                sentence = f"attribute {attribute!r} is not JSON: {error}"
                yield fault(FindingKind.CORRUPT_ROW, self._aggregate_id, event.sequence_number, sentence)

    def _type(self, event: RecordedEvent) -> Iterator[Finding]:
        if self._first_type is None:
            self._first_type = self._last_type = event.aggregate_type
        if event.aggregate_type != self._last_type:
            sentence = f"the aggregate is of type {self._first_type!r}, and this event of {event.aggregate_type!r}"
            if event.aggregate_type != self._first_type:
                yield fault(FindingKind.TYPE_CHANGED, self._aggregate_id, event.sequence_number, sentence)
            self._last_type = event.aggregate_type

    def _time(self, event: RecordedEvent) -> Iterator[Finding]:
        earlier_ms = self._timestamp_ms - event.timestamp_ms
        self._timestamp_ms = event.timestamp_ms
        if earlier_ms > 0:
            sentence = f"the timestamp is {earlier_ms} ms older than that of the event before"
            yield note(FindingKind.TIME_BACKWARDS, self._aggregate_id, event.sequence_number, sentence)

    def _index_keys(self, event: RecordedEvent, item: Item) -> Iterator[Finding]:
        try:
            day = event_row.day_of(event.timestamp_ms)
        except (ValueError, OverflowError, OSError):
            sentence = f"attribute 'timestamp' is {event.timestamp_ms}, which is not a moment of the years 1970 to 9999"
            yield fault(FindingKind.CORRUPT_ROW, self._aggregate_id, event.sequence_number, sentence)
            return
        for attribute, value in (
            ("eventTypeShard", event.type),
            ("aggregateTypeShard", event.aggregate_type),
            ("dayShard", day),
        ):
            found = item.get(attribute, {}).get("S", "")
            start, _, shard = found.rpartition("#")
            if shard.isdecimal():
                self.highest_shard = max(self.highest_shard, int(shard))
            if start != value or not shard.isdecimal() or int(shard) >= self._index_shards:
                sentence = f"attribute {attribute!r} is {found!r}, not {value}# and 0 to {self._index_shards - 1}"
                yield fault(FindingKind.WRONG_INDEX_KEY, self._aggregate_id, event.sequence_number, sentence)

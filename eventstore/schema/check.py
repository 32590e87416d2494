"""Looks for events that the program cannot read: a scan that counts, and a trial read of one event of each kind."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eventstore.context import StoreContext
from eventstore.errors import CorruptRowError, InvalidInputError
from eventstore.rows.item import ItemReader, describe_key, row_key
from eventstore.schema.decoder import SchemaDecoder
from eventstore.schema.report import SchemaFinding, SchemaReport, Stored, judge, ordered
from eventstore.schema.upcasting import Kind

OnScanned = Callable[[int], None]
"""Told after each page how many events have been counted so far."""

_CORRUPT_MAX = 100  # a table full of broken rows must not fill the memory


@dataclass(slots=True)
class _Counts:
    """What a scan has found so far."""

    stored: dict[Kind, Stored] = field(default_factory=dict)
    corrupt: list[SchemaFinding] = field(default_factory=list)
    rows: int = 0

    def take(self, item: Any, table: str) -> None:
        """Count one row."""
        self.rows += 1
        row = ItemReader(item, table)
        try:
            kind = (row.text("eventType"), row.integer("version"))
            aggregate_id, number = row.text("aggregateId"), row.integer("sequenceNumber")
        except CorruptRowError as error:
            if len(self.corrupt) < _CORRUPT_MAX:
                self.corrupt.append(SchemaFinding("corrupt", "", 0, 1, describe_key(item), str(error), is_error=True))
            return
        before = self.stored.get(kind)
        if before is None:
            self.stored[kind] = Stored(1, aggregate_id, number)
        else:
            self.stored[kind] = Stored(before.count + 1, before.aggregate_id, before.sequence_number)


def check(context: StoreContext, *, scan: bool, on_scanned: OnScanned | None = None) -> SchemaReport:
    """Check the store's registry, and the store against it when `scan` says so; see `EventStore.schema_check`."""
    decoder = context.decoder
    if not isinstance(decoder, SchemaDecoder):
        raise InvalidInputError("events", "is not set: open the store with its `EventTypes`")
    if not scan:
        return SchemaReport(ordered(judge(decoder.events, None)), {})
    counts = _scan(context, on_scanned)
    findings = judge(decoder.events, counts.stored) + counts.corrupt
    unreadable = {(each.event_type, each.schema_version) for each in findings if each.is_error}
    for kind, stored in counts.stored.items():
        fault = None if kind in unreadable else _try(context, stored)
        if fault is not None:
            findings.append(SchemaFinding("unreadable", *kind, stored.count, stored.example, fault, is_error=True))
    return SchemaReport(ordered(findings), {kind: stored.count for kind, stored in counts.stored.items()})


def _scan(context: StoreContext, on_scanned: OnScanned | None) -> _Counts:
    counts = _Counts()
    request: dict[str, Any] = {
        "TableName": context.tables.events,
        "ProjectionExpression": "aggregateId, sequenceNumber, eventType, #version",
        "ExpressionAttributeNames": {"#version": "version"},
    }
    for reply in context.caller.pages(context.client.scan, request, needs="Items"):
        for item in reply["Items"]:
            counts.take(item, context.tables.events)
        if on_scanned is not None:
            on_scanned(counts.rows)
    return counts


def _try(context: StoreContext, stored: Stored) -> str | None:
    """Read one event with all that is registered for it; return what is wrong."""
    reply = context.caller.read(
        context.client.get_item,
        TableName=context.tables.events,
        Key=row_key(stored.aggregate_id, stored.sequence_number),
    )
    if "Item" not in reply:
        return None  # history is never deleted; a restore may be at work
    try:
        _ = context.decoder.decode(reply["Item"], context.tables.events).payload
    except CorruptRowError as error:
        return str(error)
    except ValueError as error:
        return f"row {stored.example}: the payload is not JSON: {error}"
    return None

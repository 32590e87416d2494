"""What a document of the index must look like, and in which index it must be, by hand from its event."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay.testing.checker.comparison import Discrepancy, discrepancies
from relay.testing.checker.event import TrueEvent, moment

COPIES = ("promoted", "unpromoted")
"""Fields of typed copies; there are some only where the relay is set to promote fields."""

MONTHS_FROM_MS = 631_152_000_000
MONTHS_UNTIL_MS = 4_102_444_800_000
"""1990 to 2099: events of these years have an index for each month, all others share one."""


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document as a search gives it.

    Attributes:
        document_id: Its id, `_id`.
        index: The index that it is in, `_index`.
        source: What it holds, `_source`.
    """

    document_id: str
    index: str
    source: Mapping[str, Any]


def document_discrepancies(event: TrueEvent, document: IndexedDocument) -> list[Discrepancy]:
    """Return what of a document is not as its event has it; typed copies are not looked at."""
    return discrepancies(wanted_fields(event), fields_of(document))


def fields_of(document: IndexedDocument) -> dict[str, Any]:
    """Return id and fields of a document, without typed copies."""
    held = {name: value for name, value in document.source.items() if name not in COPIES}
    return {"_id": document.document_id, **held}


def wanted_fields(event: TrueEvent) -> dict[str, Any]:
    """Return what `fields_of` must be of the document of an event."""
    return {
        "_id": event.event_id,
        "aggregate_id": event.aggregate_id,
        "aggregate_type": event.aggregate_type,
        "sequence_number": event.sequence_number,
        "event_type": event.type,
        "event_id": event.event_id,
        "commit_id": event.commit_id,
        "commit_first": event.commit_first,
        "commit_last": event.commit_last,
        "timestamp": event.timestamp_ms,
        "schema_version": event.schema_version,
        "epoch": event.epoch,
        "data": json.loads(event.data_json),
        "metadata": json.loads(event.metadata_json),
    }


def index_of(event: TrueEvent, prefix: str) -> str:
    """Return the index that the document of an event must be in."""
    if MONTHS_FROM_MS <= event.timestamp_ms < MONTHS_UNTIL_MS:
        return f"{prefix}-events-{moment(event.timestamp_ms)[:7].replace('-', '.')}"
    return f"{prefix}-events-beyond"

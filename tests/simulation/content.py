"""What writers mean, and what an event must look like where it arrives: judged by the checker that users have, too.

`message_faults` and `document_faults` name what differs; `stored_faults` what a row has that its writer did not mean.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay.destinations.bus.broker import Message
from relay.testing.checker import (
    IndexedDocument,
    TrueEvent,
    document_discrepancies,
    index_of,
    meant_discrepancies,
    message_discrepancies,
)

PREFIX = "inventory"
SOURCE = f"/{PREFIX}"
"""Name the store in indices and in each message; what they are unless set otherwise."""

TYPES = ("COUNTED", "MOVED")
"""Event types: those at even places of a request, and those at odd ones."""

EARLIER_MS = 1_700_000_000_000
"""2023-11-14, long before the simulation begins: some writers say when something happened."""

DAY_MS = 86_400_000


def meant(request: str, place: int) -> dict[str, Any]:
    """Return what the writer of a request means the event at a place of it to be, beside its payload."""
    metadata = {} if place == 2 else {"correlation_id": f"{request}/{place}"}
    if place == 1:
        metadata |= {"traceparent": f"00-{request}-01", "tracestate": "a=1"}
    wanted = {"type": TYPES[place % 2], "schema_version": 1 + place, "metadata": metadata}
    return wanted if place % 2 == 0 else {**wanted, "timestamp_ms": EARLIER_MS + place * DAY_MS}


@dataclass(frozen=True, slots=True)
class Meant:
    """An event as its writer means it; see `relay.testing.checker.MeantEvent`."""

    type: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any]
    schema_version: int
    timestamp_ms: int | None = None


def stored_faults(event: TrueEvent) -> list[str]:
    """Return what of an event is not what its writer meant; the payload says which request it is of."""
    data = json.loads(event.data_json)
    wanted = Meant(data=data, **meant(data["request"], data["place"]))
    return [str(each) for each in meant_discrepancies(event, wanted)]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as a consumer would get it; see `relay.testing.checker.SentMessage`."""

    message_id: str
    routing_key: str
    headers: Mapping[str, Any]
    body: bytes
    correlation_id: str | None
    content_type: str
    persistent: bool


def message_faults(event: TrueEvent, message: Message) -> list[str]:
    """Return what of a message is not as its event and the message format have it."""
    arrived = Arrived(
        message_id=message.message_id,
        routing_key=message.routing_key,
        headers=message.headers,
        body=message.body,
        correlation_id=message.correlation_id,
        content_type=message.content_type,
        persistent=message.delivery_mode == 2,
    )
    return [str(each) for each in message_discrepancies(event, arrived, SOURCE)]


def document_faults(event: TrueEvent, action: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """Return what of a document, and of the line before it, is not as its event has it."""
    extra = [f"the line before it has {name}" for name in action if name not in {"_id", "_index"}]
    arrived = IndexedDocument(action["_id"], action["_index"], document)
    wanted = index_of(event, PREFIX)
    place = [] if arrived.index == wanted else [f"_index is {arrived.index}, not {wanted}"]
    return [*extra, *place, *(str(each) for each in document_discrepancies(event, arrived))]

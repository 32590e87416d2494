"""What an event must look like where it arrives, by hand from its row in the events table, and not from the product.

`message_faults` and `document_faults` name what differs; `stored_faults` what a row has that its writer did not mean.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from relay.destinations.bus.broker import Message

SOURCE = "/inventory"
"""Names the store in each message; what it is unless set otherwise."""

TYPES = ("COUNTED", "MOVED")
"""Event types: those at even places of a request, and those at odd ones."""

EARLIER_MS = 1_700_000_000_000
"""2023-11-14, long before the simulation begins: some writers say when something happened."""

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """An event as DynamoDB had it when its commit was stored.

    Attributes:
        aggregate_id: Its aggregate.
        aggregate_type: The aggregate's type.
        number: Its sequence number.
        event_id: Its id.
        type: What happened.
        version: Of its payload's schema.
        data: Its payload as stored.
        metadata: About it, as stored.
        timestamp_ms: When it happened.
        commit_id: The append that stored it.
        commit_first: The first number of that.
        commit_last: The last number of that.
        epoch: The store's epoch then.
    """

    aggregate_id: str
    aggregate_type: str
    number: int
    event_id: str
    type: str
    version: int
    data: str
    metadata: str
    timestamp_ms: int
    commit_id: str
    commit_first: int
    commit_last: int
    epoch: int


def true_event(item: Mapping[str, Any]) -> TrueEvent:
    """Return the event of a row of the events table."""
    return TrueEvent(
        aggregate_id=item["aggregateId"]["S"],
        aggregate_type=item["aggregateType"]["S"],
        number=int(item["sequenceNumber"]["N"]),
        event_id=item["eventId"]["S"],
        type=item["eventType"]["S"],
        version=int(item["version"]["N"]),
        data=item["eventData"]["S"],
        metadata=item["metadata"]["S"],
        timestamp_ms=int(item["timestamp"]["N"]),
        commit_id=item["commitId"]["S"],
        commit_first=int(item["commitFirst"]["N"]),
        commit_last=int(item["commitLast"]["N"]),
        epoch=int(item["epoch"]["N"]),
    )


def meant(request: str, place: int) -> dict[str, Any]:
    """Return what the writer of a request means the event at a place of it to be, beside its payload."""
    metadata = {} if place == 2 else {"correlation_id": f"{request}/{place}"}
    if place == 1:
        metadata |= {"traceparent": f"00-{request}-01", "tracestate": "a=1"}
    wanted = {"type": TYPES[place % 2], "schema_version": 1 + place, "metadata": metadata}
    return wanted if place % 2 == 0 else {**wanted, "timestamp_ms": EARLIER_MS + place * DAY_MS}


def stored_faults(event: TrueEvent) -> list[str]:
    """Return what of an event is not what its writer meant."""
    data = json.loads(event.data)
    wanted = meant(data["request"], data["place"])
    found = {
        "type": event.type,
        "schema_version": event.version,
        "metadata": json.loads(event.metadata),
        "timestamp_ms": event.timestamp_ms,
    }
    return list(differing(wanted, {name: found[name] for name in wanted}))


def cloud_event_of(event: TrueEvent) -> dict[str, Any]:
    """Return the CloudEvents attributes of an event."""
    about = json.loads(event.metadata)
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": SOURCE,
        "type": f"{event.aggregate_type}.{event.type}",
        "subject": event.aggregate_id,
        "time": _moment(event.timestamp_ms),
        "aggregatetype": event.aggregate_type,
        "aggregateid": event.aggregate_id,
        "sequencenumber": event.number,
        "epoch": event.epoch,
        "schemaversion": event.version,
        "commitid": event.commit_id,
    }
    named = {"correlation_id": "correlationid", "traceparent": "traceparent", "tracestate": "tracestate"}
    return found | {there: about[here] for here, there in named.items() if here in about}


def message_faults(event: TrueEvent, message: Message) -> list[str]:
    """Return what of a message is not as its event and the message format have it."""
    about = json.loads(event.metadata)
    headers: dict[str, Any] = {f"cloudEvents_{name}": value for name, value in cloud_event_of(event).items()}
    headers |= {name: about[name] for name in ("traceparent", "tracestate") if name in about}
    wanted = {
        **headers,
        "routing_key": f"{event.aggregate_type}.{event.type}",
        "message_id": event.event_id,
        "correlation_id": about.get("correlation_id"),
        "body": event.data.encode(),
        "content_type": "application/json",
        "delivery_mode": 2,
    }
    found = {name: getattr(message, name) for name in wanted if name not in headers}
    return list(differing(wanted, {**message.headers, **found}))


def document_faults(event: TrueEvent, action: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """Return what of a document, and of the line before it, is not as its event has it."""
    wanted = {
        "aggregate_id": event.aggregate_id,
        "aggregate_type": event.aggregate_type,
        "sequence_number": event.number,
        "event_type": event.type,
        "event_id": event.event_id,
        "commit_id": event.commit_id,
        "commit_first": event.commit_first,
        "commit_last": event.commit_last,
        "timestamp": event.timestamp_ms,
        "schema_version": event.version,
        "epoch": event.epoch,
        "data": json.loads(event.data),
        "metadata": json.loads(event.metadata),
        "_id": event.event_id,
        "_index": f"inventory-events-{_moment(event.timestamp_ms)[:7].replace('-', '.')}",
    }
    return list(differing(wanted, {**document, **action}))


def differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is found otherwise than it is wanted, and what is found and not wanted."""
    for name in (*wanted, *(name for name in found if name not in wanted)):
        if wanted.get(name) != found.get(name) or (name in wanted) != (name in found):
            yield f"{name} is {found.get(name)!r}, not {wanted.get(name)!r}"


def _moment(timestamp_ms: int) -> str:
    seconds, milliseconds = divmod(timestamp_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"

"""What a message must look like, by hand from its event and the message format."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from relay.testing.checker.comparison import Discrepancy, discrepancies
from relay.testing.checker.event import TrueEvent, moment

SUBJECT = "cloudEvents_subject"
SEQUENCE_NUMBER = "cloudEvents_sequencenumber"
EPOCH = "cloudEvents_epoch"

CORRELATION_MAX_BYTES = 255
TRACE_MAX_BYTES = 512

OF_THE_BROKER = "x-"
"""Headers that begin so are the broker's own, as `x-delivery-count` of a quorum queue."""


class SentMessage(Protocol):
    """A message as a consumer of the bus got it; `relay.testing.ReceivedMessage` is one."""

    @property
    def message_id(self) -> str:
        """The event's id."""
        ...

    @property
    def routing_key(self) -> str:
        """`<aggregateType>.<eventType>`."""
        ...

    @property
    def headers(self) -> Mapping[str, Any]:
        """CloudEvents attributes and trace headers."""
        ...

    @property
    def body(self) -> bytes:
        """The event's data."""
        ...

    @property
    def correlation_id(self) -> str | None:
        """What the writer gave, if anything."""
        ...

    @property
    def content_type(self) -> str:
        """MIME type of the body."""
        ...

    @property
    def persistent(self) -> bool:
        """Whether it survives a restart of the broker: delivery mode 2."""
        ...


def message_discrepancies(event: TrueEvent, message: SentMessage, source: str) -> list[Discrepancy]:
    """Return what of a message is not as its event and the message format have it.

    Args:
        event: The event.
        message: A message of it.
        source: The CloudEvents source of the relay's messages; `/inventory` unless set otherwise.
    """
    return discrepancies(wanted_fields(event, source), fields_of(message))


def fields_of(message: SentMessage) -> dict[str, Any]:
    """Return properties, headers and body of a message, each under a name of its own."""
    headers = {f"header {name}": value for name, value in message.headers.items() if _is_ours(name)}
    return {
        "message_id": message.message_id,
        "routing_key": message.routing_key,
        "correlation_id": message.correlation_id,
        "content_type": message.content_type,
        "persistent": message.persistent,
        "body": bytes(message.body),
        **headers,
    }


def wanted_fields(event: TrueEvent, source: str) -> dict[str, Any]:
    """Return what `fields_of` must be of a message of an event."""
    about = json.loads(event.metadata_json)
    correlation_id = _fitting(about.get("correlation_id"), CORRELATION_MAX_BYTES)
    headers: dict[str, Any] = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": event.event_id,
        "cloudEvents_source": source,
        "cloudEvents_type": f"{event.aggregate_type}.{event.type}",
        SUBJECT: event.aggregate_id,
        "cloudEvents_time": moment(event.timestamp_ms),
        "cloudEvents_aggregatetype": event.aggregate_type,
        "cloudEvents_aggregateid": event.aggregate_id,
        SEQUENCE_NUMBER: event.sequence_number,
        EPOCH: event.epoch,
        "cloudEvents_schemaversion": event.schema_version,
        "cloudEvents_commitid": event.commit_id,
    }
    if correlation_id is not None:
        headers["cloudEvents_correlationid"] = correlation_id
    trace = {name: _fitting(about.get(name), TRACE_MAX_BYTES) for name in ("traceparent", "tracestate")}
    for name, value in trace.items():
        if value is not None and trace["traceparent"] is not None:
            headers[name] = headers[f"cloudEvents_{name}"] = value
    return {
        "message_id": event.event_id,
        "routing_key": f"{event.aggregate_type}.{event.type}",
        "correlation_id": correlation_id,
        "content_type": "application/json",
        "persistent": True,
        "body": event.data_json.encode(),
        **{f"header {name}": value for name, value in headers.items()},
    }


def _is_ours(header: str) -> bool:
    return not header.startswith(OF_THE_BROKER)


def _fitting(value: Any, max_bytes: int) -> str | None:
    """Return what metadata holds when that is a text that fits a header."""
    is_text = isinstance(value, str) and 0 < len(value.encode("utf-8", "surrogatepass")) <= max_bytes
    return value if is_text else None

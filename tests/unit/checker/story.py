"""A small store, what its relay has delivered, and what its writers know, made by hand; tests spoil copies of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eventstore import NewEvent
from relay.testing import ReceivedMessage
from relay.testing.checker import Acknowledged, CheckVerdict, DeliveryChecker, IndexedDocument, WrittenCommit

JANUARY_ENDS_MS = 1_738_367_999_007
"""2025-01-31T23:59:59.007Z."""

SUMMER_OF_1989_MS = 615_000_000_042
"""1989-06-28T01:20:00.042Z; years before 1990 have no index of their own."""


@dataclass
class Story:
    """What was seen of a store.

    Attributes:
        written: What writers meant and were told.
        rows: Of the events table.
        messages: As they came.
        documents: Of the index.
        owed: Keys of rows in the outbox.
        dropped: Destination, aggregate and last number of what an operator has dropped.
    """

    written: list[WrittenCommit] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    messages: list[ReceivedMessage] = field(default_factory=list)
    documents: list[IndexedDocument] = field(default_factory=list)
    owed: list[tuple[str, int]] = field(default_factory=list)
    dropped: list[tuple[Any, str, int]] = field(default_factory=list)

    def judge(self, *, rows_first: bool = True, **options: Any) -> CheckVerdict:
        """Return the verdict on it, when rows are told of before the messages or after them."""
        checker = DeliveryChecker(**options)
        for commit in self.written:
            checker.written(commit)
        for row in self.rows if rows_first else ():
            checker.stored(row)
        for message in self.messages if options.get("has_bus", True) else ():
            checker.came(message)
        for document in self.documents if options.get("has_index", True) else ():
            checker.indexed(document)
        for key in self.owed:
            checker.owed(*key)
        for key in self.dropped:
            checker.dropped(*key)
        return checker.verdict(() if rows_first else self.rows)

    def change_row(self, place: int, **attributes: Mapping[str, Any] | None) -> None:
        """Put other attributes into a row; None takes one out."""
        row = self.rows[place]
        row.update({name: value for name, value in attributes.items() if value is not None})
        for name in [name for name, value in attributes.items() if value is None]:
            del row[name]

    def change_message(self, place: int, **fields: Any) -> None:
        """Put other properties, headers or another body into a message."""
        self.messages[place] = replace(self.messages[place], **fields)

    def change_header(self, place: int, name: str, value: Any) -> None:
        """Put another header into a message; None takes it out."""
        headers = {**self.messages[place].headers, name: value}
        self.change_message(place, headers={each: held for each, held in headers.items() if held is not None})

    def change_source(self, place: int, name: str, value: Any) -> None:
        """Put another field into a document; None takes it out."""
        source = {**self.documents[place].source, name: value}
        held = {each: value for each, value in source.items() if value is not None}
        self.documents[place] = replace(self.documents[place], source=held)


def add_commit(
    story: Story,
    aggregate: tuple[str, str],
    commit_id: str,
    events: Sequence[NewEvent],
    *,
    first: int = 1,
    epoch: int = 1,
    times: Mapping[int, str],
    months: Mapping[int, str],
) -> None:
    """Add a commit with all that follows from it.

    Args:
        story: What to add to.
        aggregate: Type and id.
        commit_id: The commit's id.
        events: Its events; each says its time.
        first: The number of the first one.
        epoch: The store's epoch.
        times: The texts of the events' times.
        months: Their indices, without the prefix.
    """
    kind, aggregate_id = aggregate
    last = first + len(events) - 1
    told = Acknowledged(commit_id, first, last)
    story.written.append(WrittenCommit(aggregate_id, kind, tuple(events), told))
    for number, event in enumerate(events, first):
        assert isinstance(event.timestamp_ms, int)
        event_id, at_ms = f"{commit_id}-{number}", event.timestamp_ms
        data, metadata = json.dumps(event.data, ensure_ascii=False), json.dumps(event.metadata)
        story.rows.append(
            {
                "aggregateId": {"S": aggregate_id},
                "sequenceNumber": {"N": str(number)},
                "aggregateType": {"S": kind},
                "eventType": {"S": event.type},
                "eventData": {"S": data},
                "metadata": {"S": metadata},
                "timestamp": {"N": str(at_ms)},
                "version": {"N": str(event.schema_version)},
                "eventId": {"S": event_id},
                "commitId": {"S": commit_id},
                "commitFirst": {"N": str(first)},
                "commitLast": {"N": str(last)},
                "epoch": {"N": str(epoch)},
                "eventTypeShard": {"S": f"{event.type}#3"},
                "aggregateTypeShard": {"S": f"{kind}#3"},
                "dayShard": {"S": f"{times[at_ms][:10]}#3"},
            }
        )
        headers: dict[str, str | int] = {
            "cloudEvents_specversion": "1.0",
            "cloudEvents_id": event_id,
            "cloudEvents_source": "/inventory",
            "cloudEvents_type": f"{kind}.{event.type}",
            "cloudEvents_subject": aggregate_id,
            "cloudEvents_time": times[at_ms],
            "cloudEvents_aggregatetype": kind,
            "cloudEvents_aggregateid": aggregate_id,
            "cloudEvents_sequencenumber": number,
            "cloudEvents_epoch": epoch,
            "cloudEvents_schemaversion": event.schema_version,
            "cloudEvents_commitid": commit_id,
        }
        if "correlation_id" in event.metadata:
            headers["cloudEvents_correlationid"] = event.metadata["correlation_id"]
        for name in ("traceparent", "tracestate"):
            if name in event.metadata:
                headers[f"cloudEvents_{name}"] = headers[name] = event.metadata[name]
        story.messages.append(
            ReceivedMessage(
                message_id=event_id,
                routing_key=f"{kind}.{event.type}",
                headers=headers,
                body=data.encode(),
                received_at_ms=0,
                correlation_id=event.metadata.get("correlation_id"),
            )
        )
        source = {
            "aggregate_id": aggregate_id,
            "aggregate_type": kind,
            "sequence_number": number,
            "event_type": event.type,
            "event_id": event_id,
            "commit_id": commit_id,
            "commit_first": first,
            "commit_last": last,
            "timestamp": at_ms,
            "schema_version": event.schema_version,
            "epoch": epoch,
            "data": json.loads(data),
            "metadata": json.loads(metadata),
        }
        story.documents.append(IndexedDocument(event_id, f"inventory-events-{months[at_ms]}", source))


TIMES = {
    JANUARY_ENDS_MS: "2025-01-31T23:59:59.007Z",
    JANUARY_ENDS_MS + 1000: "2025-02-01T00:00:00.007Z",
    SUMMER_OF_1989_MS: "1989-06-28T01:20:00.042Z",
}
MONTHS = {JANUARY_ENDS_MS: "2025.01", JANUARY_ENDS_MS + 1000: "2025.02", SUMMER_OF_1989_MS: "beyond"}


def good() -> Story:
    """Return a store where all is well: two aggregates, three commits, five events, of which one came twice."""
    story, order = Story(), ("Order", "order-17")
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1"}
    placed = NewEvent("Placed", {"price": 12.5, "name": "é"}, {"correlation_id": "c-1", **trace}, 2, JANUARY_ENDS_MS)
    paid = NewEvent("Paid", {"by": None, "parts": [1, True, "x"]}, {}, 1, JANUARY_ENDS_MS)
    sent = NewEvent("Sent", {}, {"user": "ada"}, 1, JANUARY_ENDS_MS + 1000)
    found = NewEvent("Found", {"quantity": 3}, {}, 1, SUMMER_OF_1989_MS)
    add_commit(story, order, "commit-a", (placed, paid), times=TIMES, months=MONTHS)
    add_commit(story, order, "commit-b", (sent, paid), first=3, epoch=2, times=TIMES, months=MONTHS)
    add_commit(story, ("Item", "sku-1"), "commit-c", (found,), times=TIMES, months=MONTHS)
    story.messages.append(story.messages[1])
    return story

"""What operators did to the relay: one record per action, kept in the relay table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventstore import limits
from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import CorruptRowError
from eventstore.ids import uuid7
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import Item, ItemReader

RECORD_TYPE = "audit"
REASON_MAX_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One action of an operator.

    Attributes:
        record_id: UUIDv7; records sort by time.
        verb: What was done: `release`, `drop`, `pause`, `resume`.
        by: Who did it, `user@host` unless they said otherwise.
        at_ms: When, by their clock.
        reason: Why, in their words; may be empty where no reason is asked for.
        about: What it was about, by name: aggregate, destination, error class, how many ….
    """

    record_id: str
    verb: str
    by: str
    at_ms: int
    reason: str
    about: Mapping[str, str] = field(default_factory=dict)


def new_record(runtime: Runtime, verb: str, by: str, reason: str, about: Mapping[str, str]) -> AuditRecord:
    """Return a record of an action that is done now."""
    return AuditRecord(uuid7(runtime), verb, by, runtime.now_ms(), reason, dict(about))


def encode(record: AuditRecord) -> dict[str, Any]:
    """Return a record as a row of the relay table."""
    return {
        "recordType": {"S": RECORD_TYPE},
        "recordKey": {"S": record.record_id},
        "verb": {"S": record.verb},
        "by": {"S": record.by},
        "at": {"N": str(record.at_ms)},
        "reason": {"S": record.reason},
        "about": {"M": {name: {"S": value} for name, value in record.about.items()}},
    }


def decode(item: Item, table: str) -> AuditRecord:
    """Return the record of a row.

    Raises:
        CorruptRowError: An attribute is missing or of another kind.
    """
    row = ItemReader(item, table)
    about = {name: str(value.get("S", "?")) for name, value in row.text_map("about").items()}
    return AuditRecord(
        row.text("recordKey"), row.text("verb"), row.text("by"), row.integer("at"), row.text("reason"), about
    )


class AuditTrail:
    """Writes and reads the records. Nobody changes or deletes one."""

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._client = client
        self._table = tables.relay
        self._caller = Caller(client, runtime, backoff)

    def write(self, record: AuditRecord) -> None:
        """Keep a record; writing it twice does no harm.

        Raises:
            TryLaterError: It may not be kept. Do not do the deed; try again.
        """
        what, item = f"the audit record of this {record.verb}", encode(record)
        self._caller.write(self._client.put_item, what=what, is_repeatable=True, TableName=self._table, Item=item)

    def latest(self, limit: int) -> tuple[list[AuditRecord], list[str]]:
        """Return the latest records, newest first, and what is wrong with those that cannot be read.

        Raises:
            TryLaterError: DynamoDB did not answer.
        """
        records: list[AuditRecord] = []
        faults: list[str] = []
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "recordType = :type",
            "ExpressionAttributeValues": {":type": {"S": RECORD_TYPE}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
        }
        request["Limit"] = min(limit, limits.QUERY_MAX_ROWS)
        for reply in self._caller.pages(self._client.query, request, needs="Items"):
            for item in reply["Items"]:
                try:
                    records.append(decode(item, self._table))
                except CorruptRowError as error:
                    faults.append(str(error))
            left = limit - len(records) - len(faults)
            if left <= 0:
                break
            request["Limit"] = min(left, limits.QUERY_MAX_ROWS)
        return records, faults

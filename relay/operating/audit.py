"""What operators did to the relay: one record per deed, kept in the relay table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventstore.backoff import Backoff
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import DynamoError, NotAppliedError, OutcomeLostError
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import CorruptRowError, ThrottledError
from eventstore.ids import uuid7
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import Item, ItemReader

RECORD_TYPE = "audit"
REASON_MAX_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One deed.

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
    """Return a record of a deed that is done now."""
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
        self._runtime = runtime
        self._backoff = backoff

    def write(self, record: AuditRecord) -> None:
        """Keep a record; writing it twice does no harm.

        Raises:
            TryLaterError: It may not be kept. Do not do the deed; try again.
        """
        for attempt in range(1, self._backoff.attempts_max + 1):
            try:
                calls.call(self._client.put_item, TableName=self._table, Item=encode(record))
            except (NotAppliedError, OutcomeLostError):
                self._runtime.sleep(self._backoff.delay_seconds(attempt, self._runtime.uniform()))
            except DynamoError as error:
                raise calls.public_error(error, table=self._table) from error
            else:
                return
        raise ThrottledError("DynamoDB did not take an audit record", retry_after_seconds=self._backoff.cap_seconds)

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
        while True:  # at most `limit` rows
            request["Limit"] = limit - len(records) - len(faults)
            reply = calls.read(self._runtime, self._backoff, self._client.query, needs="Items", **request)
            for item in reply["Items"]:
                try:
                    records.append(decode(item, self._table))
                except CorruptRowError as error:
                    faults.append(str(error))
            if "LastEvaluatedKey" not in reply or len(records) + len(faults) >= limit:
                return records, faults
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

"""How far each shard was dealt with, kept in the relay table so that the next process goes on from there."""

from dataclasses import dataclass

from eventstore import dynamo
from eventstore.backoff import Backoff
from eventstore.errors import CorruptRowError, ThrottledError
from eventstore.item import ItemReader
from eventstore.outcomes import DynamoError, NotAppliedError, OutcomeLostError
from eventstore.ports import DynamoClient, Runtime
from eventstore.table_names import TableNames
from relay.feed.directory import Stream
from relay.feed.position import Position


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is known of one shard.

    Attributes:
        shard_id: The shard.
        position: Everything up to here is dealt with; None before the first record.
        finished: The shard is closed and all of it is dealt with.
        updated_at_ms: When that was written, by the writer's clock.
    """

    shard_id: str
    position: Position | None
    finished: bool
    updated_at_ms: int


class Checkpoints:
    """Reads and writes the checkpoints of one stream: one row per shard, under the stream's label."""

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._client = client
        self._table = tables.relay
        self._runtime = runtime
        self._backoff = backoff

    def load(self, stream: Stream) -> dict[str, Checkpoint]:
        """Return the checkpoints of a stream, by shard.

        Raises:
            EventStoreError: DynamoDB did not answer, or a row cannot be read.
        """
        request: dict[str, object] = {
            "TableName": self._table,
            "KeyConditionExpression": "recordType = :type",
            "ExpressionAttributeValues": {":type": {"S": _record_type(stream)}},
            "ConsistentRead": True,
        }
        found: dict[str, Checkpoint] = {}
        while True:  # as many pages as the table has; each moves on
            reply = dynamo.read(self._runtime, self._backoff, self._client.query, needs="Items", **request)
            for item in reply["Items"]:
                row = ItemReader(item, self._table)
                checkpoint = Checkpoint(
                    row.text("recordKey"),
                    _position(row, self._table),
                    row.text("state") == "finished",
                    row.integer("updatedAt"),
                )
                found[checkpoint.shard_id] = checkpoint
            if "LastEvaluatedKey" not in reply:
                return found
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def save(self, stream: Stream, shard_id: str, position: Position | None, *, finished: bool) -> None:
        """Write how far a shard was dealt with.

        Raises:
            TryLaterError: It may be unwritten; the shard is read again from the one before at worst.
        """
        item = {
            "recordType": {"S": _record_type(stream)},
            "recordKey": {"S": shard_id},
            "state": {"S": "finished" if finished else "reading"},
            "updatedAt": {"N": str(self._runtime.now_ms())},
        }
        if position is not None:
            item["feedPosition"] = {"S": str(position)}
        for attempt in range(1, self._backoff.attempts_max + 1):
            try:
                dynamo.call(self._client.put_item, TableName=self._table, Item=item)
            except (NotAppliedError, OutcomeLostError):
                self._runtime.sleep(self._backoff.delay_seconds(attempt, self._runtime.uniform()))
            except DynamoError as error:
                raise dynamo.public_error(error, table=self._table) from error
            else:
                return
        raise ThrottledError("DynamoDB did not take a checkpoint", retry_after_seconds=self._backoff.cap_seconds)

    def forget(self, stream: Stream, shard_id: str) -> None:
        """Remove the checkpoint of a shard that the feed no longer shows.

        Raises:
            EventStoreError: It is still there, which does no harm.
        """
        key = {"recordType": {"S": _record_type(stream)}, "recordKey": {"S": shard_id}}
        try:
            dynamo.call(self._client.delete_item, TableName=self._table, Key=key)
        except DynamoError as error:
            raise dynamo.public_error(error, table=self._table) from error


def _position(row: ItemReader, table: str) -> Position | None:
    text = row.text_or_none("feedPosition")
    try:
        return None if text is None else Position.parse(text)
    except ValueError as error:
        reason = f"is {text!r}, which is no position; delete the row, and the shard is read from its oldest record"
        raise CorruptRowError(table, key=row.text("recordKey"), field="feedPosition", reason=reason) from error


def _record_type(stream: Stream) -> str:
    return f"checkpoint#{stream.label}"

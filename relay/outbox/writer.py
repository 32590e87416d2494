"""Settling: rows that every destination has are deleted, the others are marked. Marking never brings a row back."""

from collections.abc import Collection, Sequence
from typing import Any

from eventstore import limits
from eventstore.backoff import Backoff
from eventstore.dynamodb import batches
from eventstore.dynamodb.caller import Caller, Taken
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import row_key
from relay.destination import CommitKey, Park


class OutboxWriter:
    """Changes outbox rows. Every change can be repeated without harm, so each tries again within a bound."""

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._client = client
        self._table = tables.outbox
        self._runtime = runtime
        self._caller = Caller(client, runtime, backoff)

    def delete(self, keys: Sequence[CommitKey]) -> None:
        """Delete rows that every destination has.

        Raises:
            TryLaterError: Some rows may be left; they are owed, and delivered again at worst.
        """
        for start in range(0, len(keys), limits.BATCH_WRITE_MAX_ITEMS):
            chunk = keys[start : start + limits.BATCH_WRITE_MAX_ITEMS]
            batches.delete(self._caller, self._table, [row_key(*key) for key in chunk])

    def add_delivered(self, key: CommitKey, names: Collection[str]) -> frozenset[str] | None:
        """Note that destinations have a commit.

        Returns:
            All destinations that have it by now, so that whoever sees the set complete deletes the row; None when
            the row is gone, which means that somebody else settled it.

        Raises:
            TryLaterError: The mark may be missing; the commit is delivered again at worst.
        """
        changed = self._update(
            key,
            UpdateExpression="ADD delivered :names",
            ConditionExpression="attribute_exists(aggregateId)",
            ExpressionAttributeValues={":names": {"SS": sorted(names)}},
        )
        return None if changed is None else frozenset(changed.get("delivered", {}).get("SS", ()))

    def park(self, key: CommitKey, name: str, verdict: Park) -> bool:
        """Mark a commit as waiting for a person, for one destination that does not have it.

        Returns:
            False when the row is gone, the destination has it, or it is parked already.

        Raises:
            TryLaterError: The mark may be missing; the same refusal will park it the next time.
        """
        now = {"N": str(self._runtime.now_ms())}
        mark = {
            "M": {
                "reason": {"S": verdict.reason},
                "errorClass": {"S": verdict.error_class},
                "attempts": {"N": "1"},
                "firstFailedAt": now,
                "lastFailedAt": now,
            },
        }
        lacks = "attribute_exists(aggregateId) AND NOT contains(delivered, :name)"
        name_value = {":name": {"S": name}}
        first = self._update(
            key,
            UpdateExpression="SET parked = :map",
            # What is not a map was written by somebody else, and would be in the way of every mark for ever.
            ConditionExpression=f"{lacks} AND (attribute_not_exists(parked) OR NOT attribute_type(parked, :kind))",
            ExpressionAttributeValues={**name_value, ":map": {"M": {name: mark}}, ":kind": {"S": "M"}},
        )
        if first is not None:
            return True
        further = self._update(
            key,
            UpdateExpression="SET parked.#name = :mark",
            ConditionExpression=f"{lacks} AND attribute_exists(parked) AND attribute_not_exists(parked.#name)",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={**name_value, ":mark": mark},
        )
        return further is not None

    def _update(self, key: CommitKey, **request: Any) -> dict[str, Any] | None:
        """Make a conditional update and return the new row, or None when its condition does not hold."""
        written = self._caller.write(
            self._client.update_item,
            what=f"the note on commit {key[0]} {key[1]}",
            needs="Attributes",
            is_repeatable=True,
            TableName=self._table,
            Key=row_key(*key),
            ReturnValues="ALL_NEW",
            **request,
        )
        return dict(written.reply["Attributes"]) if isinstance(written, Taken) else None

"""Remembers in the relay table what the indices held at most, so that their loss is noticed by any worker."""

from dataclasses import astuple
from typing import Any

import msgspec

from eventstore import jsontext
from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller, Refused
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import CorruptRowError
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import ItemReader
from relay.destinations.index.holdings import Holding, Holdings

RECORD_TYPE = "index"


class _Remembered(msgspec.Struct, frozen=True, array_like=True):
    uuid: str
    documents: int | None
    managed: bool = False
    lost: int = 0


_decoder = msgspec.json.Decoder(dict[str, _Remembered])


class IndexMemoryTable:
    """The `IndexMemory` of one index: one row, replaced as a whole on the condition that it is as it was read.

    Args:
        client: For the tables.
        tables: Their names.
        alias: Of the index.
        runtime: Clock and waiting.
        backoff: Attempts of one call.
    """

    def __init__(
        self, client: DynamoClient, tables: TableNames, alias: str, runtime: Runtime, backoff: Backoff
    ) -> None:
        self._client = client
        self._table = tables.relay
        self._key = {"recordType": {"S": RECORD_TYPE}, "recordKey": {"S": alias}}
        self._caller = Caller(client, runtime, backoff)
        self._revision = 0

    def load(self) -> Holdings:
        """See `IndexMemory.load`.

        Raises:
            CorruptRowError: The row cannot be read; deleting it makes the relay begin anew.
            TryLaterError: DynamoDB did not answer.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "recordType = :type AND recordKey = :key",
            "ExpressionAttributeValues": {":type": self._key["recordType"], ":key": self._key["recordKey"]},
            "ConsistentRead": True,
        }
        items = self._caller.read(self._client.query, needs="Items", **request)["Items"]  # absence in a whole reply
        self._revision = 0
        if not items:
            return {}
        row = ItemReader(items[0], self._table)
        self._revision = row.integer("revision")
        try:
            found = _decoder.decode(row.text("holdings"))
        except jsontext.FAULTS as error:
            key = f"{RECORD_TYPE}, {self._key['recordKey']['S']}"
            raise CorruptRowError(self._table, key=key, field="holdings", reason=f"cannot be read: {error}") from error
        return {index: Holding(*msgspec.structs.astuple(each)) for index, each in found.items()}

    def save(self, holdings: Holdings) -> bool:
        """See `IndexMemory.save`.

        Raises:
            TryLaterError: DynamoDB did not answer.
        """
        text = msgspec.json.encode({index: list(astuple(each)) for index, each in holdings.items()})
        item = {**self._key, "revision": {"N": str(self._revision + 1)}, "holdings": {"S": text.decode()}}
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(recordKey)"}
        if self._revision:
            seen = {":seen": {"N": str(self._revision)}}
            condition = {"ConditionExpression": "revision = :seen", "ExpressionAttributeValues": seen}
        written = self._caller.write(
            self._client.put_item,
            what="what the indices hold",
            is_repeatable=True,
            TableName=self._table,
            Item=item,
            **condition,
        )
        return not isinstance(written, Refused)

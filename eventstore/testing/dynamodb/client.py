"""The clients: the calls of boto3's low-level clients that we use, on the in-memory DynamoDB."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, TypeAlias

from botocore.exceptions import WaiterError

from eventstore.testing.dynamodb.client_errors import (
    ClientExceptions,
    client_error,
    connection_error,
    response_metadata,
)
from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError
from eventstore.testing.dynamodb.requests.check import check_parameters

Call: TypeAlias = Callable[[str, Mapping[str, Any]], dict[str, Any]]

_request_numbers = count(1)


class _Client:
    """What both clients share.

    Args:
        call: Carries out an operation by its name on the wire.
    """

    exceptions = ClientExceptions()

    def __init__(self, call: Call) -> None:
        self._call_service = call

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        check_parameters(operation, request)
        request_id = f"memory-{next(_request_numbers):012d}"
        try:
            reply = self._call_service(operation, request)
        except ServiceError as error:
            raise client_error(error, operation, request_id) from None
        except ConnectionLostError as error:
            raise connection_error(error) from None
        reply["ResponseMetadata"] = response_metadata(request_id, 200)
        return reply

    def close(self) -> None:
        """Do nothing; there is no connection."""


class DynamoDBClient(_Client):
    """The calls of boto3's `dynamodb` client.

    Requests, replies and errors have the shapes of that client. Every call raises `botocore.exceptions.ClientError`
    when the service refuses, `ConnectionClosedError` when the weather loses a request or a reply, and
    `botocore.exceptions.ParamValidationError` for parameters it does not take.
    """

    def batch_execute_statement(self, **request: Any) -> dict[str, Any]:
        """See BatchExecuteStatement; of PartiQL, only what `partiql.statement` names."""
        return self._call("BatchExecuteStatement", request)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        """See BatchGetItem."""
        return self._call("BatchGetItem", request)

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        """See BatchWriteItem."""
        return self._call("BatchWriteItem", request)

    def create_table(self, **request: Any) -> dict[str, Any]:
        """See CreateTable; the table is ready at once."""
        return self._call("CreateTable", request)

    def delete_item(self, **request: Any) -> dict[str, Any]:
        """See DeleteItem."""
        return self._call("DeleteItem", request)

    def delete_table(self, **request: Any) -> dict[str, Any]:
        """See DeleteTable; the table is gone at once."""
        return self._call("DeleteTable", request)

    def describe_continuous_backups(self, **request: Any) -> dict[str, Any]:
        """See DescribeContinuousBackups."""
        return self._call("DescribeContinuousBackups", request)

    def describe_limits(self, **request: Any) -> dict[str, Any]:
        """See DescribeLimits."""
        return self._call("DescribeLimits", request)

    def describe_table(self, **request: Any) -> dict[str, Any]:
        """See DescribeTable."""
        return self._call("DescribeTable", request)

    def describe_time_to_live(self, **request: Any) -> dict[str, Any]:
        """See DescribeTimeToLive."""
        return self._call("DescribeTimeToLive", request)

    def get_item(self, **request: Any) -> dict[str, Any]:
        """See GetItem."""
        return self._call("GetItem", request)

    def list_tables(self, **request: Any) -> dict[str, Any]:
        """See ListTables."""
        return self._call("ListTables", request)

    def list_tags_of_resource(self, **request: Any) -> dict[str, Any]:
        """See ListTagsOfResource."""
        return self._call("ListTagsOfResource", request)

    def put_item(self, **request: Any) -> dict[str, Any]:
        """See PutItem."""
        return self._call("PutItem", request)

    def query(self, **request: Any) -> dict[str, Any]:
        """See Query."""
        return self._call("Query", request)

    def scan(self, **request: Any) -> dict[str, Any]:
        """See Scan."""
        return self._call("Scan", request)

    def tag_resource(self, **request: Any) -> dict[str, Any]:
        """See TagResource."""
        return self._call("TagResource", request)

    def transact_get_items(self, **request: Any) -> dict[str, Any]:
        """See TransactGetItems."""
        return self._call("TransactGetItems", request)

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        """See TransactWriteItems."""
        return self._call("TransactWriteItems", request)

    def untag_resource(self, **request: Any) -> dict[str, Any]:
        """See UntagResource."""
        return self._call("UntagResource", request)

    def update_continuous_backups(self, **request: Any) -> dict[str, Any]:
        """See UpdateContinuousBackups; nothing can be restored."""
        return self._call("UpdateContinuousBackups", request)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """See UpdateItem."""
        return self._call("UpdateItem", request)

    def update_table(self, **request: Any) -> dict[str, Any]:
        """See UpdateTable; an index is ready, or gone, at once."""
        return self._call("UpdateTable", request)

    def update_time_to_live(self, **request: Any) -> dict[str, Any]:
        """See UpdateTimeToLive; no item expires."""
        return self._call("UpdateTimeToLive", request)

    def get_waiter(self, waiter_name: str) -> Any:
        """Return the waiter `table_exists` or `table_not_exists`."""
        return TableWaiter(self, waiter_name)


class DynamoDBStreamsClient(_Client):
    """The calls of boto3's `dynamodbstreams` client; shapes and errors as in `DynamoDBClient`."""

    def describe_stream(self, **request: Any) -> dict[str, Any]:
        """See DescribeStream."""
        return self._call("DescribeStream", request)

    def get_records(self, **request: Any) -> dict[str, Any]:
        """See GetRecords."""
        return self._call("GetRecords", request)

    def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        """See GetShardIterator."""
        return self._call("GetShardIterator", request)

    def list_streams(self, **request: Any) -> dict[str, Any]:
        """See ListStreams."""
        return self._call("ListStreams", request)


class TableWaiter:
    """Looks whether a table is there, or not; once, since tables come and go at once.

    Args:
        client: The client to look with.
        name: `table_exists` or `table_not_exists`.
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        if name not in {"table_exists", "table_not_exists"}:
            raise ValueError(f"Waiter does not exist: {name}")
        self._client = client
        self.name = name

    def wait(self, **request: Any) -> None:
        """Return at once if it is so.

        Raises:
            WaiterError: It is not, and waiting would not change that.
        """
        request.pop("WaiterConfig", None)
        wanted = self.name == "table_exists"
        try:
            self._client.describe_table(**request)
            exists = True
        except self._client.exceptions.ResourceNotFoundException:
            exists = False
        if exists != wanted:
            raise WaiterError(name=self.name, reason="Max attempts exceeded", last_response={})

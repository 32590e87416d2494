"""The parameters of each call; others are refused before they reach the service, as botocore does.

Parameters that AWS calls legacy (`Expected`, `KeyConditions`, `AttributesToGet` …) are refused too.
"""

from collections.abc import Mapping

from botocore.exceptions import ParamValidationError

_CONDITIONAL = "ConditionExpression ExpressionAttributeNames ExpressionAttributeValues"
_WRITE = f"{_CONDITIONAL} ReturnValues ReturnConsumedCapacity ReturnItemCollectionMetrics"
_WRITE_FAILURE = f"{_WRITE} ReturnValuesOnConditionCheckFailure"
_READ = "ProjectionExpression ExpressionAttributeNames ReturnConsumedCapacity ConsistentRead"
_PAGE = f"{_READ} IndexName Select Limit ExclusiveStartKey FilterExpression ExpressionAttributeValues"
_TABLE = "BillingMode GlobalSecondaryIndexes LocalSecondaryIndexes ProvisionedThroughput StreamSpecification"
_TABLE_FURTHER = "SSESpecification Tags TableClass DeletionProtectionEnabled"

_PARAMETERS: Mapping[str, tuple[str, str]] = {  # operation: required, optional
    "BatchExecuteStatement": ("Statements", "ReturnConsumedCapacity"),
    "BatchGetItem": ("RequestItems", "ReturnConsumedCapacity"),
    "BatchWriteItem": ("RequestItems", "ReturnConsumedCapacity ReturnItemCollectionMetrics"),
    "CreateTable": ("TableName KeySchema AttributeDefinitions", f"{_TABLE} {_TABLE_FURTHER}"),
    "DeleteItem": ("TableName Key", _WRITE_FAILURE),
    "DeleteTable": ("TableName", ""),
    "DescribeStream": ("StreamArn", "Limit ExclusiveStartShardId ShardFilter"),
    "DescribeTable": ("TableName", ""),
    "GetItem": ("TableName Key", _READ),
    "GetRecords": ("ShardIterator", "Limit"),
    "GetShardIterator": ("StreamArn ShardId ShardIteratorType", "SequenceNumber"),
    "ListStreams": ("", "TableName Limit ExclusiveStartStreamArn"),
    "ListTables": ("", "ExclusiveStartTableName Limit"),
    "PutItem": ("TableName Item", _WRITE_FAILURE),
    "Query": ("TableName", f"{_PAGE} KeyConditionExpression ScanIndexForward"),
    "Scan": ("TableName", f"{_PAGE} Segment TotalSegments"),
    "TransactGetItems": ("TransactItems", "ReturnConsumedCapacity"),
    "TransactWriteItems": (
        "TransactItems",
        "ClientRequestToken ReturnConsumedCapacity ReturnItemCollectionMetrics",
    ),
    "UpdateItem": ("TableName Key", f"{_WRITE_FAILURE} UpdateExpression"),
    "UpdateTable": ("TableName", f"AttributeDefinitions {_TABLE} DeletionProtectionEnabled"),
}

_REQUIRED = {operation: frozenset(required.split()) for operation, (required, _) in _PARAMETERS.items()}
_ALLOWED = {
    operation: frozenset(f"{required} {optional}".split()) for operation, (required, optional) in _PARAMETERS.items()
}


def check_parameters(operation: str, request: Mapping[str, object]) -> None:
    """Refuse a call that lacks a parameter, or has one that it does not take.

    Raises:
        ParamValidationError: As botocore raises it.
    """
    given = request.keys()
    if _REQUIRED[operation] <= given <= _ALLOWED[operation]:
        return
    missing = [f'Missing required parameter in input: "{name}"' for name in sorted(_REQUIRED[operation] - given)]
    unknown = [f'Unknown parameter in input: "{name}"' for name in sorted(given - _ALLOWED[operation])]
    raise ParamValidationError(report="\n".join([*missing, *unknown]))

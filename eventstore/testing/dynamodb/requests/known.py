"""The members of every request that is carried out; what a request may have besides, and has no effect here, as well.

Source: AWS, DynamoDB and DynamoDB Streams API references. Of the parameters that AWS calls legacy, `AttributesToGet` is
taken where it can stand alone; the others (`Expected`, `KeyConditions`, `AttributeUpdates` …) are refused by name.
"""

from collections.abc import Mapping

from eventstore.testing.dynamodb.requests.shapes import (
    ANYTHING,
    FLAG,
    ITEM,
    TEXT,
    VALUE,
    WHOLE,
    ListOf,
    MapOf,
    Shape,
    Struct,
)

_TABLE: Mapping[str, Shape] = {"TableName": TEXT}
_NAMES: Mapping[str, Shape] = {"ExpressionAttributeNames": MapOf(TEXT)}
_VALUES: Mapping[str, Shape] = {"ExpressionAttributeValues": ITEM}
_CONDITIONAL: Mapping[str, Shape] = {"ConditionExpression": TEXT, **_NAMES, **_VALUES}
_ON_FAILURE: Mapping[str, Shape] = {"ReturnValuesOnConditionCheckFailure": TEXT}
_CONSUMED: Mapping[str, Shape] = {"ReturnConsumedCapacity": TEXT}
_METRICS: Mapping[str, Shape] = {**_CONSUMED, "ReturnItemCollectionMetrics": TEXT}
_WRITE: Mapping[str, Shape] = {**_CONDITIONAL, **_ON_FAILURE, **_METRICS, "ReturnValues": TEXT}
_PROJECTED: Mapping[str, Shape] = {"ProjectionExpression": TEXT, **_NAMES}
_ATTRIBUTES: Mapping[str, Shape] = {"AttributesToGet": ListOf(TEXT)}
_READ: Mapping[str, Shape] = {**_PROJECTED, **_CONSUMED, "ConsistentRead": FLAG}
_PAGE: Mapping[str, Shape] = {
    **_READ,
    **_VALUES,
    "IndexName": TEXT,
    "Select": TEXT,
    "Limit": WHOLE,
    "ExclusiveStartKey": ITEM,
    "FilterExpression": TEXT,
}
_LEGACY_WRITE = ("Expected", "ConditionalOperator")

_KEY_SCHEMA = ListOf(Struct({"AttributeName": TEXT, "KeyType": TEXT}))
_PROJECTION = Struct(optional={"ProjectionType": TEXT, "NonKeyAttributes": ListOf(TEXT)})
_THROUGHPUT = Struct({"ReadCapacityUnits": WHOLE, "WriteCapacityUnits": WHOLE})
_ON_DEMAND = Struct(optional={"MaxReadRequestUnits": WHOLE, "MaxWriteRequestUnits": WHOLE})
_INDEX: Mapping[str, Shape] = {"IndexName": TEXT, "KeySchema": _KEY_SCHEMA, "Projection": _PROJECTION}
_GLOBAL_INDEX = Struct(
    _INDEX, {"ProvisionedThroughput": _THROUGHPUT, "OnDemandThroughput": _ON_DEMAND, "WarmThroughput": ANYTHING}
)
_INDEX_UPDATE = Struct(
    optional={
        "Create": _GLOBAL_INDEX,
        "Delete": Struct({"IndexName": TEXT}),
        "Update": Struct(
            {"IndexName": TEXT},
            {"ProvisionedThroughput": _THROUGHPUT, "OnDemandThroughput": _ON_DEMAND, "WarmThroughput": ANYTHING},
        ),
    }
)
_DEFINITIONS = ListOf(Struct({"AttributeName": TEXT, "AttributeType": TEXT}))
_TAGS = ListOf(Struct({"Key": TEXT, "Value": TEXT}))
_TABLE_SETTINGS: Mapping[str, Shape] = {
    "BillingMode": TEXT,
    "ProvisionedThroughput": _THROUGHPUT,
    "OnDemandThroughput": _ON_DEMAND,
    "StreamSpecification": Struct({"StreamEnabled": FLAG}, {"StreamViewType": TEXT}),
    "SSESpecification": Struct(optional={"Enabled": FLAG, "SSEType": TEXT, "KMSMasterKeyId": TEXT}),
    "TableClass": TEXT,
    "DeletionProtectionEnabled": FLAG,
    "WarmThroughput": ANYTHING,
}
_STATEMENT = Struct({"Statement": TEXT}, {"Parameters": ListOf(VALUE), "ConsistentRead": FLAG, **_ON_FAILURE})

REQUESTS: Mapping[str, Struct] = {
    "BatchExecuteStatement": Struct({"Statements": ListOf(_STATEMENT)}, _CONSUMED),
    "BatchGetItem": Struct(
        {"RequestItems": MapOf(Struct({"Keys": ListOf(ITEM)}, {**_PROJECTED, **_ATTRIBUTES, "ConsistentRead": FLAG}))},
        _CONSUMED,
    ),
    "BatchWriteItem": Struct(
        {
            "RequestItems": MapOf(
                ListOf(Struct(optional={"PutRequest": Struct({"Item": ITEM}), "DeleteRequest": Struct({"Key": ITEM})}))
            )
        },
        _METRICS,
    ),
    "CreateTable": Struct(
        {**_TABLE, "KeySchema": _KEY_SCHEMA, "AttributeDefinitions": _DEFINITIONS},
        {
            **_TABLE_SETTINGS,
            "GlobalSecondaryIndexes": ListOf(_GLOBAL_INDEX),
            "LocalSecondaryIndexes": ListOf(Struct(_INDEX)),
            "Tags": _TAGS,
            "ResourcePolicy": TEXT,
        },
        ("GlobalTableSettingsReplicationMode", "GlobalTableSourceArn", "VectorIndexes"),
    ),
    "DeleteItem": Struct({**_TABLE, "Key": ITEM}, _WRITE, _LEGACY_WRITE),
    "DeleteTable": Struct(_TABLE),
    "DescribeContinuousBackups": Struct(_TABLE),
    "DescribeLimits": Struct(),
    "DescribeStream": Struct(
        {"StreamArn": TEXT},
        {
            "Limit": WHOLE,
            "ExclusiveStartShardId": TEXT,
            "ShardFilter": Struct(optional={"Type": TEXT, "ShardId": TEXT}),
        },
    ),
    "DescribeTable": Struct(_TABLE),
    "DescribeTimeToLive": Struct(_TABLE),
    "GetItem": Struct({**_TABLE, "Key": ITEM}, {**_READ, **_ATTRIBUTES}),
    "GetRecords": Struct({"ShardIterator": TEXT}, {"Limit": WHOLE}),
    "GetShardIterator": Struct(
        {"StreamArn": TEXT, "ShardId": TEXT, "ShardIteratorType": TEXT}, {"SequenceNumber": TEXT}, ("Timestamp",)
    ),
    "ListStreams": Struct(optional={**_TABLE, "Limit": WHOLE, "ExclusiveStartStreamArn": TEXT}),
    "ListTables": Struct(optional={"ExclusiveStartTableName": TEXT, "Limit": WHOLE}),
    "ListTagsOfResource": Struct({"ResourceArn": TEXT}, {"NextToken": TEXT}),
    "PutItem": Struct({**_TABLE, "Item": ITEM}, _WRITE, _LEGACY_WRITE),
    "Query": Struct(
        _TABLE,
        {**_PAGE, "KeyConditionExpression": TEXT, "ScanIndexForward": FLAG},
        ("AttributesToGet", "KeyConditions", "QueryFilter", "ConditionalOperator"),
    ),
    "Scan": Struct(
        _TABLE,
        {**_PAGE, **_ATTRIBUTES, "Segment": WHOLE, "TotalSegments": WHOLE},
        ("ScanFilter", "ConditionalOperator"),
    ),
    "TagResource": Struct({"ResourceArn": TEXT, "Tags": _TAGS}),
    "TransactGetItems": Struct(
        {"TransactItems": ListOf(Struct({"Get": Struct({**_TABLE, "Key": ITEM}, _PROJECTED)}))}, _CONSUMED
    ),
    "TransactWriteItems": Struct(
        {
            "TransactItems": ListOf(
                Struct(
                    optional={
                        "ConditionCheck": Struct(
                            {**_TABLE, "Key": ITEM, "ConditionExpression": TEXT}, {**_NAMES, **_VALUES, **_ON_FAILURE}
                        ),
                        "Put": Struct({**_TABLE, "Item": ITEM}, {**_CONDITIONAL, **_ON_FAILURE}),
                        "Delete": Struct({**_TABLE, "Key": ITEM}, {**_CONDITIONAL, **_ON_FAILURE}),
                        "Update": Struct(
                            {**_TABLE, "Key": ITEM, "UpdateExpression": TEXT}, {**_CONDITIONAL, **_ON_FAILURE}
                        ),
                    }
                )
            )
        },
        {**_METRICS, "ClientRequestToken": TEXT},
    ),
    "UntagResource": Struct({"ResourceArn": TEXT, "TagKeys": ListOf(TEXT)}),
    "UpdateContinuousBackups": Struct(
        {
            **_TABLE,
            "PointInTimeRecoverySpecification": Struct(
                {"PointInTimeRecoveryEnabled": FLAG}, {"RecoveryPeriodInDays": WHOLE}
            ),
        }
    ),
    "UpdateItem": Struct(
        {**_TABLE, "Key": ITEM}, {**_WRITE, "UpdateExpression": TEXT}, ("AttributeUpdates", *_LEGACY_WRITE)
    ),
    "UpdateTable": Struct(
        _TABLE,
        {
            **_TABLE_SETTINGS,
            "AttributeDefinitions": _DEFINITIONS,
            "GlobalSecondaryIndexUpdates": ListOf(_INDEX_UPDATE),
        },
        (
            "DisassociationProtectionEnabled",
            "GlobalTableSettingsReplicationMode",
            "GlobalTableWitnessUpdates",
            "MultiRegionConsistency",
            "ReplicaUpdates",
            "VectorIndexUpdates",
        ),
    ),
    "UpdateTimeToLive": Struct({**_TABLE, "TimeToLiveSpecification": Struct({"Enabled": FLAG, "AttributeName": TEXT})}),
}
"""By the operation's name on the wire."""

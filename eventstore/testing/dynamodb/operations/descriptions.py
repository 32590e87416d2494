"""Describes a table and its indexes, as CreateTable, DescribeTable and UpdateTable answer."""

from collections.abc import Mapping
from typing import Any

from eventstore.testing.dynamodb.engine import moment
from eventstore.testing.dynamodb.operations.definitions import PAY_PER_REQUEST
from eventstore.testing.dynamodb.storage.index import SecondaryIndex
from eventstore.testing.dynamodb.table import Table

Reply = dict[str, Any]


def describe(table: Table) -> Reply:
    """Return the description of a table; it is ready, and so are its indexes."""
    settings = table.settings
    description: Reply = {
        "TableName": table.name,
        "TableArn": table.arn,
        "TableId": table.table_id,
        "TableStatus": "ACTIVE",
        "CreationDateTime": moment(table.created_ms),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in table.types.items()],
        "KeySchema": [dict(entry) for entry in table.key_schema],
        "ItemCount": table.rows.count,
        "TableSizeBytes": table.rows.size_bytes,
        "ProvisionedThroughput": _throughput(settings.get("ProvisionedThroughput")),
        "DeletionProtectionEnabled": settings["DeletionProtectionEnabled"],
    }
    if settings["BillingMode"] == PAY_PER_REQUEST:
        description["BillingModeSummary"] = {"BillingMode": PAY_PER_REQUEST}
    if "TableClass" in settings:
        description["TableClassSummary"] = {"TableClass": settings["TableClass"]}
    if "OnDemandThroughput" in settings:
        description["OnDemandThroughput"] = dict(settings["OnDemandThroughput"])
    if settings.get("SSESpecification", {}).get("Enabled"):
        description["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS"}
    local = [_describe_index(table, index) for index in table.indexes.values() if index.is_local]
    of_all = [_describe_global(table, index) for index in table.indexes.values() if not index.is_local]
    if local:
        description["LocalSecondaryIndexes"] = local
    if of_all:
        description["GlobalSecondaryIndexes"] = of_all
    if table.feed is not None:
        description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": table.feed.view_type}
    latest = table.latest_feed
    if latest is not None:
        description |= {"LatestStreamArn": latest.arn, "LatestStreamLabel": latest.label}
    return description


def _throughput(said: Mapping[str, int] | None) -> Reply:
    units = said or {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    return {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": units["ReadCapacityUnits"],
        "WriteCapacityUnits": units["WriteCapacityUnits"],
    }


def _describe_index(table: Table, index: SecondaryIndex) -> Reply:
    return {
        "IndexName": index.name,
        "IndexArn": f"{table.arn}/index/{index.name}",
        "KeySchema": [dict(entry) for entry in index.definition["KeySchema"]],
        "Projection": dict(index.definition["Projection"]),
        "ItemCount": index.rows.count,
        "IndexSizeBytes": index.rows.size_bytes,
    }


def _describe_global(table: Table, index: SecondaryIndex) -> Reply:
    description = {**_describe_index(table, index), "IndexStatus": "ACTIVE"}
    throughput = index.definition.get("ProvisionedThroughput")
    if throughput is not None:
        description["ProvisionedThroughput"] = _throughput(throughput)
    return description

"""CreateTable, DeleteTable, DescribeTable, ListTables and UpdateTable. Tables are ready at once."""

import re
from collections.abc import Mapping
from typing import Any

from eventstore.testing.dynamodb.engine import Engine, moment
from eventstore.testing.dynamodb.errors import resource_in_use, validation
from eventstore.testing.dynamodb.feed.feed import VIEW_TYPES
from eventstore.testing.dynamodb.storage.index import SecondaryIndex
from eventstore.testing.dynamodb.storage.schema import KEY_TYPES, KeySchema, read_key_schema
from eventstore.testing.dynamodb.table import Table

INDEXES_MAX = 20
LIST_MAX = 100

_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}\Z")
_INVALID = "One or more parameter values were invalid"

Request = Mapping[str, Any]
Reply = dict[str, Any]


def _check_name(name: str) -> str:
    if _NAME.match(name) is None:
        raise validation(
            "Invalid table/index name. Table/index names must be between 3 and 255 characters long, and may contain"
            " only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
        )
    return name


def create_table(engine: Engine, request: Request) -> Reply:
    """Carry out CreateTable."""
    name = _check_name(request["TableName"])
    if "LocalSecondaryIndexes" in request:
        raise validation("The in-memory DynamoDB has no local secondary indexes")
    types = {entry["AttributeName"]: entry["AttributeType"] for entry in request["AttributeDefinitions"]}
    if not set(types.values()) <= KEY_TYPES:
        raise validation(f"{_INVALID}: AttributeType of a key attribute is S, N or B")
    schema = read_key_schema(request["KeySchema"], types)
    _check_billing(request)
    indexes = _read_indexes(request.get("GlobalSecondaryIndexes"), schema, types)
    used = {name for one in (schema, *(index.schema for index in indexes.values())) for name in one.names}
    if used != set(types):
        detail = (
            f"Number of attributes in KeySchema does not exactly match number of attributes defined: {sorted(types)}"
        )
        raise validation(f"{_INVALID}: {detail}")
    view_type = _read_view_type(request.get("StreamSpecification"))
    if name in engine.tables:
        raise resource_in_use(f"Table already exists: {name}")
    definition = {
        "AttributeDefinitions": request["AttributeDefinitions"],
        "KeySchema": request["KeySchema"],
        "BillingMode": request.get("BillingMode", "PROVISIONED"),
        "ProvisionedThroughput": request.get("ProvisionedThroughput", {}),
        "DeletionProtectionEnabled": request.get("DeletionProtectionEnabled", False),
    }
    table = Table(
        name=name,
        arn=engine.table_arn(name),
        schema=schema,
        indexes=indexes,
        definition=definition,
        created_ms=engine.now_ms(),
        table_id=engine.next_table_id(),
    )
    engine.tables[name] = table
    if view_type is not None:
        engine.open_feed(table, view_type)
    return {"TableDescription": _describe(table)}


def _check_billing(request: Request) -> None:
    mode = request.get("BillingMode", "PROVISIONED")
    if mode not in {"PROVISIONED", "PAY_PER_REQUEST"}:
        raise validation(f"Value '{mode}' at 'billingMode' failed to satisfy constraint")
    if mode == "PROVISIONED" and "ProvisionedThroughput" not in request:
        detail = "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        raise validation(f"{_INVALID}: {detail}")
    if mode == "PAY_PER_REQUEST" and "ProvisionedThroughput" in request:
        detail = "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        raise validation(f"{_INVALID}: {detail}")


def _read_indexes(
    definitions: list[Mapping[str, Any]] | None, table_schema: KeySchema, types: Mapping[str, str]
) -> dict[str, SecondaryIndex]:
    if definitions is None:
        return {}
    if not 1 <= len(definitions) <= INDEXES_MAX:
        raise validation(f"{_INVALID}: List of GlobalSecondaryIndexes has 1 to {INDEXES_MAX} members")
    indexes: dict[str, SecondaryIndex] = {}
    for definition in definitions:
        name = _check_name(definition["IndexName"])
        if name in indexes:
            raise validation(f"{_INVALID}: Duplicate index name: {name}")
        schema = read_key_schema(definition["KeySchema"], types)
        indexes[name] = SecondaryIndex(
            name, schema, table_schema, _read_projection(definition["Projection"]), definition
        )
    return indexes


def _read_projection(projection: Mapping[str, Any]) -> frozenset[str] | None:
    kind = projection.get("ProjectionType")
    further = projection.get("NonKeyAttributes")
    if kind not in {"ALL", "KEYS_ONLY", "INCLUDE"}:
        raise validation(f"{_INVALID}: Unknown ProjectionType: {kind}")
    if (kind == "INCLUDE") != bool(further):
        raise validation(f"{_INVALID}: ProjectionType is {kind}, and NonKeyAttributes go with INCLUDE")
    return None if kind == "ALL" else frozenset(further or ())


def _read_view_type(specification: Mapping[str, Any] | None) -> str | None:
    if specification is None or not specification.get("StreamEnabled"):
        return None
    view_type: str | None = specification.get("StreamViewType")
    if view_type not in VIEW_TYPES:
        raise validation(f"{_INVALID}: StreamViewType is one of {', '.join(sorted(VIEW_TYPES))}")
    return view_type


def delete_table(engine: Engine, request: Request) -> Reply:
    """Carry out DeleteTable."""
    table = engine.table(request["TableName"])
    if table.definition["DeletionProtectionEnabled"]:
        raise validation(
            "Resource cannot be deleted as it is currently protected against deletion."
            " Disable deletion protection first."
        )
    description = _describe(table)
    engine.close_feed(table)
    del engine.tables[table.name]
    return {"TableDescription": {**description, "TableStatus": "DELETING"}}


def describe_table(engine: Engine, request: Request) -> Reply:
    """Carry out DescribeTable."""
    return {"Table": _describe(engine.table(request["TableName"]))}


def list_tables(engine: Engine, request: Request) -> Reply:
    """Carry out ListTables."""
    limit = request.get("Limit", LIST_MAX)
    if not 1 <= limit <= LIST_MAX:
        raise validation(f"Value '{limit}' at 'limit' failed to satisfy constraint: between 1 and {LIST_MAX}")
    start = request.get("ExclusiveStartTableName", "")
    names = sorted(name for name in engine.tables if name > start)
    reply: Reply = {"TableNames": names[:limit]}
    if len(names) > limit:
        reply["LastEvaluatedTableName"] = names[limit - 1]
    return reply


def update_table(engine: Engine, request: Request) -> Reply:
    """Carry out UpdateTable, as far as it turns a feed on or off, or protection against deletion."""
    table = engine.table(request["TableName"])
    unsupported = request.keys() - {"TableName", "StreamSpecification", "DeletionProtectionEnabled"}
    if unsupported:
        raise validation(f"The in-memory DynamoDB cannot update {', '.join(sorted(unsupported))}")
    if "DeletionProtectionEnabled" in request:
        table.definition["DeletionProtectionEnabled"] = request["DeletionProtectionEnabled"]
    specification = request.get("StreamSpecification")
    if specification is not None:
        view_type = _read_view_type(specification)
        if view_type is None and table.feed is None:
            raise validation("Table has no stream to disable")
        if view_type is None:
            engine.close_feed(table)
        elif table.feed is not None:
            raise validation("Table already has an enabled stream")
        else:
            engine.open_feed(table, view_type)
    return {"TableDescription": _describe(table)}


def _describe(table: Table) -> Reply:
    definition = table.definition
    throughput = definition["ProvisionedThroughput"]
    description: Reply = {
        "TableName": table.name,
        "TableArn": table.arn,
        "TableId": table.table_id,
        "TableStatus": "ACTIVE",
        "CreationDateTime": moment(table.created_ms),
        "AttributeDefinitions": [dict(entry) for entry in definition["AttributeDefinitions"]],
        "KeySchema": [dict(entry) for entry in definition["KeySchema"]],
        "ItemCount": table.rows.count,
        "TableSizeBytes": table.rows.size_bytes,
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": throughput.get("ReadCapacityUnits", 0),
            "WriteCapacityUnits": throughput.get("WriteCapacityUnits", 0),
        },
        "DeletionProtectionEnabled": definition["DeletionProtectionEnabled"],
    }
    if definition["BillingMode"] == "PAY_PER_REQUEST":
        description["BillingModeSummary"] = {"BillingMode": "PAY_PER_REQUEST"}
    if table.indexes:
        description["GlobalSecondaryIndexes"] = [_describe_index(table, index) for index in table.indexes.values()]
    if table.feed is not None:
        description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": table.feed.view_type}
    latest = table.latest_feed
    if latest is not None:
        description |= {"LatestStreamArn": latest.arn, "LatestStreamLabel": latest.label}
    return description


def _describe_index(table: Table, index: SecondaryIndex) -> Reply:
    return {
        "IndexName": index.name,
        "IndexArn": f"{table.arn}/index/{index.name}",
        "IndexStatus": "ACTIVE",
        "KeySchema": [dict(entry) for entry in index.definition["KeySchema"]],
        "Projection": dict(index.definition["Projection"]),
        "ItemCount": index.rows.count,
        "IndexSizeBytes": index.rows.size_bytes,
    }

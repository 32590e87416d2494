"""CreateTable, DeleteTable, DescribeTable, ListTables and UpdateTable. Tables and indexes are ready at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.testing.dynamodb.engine import Engine
from eventstore.testing.dynamodb.errors import ServiceError, resource_in_use, validation
from eventstore.testing.dynamodb.operations import definitions
from eventstore.testing.dynamodb.operations.definitions import PAY_PER_REQUEST, PROVISIONED
from eventstore.testing.dynamodb.operations.descriptions import describe
from eventstore.testing.dynamodb.operations.tags import check_tags
from eventstore.testing.dynamodb.storage.schema import read_key_schema
from eventstore.testing.dynamodb.table import Table

LIST_MAX = 100

_SETTINGS = ("TableClass", "OnDemandThroughput", "SSESpecification", "DeletionProtectionEnabled")
"""What is kept and told as it was said, and has no effect here but the protection."""

Request = Mapping[str, Any]
Reply = dict[str, Any]


def create_table(engine: Engine, request: Request) -> Reply:
    """Carry out CreateTable."""
    name = definitions.check_name(request["TableName"])
    types = definitions.read_types(request["AttributeDefinitions"])
    schema = read_key_schema(request["KeySchema"], types)
    mode = request.get("BillingMode", PROVISIONED)
    throughput = request.get("ProvisionedThroughput")
    definitions.check_billing(mode, throughput, request.get("GlobalSecondaryIndexes") or ())
    indexes = definitions.read_indexes(request, schema, types)
    definitions.check_all_used(types, (schema, *(index.schema for index in indexes.values())))
    view_type = definitions.read_view_type(request.get("StreamSpecification"))
    tags = check_tags(request.get("Tags") or ())
    if name in engine.tables:
        raise resource_in_use(f"Table already exists: {name}")
    settings = {"DeletionProtectionEnabled": False, "BillingMode": mode, **_settings(request)}
    if throughput is not None:
        settings["ProvisionedThroughput"] = throughput
    table = Table(
        name=name,
        arn=engine.table_arn(name),
        schema=schema,
        key_schema=request["KeySchema"],
        types=types,
        indexes=indexes,
        settings=settings,
        created_ms=engine.now_ms(),
        table_id=engine.next_table_id(),
    )
    table.tags.update(tags)
    engine.tables[name] = table
    if view_type is not None:
        engine.open_feed(table, view_type)
    return {"TableDescription": describe(table)}


def _settings(request: Request) -> dict[str, Any]:
    return {name: request[name] for name in _SETTINGS if name in request}


def delete_table(engine: Engine, request: Request) -> Reply:
    """Carry out DeleteTable."""
    table = engine.table(request["TableName"])
    if table.settings["DeletionProtectionEnabled"]:
        raise validation(
            "Resource cannot be deleted as it is currently protected against deletion."
            " Disable deletion protection first."
        )
    description = describe(table)
    engine.close_feed(table)
    del engine.tables[table.name]
    return {"TableDescription": {**description, "TableStatus": "DELETING"}}


def describe_table(engine: Engine, request: Request) -> Reply:
    """Carry out DescribeTable."""
    return {"Table": describe(engine.table(request["TableName"]))}


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
    """Carry out UpdateTable; what is refused changes nothing."""
    table = engine.table(request["TableName"])
    changes = {name: said for name, said in request.items() if said not in ([], {})}.keys()
    if not changes - {"TableName", "AttributeDefinitions"}:
        raise validation("Nothing to update")
    index_updates = request.get("GlobalSecondaryIndexUpdates") or ()
    throughputs = _throughputs(table, index_updates)
    mode = request.get("BillingMode", table.settings["BillingMode"])
    _check_billing(table, request, mode, throughputs)
    specification = request.get("StreamSpecification")
    view_type = definitions.read_view_type(specification)
    if specification is not None and (view_type is None) == (table.feed is None):
        refused = "Table has no stream to disable" if view_type is None else "Table already has an enabled stream"
        raise validation(refused)
    _update_indexes(table, index_updates, request)

    table.settings.update({**_settings(request), "BillingMode": mode})
    if mode == PAY_PER_REQUEST:
        table.settings.pop("ProvisionedThroughput", None)
    elif "ProvisionedThroughput" in request:
        table.settings["ProvisionedThroughput"] = request["ProvisionedThroughput"]
    for name, throughput in throughputs.items():
        table.indexes[name].definition["ProvisionedThroughput"] = throughput
    if specification is not None and view_type is None:
        engine.close_feed(table)
    elif view_type is not None:
        engine.open_feed(table, view_type)
    return {"TableDescription": describe(table)}


def _throughputs(table: Table, updates: Sequence[Request]) -> dict[str, Request]:
    """Return the throughputs that indexes are to have."""
    throughputs: dict[str, Request] = {}
    for update in updates:
        if len(update) != 1:
            raise validation("A member of GlobalSecondaryIndexUpdates is one of Create, Update and Delete")
        change = update.get("Update")
        if change is None:
            continue
        _check_there(table, change["IndexName"])
        if "ProvisionedThroughput" in change:
            throughputs[change["IndexName"]] = change["ProvisionedThroughput"]
    return throughputs


def _check_there(table: Table, name: str) -> None:
    found = table.indexes.get(name)
    if found is None or found.is_local:
        message = f"Requested resource not found: Index: {name} of table: {table.name} not found"
        raise ServiceError("ResourceNotFoundException", message)


def _check_billing(table: Table, request: Request, mode: str, throughputs: Mapping[str, Request]) -> None:
    if "BillingMode" not in request and "ProvisionedThroughput" not in request and not throughputs:
        return
    throughput = request.get("ProvisionedThroughput")
    if mode == PROVISIONED and throughput is None:
        throughput = table.settings.get("ProvisionedThroughput")
    indexes = [
        {
            "IndexName": index.name,
            "ProvisionedThroughput": throughputs.get(index.name) or index.definition.get("ProvisionedThroughput"),
        }
        for index in table.indexes.values()
        if not index.is_local
    ]
    definitions.check_billing(mode, throughput, indexes)


def _update_indexes(table: Table, updates: Sequence[Request], request: Request) -> None:
    """Make or delete one index."""
    changes = [update for update in updates if "Update" not in update]
    if len(changes) > 1:
        message = "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
        raise ServiceError("LimitExceededException", message)
    for change in changes:
        if "Delete" in change:
            _check_there(table, change["Delete"]["IndexName"])
            table.remove_index(change["Delete"]["IndexName"])
        else:
            _create_index(table, change["Create"], request.get("AttributeDefinitions") or ())


def _create_index(table: Table, definition: Request, attributes: Sequence[Mapping[str, str]]) -> None:
    types = definitions.read_types(attributes)
    for name, kind in types.items():
        if table.types.get(name, kind) != kind:
            detail = f"{name} is defined already, with the type {table.types[name]}"
            raise validation(f"One or more parameter values were invalid: {detail}")
    if definition["IndexName"] in table.indexes:
        raise validation(f"Attempting to create an index which already exists: {definition['IndexName']}")
    if sum(not index.is_local for index in table.indexes.values()) >= definitions.GLOBAL_INDEXES_MAX:
        raise ServiceError("LimitExceededException", f"A table has {definitions.GLOBAL_INDEXES_MAX} global indexes")
    if table.settings["BillingMode"] == PROVISIONED:
        definitions.check_billing(PROVISIONED, table.settings["ProvisionedThroughput"], [definition])
    table.add_index(definitions.read_index(definition, table.schema, types), types)

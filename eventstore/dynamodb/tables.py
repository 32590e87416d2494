"""Key schemas as `infra/tables.yaml` says, and the tables made from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from eventstore import checks
from eventstore.backoff import Backoff
from eventstore.dynamodb import provisioning, replies, store_record
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.provisioning import Protection, Provisioner
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import TableLayoutError, TableMissingError, UnreachableError
from eventstore.ports import DynamoClient, Runtime
from eventstore.system import SystemRuntime

_BACKOFF = Backoff(attempts_max=4)
"""A person waits for the answer."""

_CREATE_KEYS = ("TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")


@dataclass(frozen=True, slots=True)
class InitResult:
    """What `init` did.

    Attributes:
        created: Tables that were absent and are there now.
        existing: Tables that were there with the right layout.
        record: What is in force for the store.
        unprotected: Tables without point-in-time recovery since the server has none, as DynamoDB Local.
    """

    created: tuple[str, ...]
    existing: tuple[str, ...]
    record: store_record.StoreRecord
    unprotected: tuple[str, ...] = ()


def load_template() -> dict[str, Any]:
    """Return the CloudFormation template that the package carries."""
    packaged = resources.files("eventstore") / "_infra" / "tables.yaml"
    if packaged.is_file():
        return _parse(packaged.read_text("utf-8"))
    checkout = Path(__file__).parents[2] / "infra" / "tables.yaml"
    return _parse(checkout.read_text("utf-8"))


def _parse(text: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - a store that only appends and reads has no use for it

    template: dict[str, Any] = yaml.safe_load(text)
    return template


def create_requests(template: Mapping[str, Any], tables: TableNames) -> list[dict[str, Any]]:
    """Return the arguments of CreateTable for every table of a template."""
    requests = []
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        properties = resource["Properties"]
        request = {key: properties[key] for key in _CREATE_KEYS if key in properties}
        request["TableName"] = _name(properties, tables)
        if "StreamSpecification" in properties:
            request["StreamSpecification"] = {"StreamEnabled": True, **properties["StreamSpecification"]}
        requests.append(request)
    return requests


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each way in which a table is not what its request wants."""
    sentences = []
    if _keys(wanted) != _keys(found):
        sentences.append(f"its key is ({_keys(found)}), not ({_keys(wanted)})")
    indexes = {index["IndexName"]: _keys(index, found) for index in found.get("GlobalSecondaryIndexes") or []}
    for index in wanted.get("GlobalSecondaryIndexes", []):
        name, keys = index["IndexName"], _keys(index, wanted)
        if name in indexes and indexes[name] != keys:
            sentences.append(f"its index {name} has the key ({indexes[name]}), not ({keys})")
    return sentences


def stream_differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return a sentence if a table's stream is not what its request wants; whoever reads rows alone can do without."""
    if "StreamSpecification" not in wanted:
        return []
    stream = found.get("StreamSpecification") or {}
    view = wanted["StreamSpecification"]["StreamViewType"]
    if stream.get("StreamEnabled") and stream.get("StreamViewType") == view:
        return []
    return [f"its stream is {stream.get('StreamViewType', 'off')}, not {view}: switch it on with that view"]


def protections(template: Mapping[str, Any], tables: TableNames) -> dict[str, Protection]:
    """Return what protects each table of a template, by its name."""
    found = {}
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            properties = resource["Properties"]
            recovery = properties.get("PointInTimeRecoverySpecification", {})
            found[_name(properties, tables)] = Protection(
                from_deletion=properties.get("DeletionProtectionEnabled", False),
                by_recovery=recovery.get("PointInTimeRecoveryEnabled", False),
            )
    return found


def init(
    client: DynamoClient,
    tables: TableNames | None = None,
    runtime: Runtime | None = None,
    *,
    index_shards: int = store_record.INDEX_SHARDS_DEFAULT,
    protect: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> InitResult:
    """Create the tables that are absent and check the ones that are there; safe to repeat, and safe beside another.

    All tables are looked at before the first is created, so a wrong layout leaves nothing half made. Tables that
    somebody else is just creating are waited for, and those that are being deleted are waited out and made anew.

    Tables of a new store, and those that were absent, get what the template says: protection against deletion and
    point-in-time recovery, all but the snapshots. A store that is set up is left as its operators have it.

    Args:
        client: The DynamoDB client.
        tables: Names of the tables; `inventory_…` when left out.
        runtime: Clock and waiting; the machine's own when left out.
        index_shards: Write shards of each index key, 1 to 64, for a store that is new.
        protect: False for tables that are thrown away again, as those of tests.
        progress: Told each table's name before it is created.

    Raises:
        InvalidInputError: `index_shards` is out of its bounds. Nothing was sent.
        TableLayoutError: A table exists with another layout. Nothing was created.
        UnreachableError: DynamoDB did not answer, or a table was not ready within a minute: run it again.
        AccessDeniedError: The credentials may not do this.
    """
    checks.check_count(index_shards, "index_shards", 1, store_record.INDEX_SHARDS_MAX)
    tables = tables or TableNames()
    runtime = runtime or SystemRuntime()
    replies.watch(client)
    template = load_template()
    wanted = protections(template, tables) if protect else {}
    requests = [_protected(request, wanted) for request in create_requests(template, tables)]
    caller = Caller(client, runtime, _BACKOFF)
    provisioner = Provisioner(caller)
    found = {request["TableName"]: _checked(provisioner, request) for request in requests}
    missing = [request for request in requests if found[request["TableName"]] is None]
    for request in missing:
        progress(request["TableName"])
        provisioner.create(request)
    young = [request for request in requests if not _is_there(found[request["TableName"]])]
    for request in young:
        made = provisioner.await_ready(request)
        _raise_unless_alike(request, made)  # somebody else may have made it
        found[request["TableName"]] = made
    fresh = {request["TableName"] for request in (requests if _is_new(caller, tables) else young)}
    unprotected = [
        name
        for name, table in found.items()
        if name in fresh & wanted.keys() and not _protect(provisioner, table, wanted)
    ]
    store_record.create(caller, tables, store_record.StoreRecord(index_shards=index_shards))
    created = tuple(request["TableName"] for request in missing)
    existing = tuple(request["TableName"] for request in requests if request["TableName"] not in created)
    record = store_record.load(caller, tables)
    return InitResult(created, existing, record, tuple(unprotected))


def check(client: DynamoClient, tables: TableNames, runtime: Runtime | None = None) -> None:
    """Check that all tables are there with the layout of the template.

    The outbox's stream is not looked at: without one the relay's sweep delivers, and the relay says what is wrong.

    Raises:
        TableMissingError: One is absent, or is being deleted.
        TableLayoutError: One has another layout.
        UnreachableError: DynamoDB did not answer, or a table is just being created: try again.
    """
    replies.watch(client)
    provisioner = Provisioner(Caller(client, runtime or SystemRuntime(), _BACKOFF))
    for request in create_requests(load_template(), tables):
        table = _found(provisioner, request)
        if table is None:
            raise TableMissingError(request["TableName"])
        _raise_if(request, differences(request, table))
        if not provisioning.is_ready(table):
            raise UnreachableError(f"table {request['TableName']!r} is {table['TableStatus']}: try again in a moment")


def _checked(provisioner: Provisioner, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a table that is there or coming; None when there is none, or soon will be none."""
    table = _found(provisioner, request)
    if table is not None:
        _raise_unless_alike(request, table)
    return table


def _found(provisioner: Provisioner, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    table = provisioner.describe(request["TableName"])
    return None if table is None or provisioning.is_going(table) else table


def _raise_unless_alike(request: Mapping[str, Any], table: Mapping[str, Any]) -> None:
    _raise_if(request, [*differences(request, table), *stream_differences(request, table)])


def _raise_if(request: Mapping[str, Any], wrong: list[str]) -> None:
    if wrong:
        raise TableLayoutError(request["TableName"], wrong)


def _is_there(table: Mapping[str, Any] | None) -> bool:
    return table is not None and provisioning.is_ready(table)


def _is_new(caller: Caller, tables: TableNames) -> bool:
    """Tell whether no `init` has come to its end here."""
    try:
        store_record.load(caller, tables)
    except TableMissingError:
        return True
    return False


def _protected(request: dict[str, Any], wanted: Mapping[str, Protection]) -> dict[str, Any]:
    protection = wanted.get(request["TableName"])
    if protection is None or not protection.from_deletion:
        return request
    return {**request, "DeletionProtectionEnabled": True}


def _protect(provisioner: Provisioner, table: Mapping[str, Any] | None, wanted: Mapping[str, Protection]) -> bool:
    assert table is not None, "all tables are there by now"
    return provisioner.protect(table, wanted[table["TableName"]])


def _name(properties: Mapping[str, Any], tables: TableNames) -> str:
    name: str = properties["TableName"]["Fn::Sub"]
    return name.replace("${TablePrefix}", tables.prefix)


def _keys(schema: Mapping[str, Any], table: Mapping[str, Any] | None = None) -> str:
    """Return a key schema as text, `aggregateId S, sequenceNumber N`."""
    kinds = {
        definition["AttributeName"]: definition["AttributeType"]
        for definition in (table or schema).get("AttributeDefinitions", [])
    }
    return ", ".join(f"{key['AttributeName']} {kinds.get(key['AttributeName'], '?')}" for key in schema["KeySchema"])

"""Key schemas as `infra/tables.yaml` says, and the tables made from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from eventstore.backoff import Backoff, Deadline, pause
from eventstore.dynamodb import replies, store_record
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import (
    InvalidInputError,
    RequestRefusedError,
    TableLayoutError,
    TableMissingError,
    UnreachableError,
)
from eventstore.ports import DynamoClient, Runtime
from eventstore.system import SystemRuntime

READY_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.2
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
    """

    created: tuple[str, ...]
    existing: tuple[str, ...]
    record: store_record.StoreRecord


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
        request["TableName"] = properties["TableName"]["Fn::Sub"].replace("${TablePrefix}", tables.prefix)
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
    if "StreamSpecification" in wanted:
        stream = found.get("StreamSpecification") or {}
        view = wanted["StreamSpecification"]["StreamViewType"]
        if not stream.get("StreamEnabled") or stream.get("StreamViewType") != view:
            sentences.append(
                f"its stream is {stream.get('StreamViewType', 'off')}, not {view}: switch it on with that view"
            )
    return sentences


def init(
    client: DynamoClient,
    tables: TableNames | None = None,
    runtime: Runtime | None = None,
    *,
    index_shards: int = store_record.INDEX_SHARDS_DEFAULT,
    progress: Callable[[str], None] = lambda _: None,
) -> InitResult:
    """Create the tables that are absent and check the ones that are there; safe to repeat, and safe beside another.

    All tables are looked at before the first is created, so a wrong layout leaves nothing half made.

    Args:
        client: The DynamoDB client.
        tables: Names of the tables; `inventory_…` when left out.
        runtime: Clock and waiting; the machine's own when left out.
        index_shards: Write shards of each index key, 1 to 64, for a store that is new.
        progress: Told each table's name before it is created.

    Raises:
        InvalidInputError: `index_shards` is out of its bounds. Nothing was sent.
        TableLayoutError: A table exists with another layout. Nothing was created.
        UnreachableError: DynamoDB did not answer.
        AccessDeniedError: The credentials may not do this.
    """
    if not 1 <= index_shards <= 64:  # noqa: PLR2004 - said in the docstring
        raise InvalidInputError("index_shards", f"is {index_shards}, not 1 to 64")
    tables = tables or TableNames()
    runtime = runtime or SystemRuntime()
    replies.watch(client)
    requests = create_requests(load_template(), tables)
    caller = Caller(client, runtime, _BACKOFF)
    missing = [request for request in requests if not _check(caller, request)]
    for request in missing:
        progress(request["TableName"])
        _create(caller, request)
    for request in missing:
        _await_active(caller, request["TableName"])
    store_record.create(caller, tables, store_record.StoreRecord(index_shards=index_shards))
    created = tuple(request["TableName"] for request in missing)
    existing = tuple(request["TableName"] for request in requests if request["TableName"] not in created)
    record = store_record.load(caller, tables)
    return InitResult(created, existing, record)


def check(client: DynamoClient, tables: TableNames, runtime: Runtime | None = None) -> None:
    """Check that all tables are there with the layout of the template.

    Raises:
        TableMissingError: One is absent.
        TableLayoutError: One has another layout.
        UnreachableError: DynamoDB did not answer.
    """
    replies.watch(client)
    caller = Caller(client, runtime or SystemRuntime(), _BACKOFF)
    for request in create_requests(load_template(), tables):
        if not _check(caller, request):
            raise TableMissingError(request["TableName"])


def _check(caller: Caller, request: Mapping[str, Any]) -> bool:
    """Tell whether the table is there; raise when it is there with another layout."""
    name = request["TableName"]
    try:
        found = caller.read(caller.client.describe_table, needs="Table", TableName=name)["Table"]
    except TableMissingError:
        return False
    wrong = differences(request, found)
    if wrong:
        raise TableLayoutError(name, wrong)
    return True


def _create(caller: Caller, request: Mapping[str, Any]) -> None:
    what = f"the creation of table {request['TableName']!r}"
    try:
        caller.write(caller.client.create_table, what=what, is_repeatable=True, **request)
    except RequestRefusedError as error:
        if error.code != "ResourceInUseException":  # somebody else is creating it at this moment, which is as good
            raise


def _await_active(caller: Caller, name: str) -> None:
    deadline = Deadline(caller.runtime, READY_TIMEOUT_SECONDS)
    waiting = caller.until(deadline)
    while True:  # until the deadline
        table = waiting.read(caller.client.describe_table, needs="Table", TableName=name)["Table"]
        if table["TableStatus"] == "ACTIVE":
            return
        if not pause(caller.runtime, _POLL_SECONDS, deadline):
            raise UnreachableError(f"table {name!r} was not active after {READY_TIMEOUT_SECONDS:.0f} s")


def _keys(schema: Mapping[str, Any], table: Mapping[str, Any] | None = None) -> str:
    """Return a key schema as text, `aggregateId S, sequenceNumber N`."""
    kinds = {
        definition["AttributeName"]: definition["AttributeType"]
        for definition in (table or schema).get("AttributeDefinitions", [])
    }
    return ", ".join(f"{key['AttributeName']} {kinds.get(key['AttributeName'], '?')}" for key in schema["KeySchema"])

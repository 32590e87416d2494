"""DynamoDB on AWS for the contract tests: an account that others use too, so each test names its tables again.

`CONTRACT_AWS_REGION` turns it on; credentials are boto3's own affair. The tests say `things`, AWS hears
`contract-1f0c2d3e-things`, and what is not named like that is neither seen nor touched.
"""

import os
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config

REGION_VARIABLE = "CONTRACT_AWS_REGION"
CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 4, "mode": "standard"})

_NAMES = frozenset({"TableName", "ExclusiveStartTableName", "LastEvaluatedTableName"})
_BY_NAME = frozenset(
    {"RequestItems", "Responses", "UnprocessedItems", "UnprocessedKeys", "ItemCollectionMetrics"},
)
"""Members that are maps by table name; `Responses` of TransactGetItems and BatchExecuteStatement is a list."""
_STATEMENT_TABLE = re.compile(r'(?<=FROM ")[^"]+|(?<=UPDATE ")[^"]+')


def region() -> str | None:
    """Return the region to test against; None for not at all."""
    return os.environ.get(REGION_VARIABLE) or None


def new_prefix() -> str:
    """Return the beginning of the names of one test's tables."""
    return f"contract-{uuid.uuid4().hex[:8]}-"


def connect(service: str, region_name: str, prefix: str, endpoint_url: str | None = None) -> Any:
    """Return a client that sees the tables of one prefix, by their names without it."""
    client: Any = boto3.client(  # type: ignore[call-overload]
        service,
        region_name=region_name,
        endpoint_url=endpoint_url,
        config=CONFIG.merge(Config(parameter_validation=False)),
    )

    def outward(params: Mapping[str, Any], **_: Any) -> Any:
        return renamed(params, lambda name: name if name.startswith("arn:") else prefix + name)

    def inward(parsed: dict[str, Any], **_: Any) -> None:
        if "TableNames" in parsed:
            parsed["TableNames"] = [name.removeprefix(prefix) for name in parsed["TableNames"] if prefix in name]
        parsed.update(renamed(parsed, lambda name: name.removeprefix(prefix)))

    client.meta.events.register("provide-client-params.*", outward)
    client.meta.events.register("after-call.*", inward)
    return client


def renamed(message: Mapping[str, Any], rename: Callable[[str], str]) -> dict[str, Any]:
    """Return a request or reply with other names of tables; items are left as they are."""
    changed: dict[str, Any] = {}
    for member, value in message.items():
        if member in _NAMES and isinstance(value, str):
            changed[member] = rename(value)
        elif member in _BY_NAME and isinstance(value, Mapping):
            changed[member] = {rename(name): each for name, each in value.items()}
        elif member in {"Table", "TableDescription"}:
            changed[member] = renamed(value, rename)
        elif member in {"TransactItems", "ConsumedCapacity", "Streams"} and isinstance(value, list):
            changed[member] = [
                {
                    **renamed(each, rename),
                    **{kind: renamed(of, rename) for kind, of in each.items() if kind in _ACTIONS},
                }
                for each in value
            ]
        elif member == "Responses" and isinstance(value, list):
            changed[member] = [renamed(each, rename) for each in value]
        elif member == "Statements":
            changed[member] = [
                {**each, "Statement": _STATEMENT_TABLE.sub(lambda name: rename(name[0]), each["Statement"])}
                for each in value
            ]
        elif member in {"ConsumedCapacity", "StreamDescription"} and isinstance(value, Mapping):
            changed[member] = renamed(value, rename)
        else:
            changed[member] = value
    return changed


_ACTIONS = frozenset({"Put", "Update", "Delete", "ConditionCheck", "Get"})

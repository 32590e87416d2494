"""Reads what CreateTable and UpdateTable say of a table: keys, indexes, throughput, stream; refuses what cannot be."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.feed.feed import VIEW_TYPES
from eventstore.testing.dynamodb.storage.index import SecondaryIndex
from eventstore.testing.dynamodb.storage.schema import KEY_TYPES, KeySchema, read_key_schema

GLOBAL_INDEXES_MAX = 20
LOCAL_INDEXES_MAX = 5
PROJECTED_ATTRIBUTES_MAX = 100
KEY_NAME_MAX_CHARACTERS = 255
"""Sources: AWS, "Quotas in Amazon DynamoDB"; API references of CreateTable and Projection."""

PAY_PER_REQUEST, PROVISIONED = "PAY_PER_REQUEST", "PROVISIONED"

_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}\Z")
_INVALID = "One or more parameter values were invalid"

Definition = Mapping[str, Any]


def check_name(name: str) -> str:
    """Return the name of a table or index, or refuse it."""
    if _NAME.match(name) is None:
        raise validation(
            "Invalid table/index name. Table/index names must be between 3 and 255 characters long, and may contain"
            " only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
        )
    return name


def check_attribute_name(name: str) -> str:
    """Return the name of an attribute of a key, of a projection or of a time to live, or refuse it."""
    if not 1 <= len(name) <= KEY_NAME_MAX_CHARACTERS:
        raise validation(
            "Names of key attributes and attributes projected into an index must be between 1 and"
            f" {KEY_NAME_MAX_CHARACTERS} characters, inclusive"
        )
    return name


def read_types(definitions: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the types of attributes by their names."""
    types: dict[str, str] = {}
    for definition in definitions:
        name, kind = check_attribute_name(definition["AttributeName"]), definition["AttributeType"]
        if kind not in KEY_TYPES:
            raise validation(f"{_INVALID}: AttributeType of a key attribute is S, N or B")
        if name in types:
            raise validation(f"{_INVALID}: Cannot have two attributes with the same name: {name}")
        types[name] = kind
    return types


def check_all_used(types: Mapping[str, str], schemas: Iterable[KeySchema]) -> None:
    """Refuse attributes that are defined and stand in no key."""
    if {name for schema in schemas for name in schema.names} != set(types):
        detail = (
            f"Number of attributes in KeySchema does not exactly match number of attributes defined: {sorted(types)}"
        )
        raise validation(f"{_INVALID}: {detail}")


def read_indexes(request: Definition, table_schema: KeySchema, types: Mapping[str, str]) -> dict[str, SecondaryIndex]:
    """Return the indexes of a CreateTable, local ones first, by their names."""
    local, of_all = request.get("LocalSecondaryIndexes") or [], request.get("GlobalSecondaryIndexes")
    if of_all is not None and not 1 <= len(of_all) <= GLOBAL_INDEXES_MAX:
        raise validation(f"{_INVALID}: List of GlobalSecondaryIndexes has 1 to {GLOBAL_INDEXES_MAX} members")
    if len(local) > LOCAL_INDEXES_MAX:
        raise validation(f"{_INVALID}: Cannot have more than {LOCAL_INDEXES_MAX} local secondary indexes per table")
    indexes: dict[str, SecondaryIndex] = {}
    for definition, is_local in (*((one, True) for one in local), *((one, False) for one in of_all or ())):
        index = read_index(definition, table_schema, types, is_local=is_local)
        if index.name in indexes:
            raise validation(f"{_INVALID}: Duplicate index name: {index.name}")
        indexes[index.name] = index
    _check_projected(indexes.values())
    return indexes


def read_index(
    definition: Definition, table_schema: KeySchema, types: Mapping[str, str], *, is_local: bool = False
) -> SecondaryIndex:
    """Return one index."""
    name = check_name(definition["IndexName"])
    schema = read_key_schema(definition["KeySchema"], types)
    if is_local:
        _check_local(name, schema, table_schema)
    projected = _read_projection(definition["Projection"])
    return SecondaryIndex(name, schema, table_schema, projected, definition, is_local=is_local)


def _check_local(name: str, schema: KeySchema, table_schema: KeySchema) -> None:
    if table_schema.sort is None:
        raise validation(f"{_INVALID}: Table KeySchema does not have a range key, which a local index needs: {name}")
    if schema.sort is None:
        raise validation(f"{_INVALID}: Index KeySchema does not have a range key for index: {name}")
    if schema.partition.name != table_schema.partition.name:
        detail = f"Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}"
        raise validation(f"{_INVALID}: {detail}")


def _read_projection(projection: Definition) -> frozenset[str] | None:
    kind = projection.get("ProjectionType")
    further = projection.get("NonKeyAttributes")
    if kind not in {"ALL", "KEYS_ONLY", "INCLUDE"}:
        raise validation(f"{_INVALID}: Unknown ProjectionType: {kind}")
    if (kind == "INCLUDE") != bool(further):
        raise validation(f"{_INVALID}: ProjectionType is {kind}, and NonKeyAttributes go with INCLUDE")
    names = [check_attribute_name(name) for name in further or ()]
    if len(set(names)) != len(names):
        raise validation(f"{_INVALID}: Cannot have two attributes with the same name in NonKeyAttributes")
    return None if kind == "ALL" else frozenset(names)


def _check_projected(indexes: Iterable[SecondaryIndex]) -> None:
    count = sum(len(index.definition["Projection"].get("NonKeyAttributes") or ()) for index in indexes)
    if count > PROJECTED_ATTRIBUTES_MAX:
        detail = f"all indexes together name at most {PROJECTED_ATTRIBUTES_MAX} NonKeyAttributes, not {count}"
        raise validation(f"{_INVALID}: {detail}")


def read_view_type(specification: Definition | None) -> str | None:
    """Return which images a stream is to carry; None when there is to be none."""
    if specification is None:
        return None
    view_type: str | None = specification.get("StreamViewType")
    if not specification["StreamEnabled"]:
        if view_type is not None:
            raise validation(f"{_INVALID}: StreamEnabled was false but a StreamViewType was present")
        return None
    if view_type not in VIEW_TYPES:
        raise validation(f"{_INVALID}: StreamViewType is one of {', '.join(sorted(VIEW_TYPES))}")
    return view_type


def check_billing(mode: str, throughput: Definition | None, indexes: Sequence[Definition]) -> None:
    """Refuse a mode that is none, and a throughput that is missing, is too little, or has no place in the mode.

    Args:
        mode: The billing mode.
        throughput: That of the table.
        indexes: What is said of the global indexes.
    """
    if mode not in {PROVISIONED, PAY_PER_REQUEST}:
        raise validation(f"Value '{mode}' at 'billingMode' failed to satisfy constraint")
    if mode == PAY_PER_REQUEST:
        if throughput is not None:
            detail = "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is"
            raise validation(f"{_INVALID}: {detail} {PAY_PER_REQUEST}")
        return
    if throughput is None:
        detail = "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        raise validation(f"{_INVALID}: {detail}")
    check_throughput(throughput)
    for index in indexes:
        if index.get("ProvisionedThroughput") is None:
            detail = f"ProvisionedThroughput is not specified for index: {index['IndexName']}"
            raise validation(f"{_INVALID}: {detail}")
        check_throughput(index["ProvisionedThroughput"])


def check_throughput(throughput: Definition) -> None:
    """Refuse less than one unit."""
    if min(throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) < 1:
        raise validation(f"{_INVALID}: Read and write throughput must be at least 1")

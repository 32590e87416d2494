"""TagResource, UntagResource and ListTagsOfResource. A tag has no effect.

Sources: AWS, API references of TagResource, UntagResource, ListTagsOfResource and Tag; "Tagging resources in DynamoDB".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.testing.dynamodb.engine import Engine
from eventstore.testing.dynamodb.errors import ServiceError, validation
from eventstore.testing.dynamodb.table import Table

TAGS_MAX = 50
KEY_MAX_CHARACTERS = 128
VALUE_MAX_CHARACTERS = 256

Request = Mapping[str, Any]
Reply = dict[str, Any]


def check_tags(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return tags by their keys, or refuse them."""
    checked: dict[str, str] = {}
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        if not 1 <= len(key) <= KEY_MAX_CHARACTERS or key.lower().startswith("aws:"):
            detail = f"1 to {KEY_MAX_CHARACTERS} characters, and does not begin with aws:"
            raise validation(f"One or more parameter values were invalid: The key of a tag has {detail}")
        if len(value) > VALUE_MAX_CHARACTERS:
            detail = f"The value of a tag has at most {VALUE_MAX_CHARACTERS} characters"
            raise validation(f"One or more parameter values were invalid: {detail}")
        if key in checked:
            raise validation(f"One or more parameter values were invalid: Duplicate tag key: {key}")
        checked[key] = value
    _check_count(checked)
    return checked


def _check_count(tags: Mapping[str, str]) -> None:
    if len(tags) > TAGS_MAX:
        raise validation(f"One or more parameter values were invalid: Too many tags; a resource has at most {TAGS_MAX}")


def _table(engine: Engine, arn: str) -> Table:
    prefix, _, name = arn.partition(":table/")
    if not prefix.startswith("arn:") or not name:
        raise validation(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    found = engine.tables.get(name)
    if found is None or found.arn != arn:
        raise ServiceError("ResourceNotFoundException", f"Requested resource not found: ResourceArn: {arn} not found")
    return found


def tag_resource(engine: Engine, request: Request) -> Reply:
    """Carry out TagResource."""
    table = _table(engine, request["ResourceArn"])
    if not request["Tags"]:
        raise validation("One or more parameter values were invalid: Tags has at least 1 member")
    tags = {**table.tags, **check_tags(request["Tags"])}
    _check_count(tags)
    table.tags.update(tags)
    return {}


def untag_resource(engine: Engine, request: Request) -> Reply:
    """Carry out UntagResource; a key that is not there is passed over."""
    table = _table(engine, request["ResourceArn"])
    for key in request["TagKeys"]:
        table.tags.pop(key, None)
    return {}


def list_tags_of_resource(engine: Engine, request: Request) -> Reply:
    """Carry out ListTagsOfResource, in one page."""
    table = _table(engine, request["ResourceArn"])
    return {"Tags": [{"Key": key, "Value": value} for key, value in table.tags.items()]}

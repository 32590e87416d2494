"""Compiles expressions once: the same text with the same names gives the same small object back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeAlias, TypeVar

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.expressions.condition_parser import ConditionParser
from eventstore.testing.dynamodb.expressions.conditions import Condition
from eventstore.testing.dynamodb.expressions.operands import Path
from eventstore.testing.dynamodb.expressions.projections import ItemProjection, ProjectionParser
from eventstore.testing.dynamodb.expressions.update_parser import UpdateParser
from eventstore.testing.dynamodb.expressions.updates import UpdateAction
from eventstore.testing.dynamodb.values import NAME_MAX_BYTES, text_bytes

CACHE_SIZE = 4096
PLACEHOLDER_MAX_CHARACTERS = 255
"""With its sign. Source: AWS, "Quotas in Amazon DynamoDB", expression parameters."""

_NAMES = "ExpressionAttributeNames"

Names: TypeAlias = tuple[tuple[str, str], ...]
Tree = TypeVar("Tree", Condition, ItemProjection, tuple[UpdateAction, ...])


@dataclass(frozen=True, slots=True)
class Compiled(Generic[Tree]):
    """One expression.

    Attributes:
        label: The parameter's name, for messages.
        tree: What it says.
        names: Which of ExpressionAttributeNames it uses.
        values: Which of ExpressionAttributeValues it uses.
        paths: Every document path in it.
    """

    label: str
    tree: Tree
    names: frozenset[str]
    values: frozenset[str]
    paths: tuple[Path, ...]


def checked_names(names: Mapping[str, str]) -> Names:
    """Return names in the form that the compilers take.

    Raises:
        ServiceError: ValidationException; a `#name` or what it stands for is too long, or nothing.
    """
    key = tuple(names.items())
    _check_names(key)
    return key


@lru_cache(CACHE_SIZE)
def _check_names(names: Names) -> None:
    check_placeholders(_NAMES, dict(names))
    for placeholder, name in names:
        if not name:
            raise validation(f"{_NAMES} contains invalid value: Empty attribute name for key {placeholder}")
        if text_bytes(name) > NAME_MAX_BYTES:
            detail = f"Attribute name is too large, must be less than {NAME_MAX_BYTES + 1} bytes for key {placeholder}"
            raise validation(f"{_NAMES} contains invalid value: {detail}")


def check_placeholders(what: str, given: Iterable[str]) -> None:
    """Refuse a `#name` or `:value` that is too long."""
    for placeholder in given:
        if len(placeholder) > PLACEHOLDER_MAX_CHARACTERS:
            detail = f"The expression attribute map contains a key that is too long; size of key: {len(placeholder)}"
            raise validation(f"{what} contains invalid key: {detail}")


@lru_cache(CACHE_SIZE)
def compile_condition(label: str, text: str, names: Names) -> Compiled[Condition]:
    """Compile a ConditionExpression, FilterExpression or KeyConditionExpression."""
    parser = ConditionParser(label, text, dict(names))
    tree = parser.parse()
    return Compiled(label, tree, frozenset(parser.names_used), frozenset(parser.values_used), tuple(parser.paths))


@lru_cache(CACHE_SIZE)
def compile_update(label: str, text: str, names: Names) -> Compiled[tuple[UpdateAction, ...]]:
    """Compile an UpdateExpression."""
    parser = UpdateParser(label, text, dict(names))
    tree = parser.parse()
    return Compiled(label, tree, frozenset(parser.names_used), frozenset(parser.values_used), tuple(parser.paths))


@lru_cache(CACHE_SIZE)
def compile_projection(label: str, text: str, names: Names) -> Compiled[ItemProjection]:
    """Compile a ProjectionExpression."""
    parser = ProjectionParser(label, text, dict(names))
    tree = parser.parse()
    return Compiled(label, tree, frozenset(parser.names_used), frozenset(parser.values_used), tuple(parser.paths))

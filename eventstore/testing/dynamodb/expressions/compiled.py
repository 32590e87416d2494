"""Compiles expressions once: the same text with the same names gives the same small object back."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeAlias, TypeVar

from eventstore.testing.dynamodb.expressions.condition_parser import ConditionParser
from eventstore.testing.dynamodb.expressions.conditions import Condition
from eventstore.testing.dynamodb.expressions.operands import Path
from eventstore.testing.dynamodb.expressions.projections import ItemProjection, ProjectionParser
from eventstore.testing.dynamodb.expressions.update_parser import UpdateParser
from eventstore.testing.dynamodb.expressions.updates import UpdateAction

CACHE_SIZE = 4096

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


def names_key(names: Mapping[str, str]) -> Names:
    """Return names in the form that the compilers take."""
    return tuple(names.items())


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

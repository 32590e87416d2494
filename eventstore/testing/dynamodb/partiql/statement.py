"""One PartiQL statement that writes one item, parsed.

    DELETE FROM "table" WHERE conditions
    UPDATE "table" SET "set" = set_add("set", ?) WHERE conditions [RETURNING ALL NEW *]

Conditions are joined by AND; each is `"attribute" = ?` or `"attribute" IS MISSING`, at most one for an attribute. Names
stand in double quotes, values are parameters, keywords may have any case. Everything else is refused.

Sources: AWS, "PartiQL delete statements for DynamoDB", "PartiQL update statements for DynamoDB".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.partiql.tokens import PartiqlTokens

CACHE_SIZE = 256


@dataclass(frozen=True, slots=True)
class SetAdd:
    """`SET "name" = set_add("name", ?)`; `place` is that of the parameter."""

    name: str
    place: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        table: The name of the table.
        conditions: The attributes of the WHERE clause; each with the place of the parameter that it equals, or None
            where it has to be missing.
        set_add: What an UPDATE does; None for a DELETE.
        returns_item: Whether the item after the write is asked for.
        parameter_count: How many parameters it takes.
    """

    table: str
    conditions: Mapping[str, int | None]
    set_add: SetAdd | None
    returns_item: bool
    parameter_count: int


@lru_cache(CACHE_SIZE)
def is_read(text: str) -> bool:
    """Tell whether a statement reads."""
    return PartiqlTokens(text).take_words("SELECT")


@lru_cache(CACHE_SIZE)
def parse(text: str) -> Statement:
    """Return what a statement says.

    Raises:
        ServiceError: ValidationException; it is not one of those above.
    """
    tokens = PartiqlTokens(text)
    set_add: SetAdd | None = None
    if tokens.take_words("DELETE FROM"):
        table = tokens.name()
    else:
        tokens.expect_words("UPDATE")
        table = tokens.name()
        set_add = _set_add(tokens)
    conditions = _conditions(tokens)
    returns_item = set_add is not None and tokens.take_words("RETURNING ALL NEW")
    if returns_item:
        tokens.expect_sign("*")
    tokens.expect_end()
    return Statement(table, conditions, set_add, returns_item, tokens.parameter_count)


def _set_add(tokens: PartiqlTokens) -> SetAdd:
    tokens.expect_words("SET")
    target = tokens.name()
    tokens.expect_sign("=")
    tokens.expect_words("SET_ADD")
    tokens.expect_sign("(")
    if tokens.name() != target:
        raise validation("The first argument to SET_ADD must equal the assignment value")
    tokens.expect_sign(",")
    set_add = SetAdd(target, tokens.parameter())
    tokens.expect_sign(")")
    return set_add


def _conditions(tokens: PartiqlTokens) -> Mapping[str, int | None]:
    tokens.expect_words("WHERE")
    conditions: dict[str, int | None] = {}
    while True:
        name = tokens.name()
        if name in conditions:
            raise tokens.malformed()
        if tokens.take_words("IS MISSING"):
            conditions[name] = None
        else:
            tokens.expect_sign("=")
            conditions[name] = tokens.parameter()
        if not tokens.take_words("AND"):
            return conditions

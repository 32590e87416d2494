"""One PartiQL statement that writes one item, parsed.

    DELETE FROM "table" WHERE conditions
    UPDATE "table" changes WHERE conditions [RETURNING ALL NEW *]
    INSERT INTO "table" VALUE {'attribute': ?, 'another': ?}

Changes are `SET "attribute" = ?`, `SET "number" = "number" + ?`, `SET "set" = set_add("set", ?)` and
`REMOVE "attribute"`, one after the other, each attribute once. Conditions are joined by AND; each is `"attribute" = ?`
or `"attribute" IS MISSING`, at most one for an attribute. Names stand in double quotes, values are parameters, keywords
may have any case. Everything else is refused.

Sources: AWS, "PartiQL delete statements for DynamoDB", "PartiQL update statements for DynamoDB", "PartiQL insert
statements for DynamoDB", and of the sum "PartiQL operators for DynamoDB".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.partiql.tokens import PartiqlTokens

CACHE_SIZE = 256


class Verb(StrEnum):
    """What a statement does to its item."""

    DELETE = "delete"
    UPDATE = "update"
    INSERT = "insert"


class ChangeKind(StrEnum):
    """What an UPDATE does to one attribute."""

    SET = "set"
    PLUS = "plus"
    SET_ADD = "set_add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """A change of one attribute, or for an INSERT its value; `place` is that of the parameter, None for a removal."""

    kind: ChangeKind
    name: str
    place: int | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        verb: What it does.
        table: The name of the table.
        conditions: The attributes of the WHERE clause; each with the place of the parameter that it equals, or None
            where it has to be missing.
        changes: What an UPDATE does, and the attributes of an INSERT; nothing for a DELETE.
        returns_item: Whether the item after the write is asked for.
        parameter_count: How many parameters it takes.
    """

    verb: Verb
    table: str
    conditions: Mapping[str, int | None]
    changes: tuple[AttributeChange, ...]
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
    changes: tuple[AttributeChange, ...] = ()
    conditions: Mapping[str, int | None] = {}
    returns_item = False
    if tokens.take_words("DELETE FROM"):
        verb, table = Verb.DELETE, tokens.name()
        conditions = _conditions(tokens)
    elif tokens.take_words("INSERT INTO"):
        verb, table = Verb.INSERT, tokens.name()
        changes = _members(tokens)
    else:
        tokens.expect_words("UPDATE")
        verb, table = Verb.UPDATE, tokens.name()
        changes = _changes(tokens)
        conditions = _conditions(tokens)
        returns_item = tokens.take_words("RETURNING ALL NEW")
        if returns_item:
            tokens.expect_sign("*")
    tokens.expect_end()
    return Statement(verb, table, conditions, changes, returns_item, tokens.parameter_count)


def _changes(tokens: PartiqlTokens) -> tuple[AttributeChange, ...]:
    changes: list[AttributeChange] = []
    while True:
        if tokens.take_words("REMOVE"):
            changes.append(AttributeChange(ChangeKind.REMOVE, tokens.name(), None))
        elif tokens.take_words("SET"):
            changes.append(_assignment(tokens))
        else:
            break
    if not changes or len({change.name for change in changes}) < len(changes):
        raise tokens.malformed()
    return tuple(changes)


def _assignment(tokens: PartiqlTokens) -> AttributeChange:
    target = tokens.name()
    tokens.expect_sign("=")
    if tokens.take_words("SET_ADD"):
        tokens.expect_sign("(")
        if tokens.name() != target:
            raise validation("The first argument to SET_ADD must equal the assignment value")
        tokens.expect_sign(",")
        change = AttributeChange(ChangeKind.SET_ADD, target, tokens.parameter())
        tokens.expect_sign(")")
        return change
    if not tokens.is_name():
        return AttributeChange(ChangeKind.SET, target, tokens.parameter())
    if tokens.name() != target:  # DynamoDB adds to any attribute; nobody here does
        raise tokens.malformed()
    tokens.expect_sign("+")
    return AttributeChange(ChangeKind.PLUS, target, tokens.parameter())


def _members(tokens: PartiqlTokens) -> tuple[AttributeChange, ...]:
    tokens.expect_words("VALUE")
    tokens.expect_sign("{")
    members: list[AttributeChange] = []
    while True:
        name = tokens.text()
        tokens.expect_sign(":")
        members.append(AttributeChange(ChangeKind.SET, name, tokens.parameter()))
        if not tokens.take_sign(","):
            break
    tokens.expect_sign("}")
    if len({member.name for member in members}) < len(members):
        raise tokens.malformed()
    return tuple(members)


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

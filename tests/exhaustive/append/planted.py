"""Deliberate bugs of appends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from eventstore.append import transaction, verdict
from eventstore.append.transaction import Transaction
from eventstore.append.verdict import Again, Cause, Verdict
from eventstore.dynamodb.errors import DynamoError
from tests.exhaustive.area import PlantedBug


@contextmanager
def _without(table: str) -> Iterator[None]:
    """Let every row of a table be put whether one is there or not."""
    honest = transaction.assemble

    def assemble(*what: Any, **how: Any) -> Transaction:
        assembled = honest(*what, **how)
        for action in assembled.request["TransactItems"]:
            if "Put" in action and action["Put"]["TableName"].endswith(table):
                for name in ("ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"):
                    action["Put"].pop(name, None)
                action["Put"].pop("ReturnValuesOnConditionCheckFailure", None)
        return assembled

    with patch.object(transaction, "assemble", assemble):
        yield


@contextmanager
def _lost_is_refused() -> Iterator[None]:
    honest = verdict.judge

    def judge(error: DynamoError, sent: Transaction) -> Verdict:
        judged = honest(error, sent)
        return verdict.OtherVersion({0: 0}) if judged == Again(Cause.LOST) else judged

    with patch.object(verdict, "judge", judge):
        yield


@contextmanager
def _own_is_anothers() -> Iterator[None]:
    honest = verdict.judge

    def judge(error: DynamoError, sent: Transaction) -> Verdict:
        judged = honest(error, sent)
        return verdict.OtherVersion({0: 1}) if isinstance(judged, verdict.OwnCommit) else judged

    def tokenless(*what: Any, **how: Any) -> Transaction:
        assembled = assemble(*what, **how)
        assembled.request.pop("ClientRequestToken", None)
        return assembled

    assemble = transaction.assemble
    with patch.object(verdict, "judge", judge), patch.object(transaction, "assemble", tokenless):
        yield


BUGS = (
    PlantedBug("an event is put over another", lambda: _without("events"), "two numbers", "CorruptRowError", 2),
    PlantedBug("a lost reply begins a new round", _lost_is_refused, "any and any", "is stored 2 times", 4),
    PlantedBug("one's own commit is taken for another's", _own_is_anothers, "two numbers", "its event is stored", 3),
    PlantedBug(
        "a key's row is put over another", lambda: _without("idempotency"), "one key and any", "is stored 2 times", 4
    ),
)

"""What errors carry: facts as attributes, in words, through pickle and copy; and who must act, by their kind."""

import copy
import pickle
from typing import Any

import pytest

from eventstore import errors
from eventstore.errors import EventStoreError, InvalidInputError, RefusedRow
from eventstore.expectation import EXISTS

ROW = RefusedRow("also[1]", 1, "emails", {"email": "ann"})
OTHER_ROW = RefusedRow("also[2]", 2, "names", None)


def conflict(stored: str = "d1", given_commit_id: str | None = "c2", given: str = "d2") -> EventStoreError:
    return errors.IdempotencyConflictError(
        "a", "k", stored_commit_id="c1", stored_digest=stored, given_commit_id=given_commit_id, given_digest=given
    )


CASES: list[tuple[EventStoreError, dict[str, Any]]] = [
    (InvalidInputError("f", "r"), {"field": "f", "reason": "r"}),
    (errors.NotJsonError("f", "r"), {"field": "f", "reason": "r"}),
    (errors.InvalidTokenError("r"), {"field": "token", "reason": "r"}),
    (
        errors.LimitExceededError("f", limit=1_000, actual=2_000, unit="bytes"),
        {"field": "f", "limit": 1_000, "actual": 2_000, "unit": "bytes"},
    ),
    (
        conflict(),
        {
            "field": "idempotency_key",
            "aggregate_id": "a",
            "key": "k",
            "stored_commit_id": "c1",
            "stored_digest": "d1",
            "given_commit_id": "c2",
            "given_digest": "d2",
        },
    ),
    (errors.SearchExpiredError(), {"field": "token"}),
    (
        errors.WrongExpectedVersionError("a", expected=3, actual=5),
        {"aggregate_id": "a", "expected": 3, "actual": 5, "at_least": 5},
    ),
    (
        errors.WrongExpectedVersionError("a", expected=EXISTS, actual=0, at_least=7),
        {"expected": EXISTS, "actual": 0, "at_least": 0},
    ),
    (
        errors.WrongExpectedVersionError("a", expected=3, actual=None, at_least=7),
        {"expected": 3, "actual": None, "at_least": 7},
    ),
    (errors.WrongExpectedVersionError("a", expected=3, actual=None), {"actual": None, "at_least": 0}),
    (
        errors.AggregateTypeError("a", expected="ITEM", actual="ORDER"),
        {"aggregate_id": "a", "expected": "ITEM", "actual": "ORDER"},
    ),
    (
        errors.RowConditionError([ROW, OTHER_ROW]),
        {"field": "also[1]", "index": 1, "table": "emails", "row": {"email": "ann"}, "refused": (ROW, OTHER_ROW)},
    ),
    (errors.ThrottledError("m", retry_after_seconds=1.5), {"retry_after_seconds": 1.5}),
    (errors.UnreachableError("m"), {}),
    (
        errors.NotSettledError("a", commit_id="c", delivered=["bus"], reason="r"),
        {"aggregate_id": "a", "commit_id": "c", "delivered": frozenset({"bus"})},
    ),
    (errors.SearchUnreachableError("m"), {}),
    (errors.OutcomeUnknownError("m", aggregate_id="a", commit_id="c"), {"aggregate_id": "a", "commit_id": "c"}),
    (errors.OutcomeUnknownError("m"), {"aggregate_id": None, "commit_id": None}),
    (errors.TableMissingError("t"), {"table": "t"}),
    (errors.TableLayoutError("t", ["d1", "d2"]), {"table": "t", "differences": ("d1", "d2")}),
    (errors.IndexMissingError("t", "i"), {"table": "t", "index": "i"}),
    (errors.EndpointError("m"), {}),
    (errors.AccessDeniedError("m"), {}),
    (errors.MissingExtraError("w", extra="e"), {"extra": "e"}),
    (errors.SearchRefusedError(400, "r"), {"status": 400, "reason": "r"}),
    (
        errors.CorruptRowError("t", key="k", field="f", reason="r"),
        {"table": "t", "key": "k", "field": "f", "reason": "r"},
    ),
    (
        errors.EventSchemaError("t", key="k", field="f", reason="r", event_type="A", schema_version=2),
        {"table": "t", "key": "k", "field": "f", "event_type": "A", "schema_version": 2},
    ),
    (
        errors.NewerRowError("t", key="k", field="layout", layout=2, known=1),
        {"table": "t", "key": "k", "field": "layout", "layout": 2, "known": 1},
    ),
    (
        errors.ParkedError("a", commit_id="c", destination="bus", reason="r"),
        {"aggregate_id": "a", "commit_id": "c", "destination": "bus", "reason": "r"},
    ),
]


@pytest.mark.parametrize(("error", "facts"), CASES, ids=[type(error).__name__ for error, _ in CASES])
def test_facts_are_attributes_and_travel(error: EventStoreError, facts: dict[str, Any]) -> None:
    """
    Through pickle and copy, with the message.
    """
    for each in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - of our own making
        assert type(each) is type(error)
        assert {name: getattr(each, name) for name in facts} == facts
        assert str(each) == str(error) != "None"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidInputError("events[2].data", "is bad"), ["events[2].data: is bad"]),
        (errors.LimitExceededError("f", limit=1_000, actual=2_000, unit="bytes"), ["f: 2,000 bytes", "1,000"]),
        (errors.WrongExpectedVersionError("a", expected=3, actual=5), ["'a' is at version 5, not 3"]),
        (errors.WrongExpectedVersionError("a", expected=3, actual=0), ["is at version 0, not 3"]),
        (errors.WrongExpectedVersionError("a", expected=3, actual=None, at_least=7), ["version 7 or later, not 3"]),
        (errors.WrongExpectedVersionError("a", expected=3, actual=None), ["is not at version 3"]),
        (errors.AggregateTypeError("a", expected="ITEM", actual="ORDER"), ["'a'", "'ORDER', not 'ITEM'"]),
        (errors.RowConditionError([ROW]), ["also[1]:", "'emails'"]),
        (errors.RowConditionError([ROW, OTHER_ROW, OTHER_ROW]), ["nor do those of also[2], also[2]"]),
        (errors.ThrottledError("busy", retry_after_seconds=1.25), ["busy; try again in 1.2 s"]),
        (errors.NotSettledError("a", commit_id="c", delivered=[], reason="it waits"), ["commit c", "'a'", "it waits"]),
        (errors.TableMissingError("t"), ["'t'", "eventstore init"]),
        (errors.TableMissingError("t", is_own=False), ["'t'", "named in `also`"]),
        (errors.TableLayoutError("t", ["d1", "d2"]), ["'t'", "d1; d2"]),
        (errors.IndexMissingError("t", "i"), ["'t'", "'i'"]),
        (errors.MissingExtraError("JSON Schema", extra="e"), ["JSON Schema needs", "[e]"]),
        (errors.SearchRefusedError(400, "no"), ["no (status 400)"]),
        (errors.CorruptRowError("t", key="k", field="f", reason="is bad"), ["row k of t: attribute 'f' is bad"]),
        (errors.NewerRowError("t", key="k", field="layout", layout=2, known=1), ["is 2, ", "up to 1: upgrade it"]),
        (errors.ParkedError("a", commit_id="c", destination="bus", reason="no"), ["commit c", "'a'", "for bus: no"]),
        (errors.OutcomeUnknownError("lost"), ["lost"]),
        (conflict(), ["'k' of aggregate 'a' stands for commit c1", "digest d1, not d2 as of commit c2"]),
        (conflict(given="d1"), ["not stored together"]),
        (conflict(given_commit_id=None), ["its fingerprint is d1, not d2"]),
    ],
)
def test_words_say_what_it_is_about(error: EventStoreError, words: list[str]) -> None:
    """
    With the facts in them.
    """
    assert [each for each in words if each not in str(error)] == []


@pytest.mark.parametrize(
    ("kind", "below"),
    [
        ("InvalidInputError", ["NotJsonError", "InvalidTokenError", "LimitExceededError", "IdempotencyConflictError"]),
        ("DecideAgainError", ["WrongExpectedVersionError", "AggregateTypeError", "RowConditionError"]),
        ("TryLaterError", ["ThrottledError", "UnreachableError", "NotSettledError", "SearchUnreachableError"]),
        ("SetUpError", ["TableMissingError", "TableLayoutError", "IndexMissingError", "EndpointError"]),
        ("SetUpError", ["AccessDeniedError", "MissingExtraError", "SearchRefusedError"]),
        ("CorruptRowError", ["EventSchemaError", "NewerRowError"]),
    ],
)
def test_a_kind_says_who_must_act(kind: str, below: list[str]) -> None:
    """
    So that one `except` is enough.
    """
    assert all(issubclass(getattr(errors, each), getattr(errors, kind)) for each in below)
    assert issubclass(getattr(errors, kind), EventStoreError)

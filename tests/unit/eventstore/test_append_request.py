"""The request of an append, action by action: what is put, on which conditions, and how large it may be."""

import re
from dataclasses import replace
from typing import Any

import pytest

from eventstore import limits
from eventstore.append.also import AlsoWrite
from eventstore.append.commit import Action, Layout, PreparedCommit, Role, Stamp, prepare
from eventstore.append.transaction import NOTHING_BESIDE, Beside, Transaction, assemble
from eventstore.append.unchanged import Unchanged
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.model import AggregateRef, Append, NewEvent
from eventstore.rows import event as event_row
from eventstore.rows import idempotency, outbox
from eventstore.rows.item import item_size

ITEM = AggregateRef("ITEM", "item-1")
TABLES = TableNames("t")
LAYOUT = Layout(TABLES, 16, 1024)
STAMP = Stamp("commit-1", ("event-1", "event-2"), 1_735_689_600_123, 5)
ABSENT = {
    "ConditionExpression": "attribute_not_exists(aggregateId)",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}


def append(*data: Any, key: str | None = None, command: str | None = None) -> Append:
    events = [NewEvent("COUNTED", each) for each in data]
    return Append(ITEM, events, 0, idempotency_key=key, command_fingerprint=command)


def prepared(number: int = 1, actions: int = 1, size: int = 0) -> PreparedCommit:
    made = tuple(Action(Role.EVENT, {"Put": f"{number}/{each}"}) for each in range(actions))
    return PreparedCommit(ITEM, 0, f"commit-{number}", (), None, made, size)


def also(size: int = 0) -> AlsoWrite:
    return AlsoWrite("also[0]", 0, "emails", Action(Role.ALSO, {"Put": "own"}), size)


# One commit


def test_the_first_commit_puts_its_events_and_its_outbox_row() -> None:
    """
    Each on the condition that its place is free, and what is in the way is shown.
    """
    commit = prepare(append({"n": 1}, {"n": 2}), 0, STAMP, LAYOUT)

    rows = [event_row.encode(event, 16) for event in commit.events]
    owed = outbox.encode(commit.events, 1_735_689_600_123, 1024)
    assert [action.role for action in commit.actions] == [Role.EVENT, Role.EVENT, Role.OUTBOX]
    assert [action.request for action in commit.actions] == [
        {"Put": {"TableName": "t_events", "Item": rows[0], **ABSENT}},
        {"Put": {"TableName": "t_events", "Item": rows[1], **ABSENT}},
        {"Put": {"TableName": "t_outbox", "Item": owed, **ABSENT}},
    ]
    assert commit.size_bytes == item_size(rows[0]) + item_size(rows[1]) + item_size(owed)
    assert (commit.aggregate, commit.expected_version, commit.commit_id, commit.key) == (ITEM, 0, "commit-1", None)


def test_a_later_commit_checks_the_event_before_it() -> None:
    """
    It is there, with the aggregate's type: so numbers have no holes, and an id keeps its type.
    """
    commit = prepare(append({"n": 1}), 7, STAMP, LAYOUT)

    assert commit.actions[0] == Action(
        Role.PREDECESSOR,
        {
            "ConditionCheck": {
                "TableName": "t_events",
                "Key": {"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "7"}},
                "ConditionExpression": "aggregateType = :type",
                "ExpressionAttributeValues": {":type": {"S": "ITEM"}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
    )
    assert [action.role for action in commit.actions] == [Role.PREDECESSOR, Role.EVENT, Role.OUTBOX]


def test_what_is_recorded_of_events() -> None:
    """
    Numbers go on from the expected version; ids come from the stamp, one after the other.
    """
    given = Append(
        ITEM,
        [
            NewEvent("COUNTED", {"n": 1}, metadata={"user": "ann"}, schema_version=2, timestamp_ms=7),
            NewEvent("LOST", {}),
        ],
        0,
    )
    first, second = prepare(given, 7, STAMP, LAYOUT).events

    assert (first.aggregate_id, first.aggregate_type, first.sequence_number) == ("item-1", "ITEM", 8)
    assert (first.type, first.data_json, first.metadata_json) == ("COUNTED", '{"n":1}', '{"user":"ann"}')
    assert (first.schema_version, first.timestamp_ms, first.event_id) == (2, 7, "event-1")
    assert (first.commit_id, first.commit_first, first.commit_last, first.epoch) == ("commit-1", 8, 9, 5)
    assert (second.sequence_number, second.type, second.data_json) == (9, "LOST", "{}")
    assert (second.schema_version, second.timestamp_ms, second.event_id) == (1, 1_735_689_600_123, "event-2")
    assert (second.commit_first, second.commit_last, second.metadata_json) == (8, 9, "{}")


def test_events_without_a_trace_get_the_writers() -> None:
    """
    Those that bring one keep it.
    """
    traced = replace(STAMP, traceparent="of-the-writer")
    given = Append(ITEM, [NewEvent("A", {}), NewEvent("A", {}, metadata={"traceparent": "of-the-event"})], 0)

    events = prepare(given, 0, traced, LAYOUT).events

    assert [event.metadata_json for event in events] == [
        '{"traceparent":"of-the-writer"}',
        '{"traceparent":"of-the-event"}',
    ]


def test_a_key_gets_a_row_beside_the_commit() -> None:
    """
    With what the append said; its size counts.
    """
    plain = prepare(append({"n": 1}), 0, STAMP, LAYOUT)
    commit = prepare(append({"n": 1}, key="k", command="order 7"), 0, STAMP, LAYOUT)

    wanted = idempotency.row_of(commit.events, "k", "order 7", 1_735_689_600_123)
    item = idempotency.encode(wanted)
    assert commit.key == wanted
    assert commit.actions[-1] == Action(Role.KEY, {"Put": {"TableName": "t_idempotency", "Item": item, **ABSENT}})
    assert commit.size_bytes == plain.size_bytes + item_size(item)


@pytest.mark.parametrize("path", ["", "appends[1]."])
def test_what_cannot_be_stored_is_named_by_its_place(path: str) -> None:
    """
    The event, and the part of it.
    """
    cases = [
        (NewEvent("A", {"n": {1}}), "events[1].data"),
        (NewEvent("A", {}, metadata={"n": {1}}), "events[1].metadata"),
        (NewEvent("A", {}, timestamp_ms="soon"), "events[1].timestamp_ms"),  # type: ignore[arg-type]
    ]
    for event, field in cases:
        with pytest.raises(InvalidInputError) as caught:
            prepare(Append(ITEM, [NewEvent("A", {}), event], 0), 0, STAMP, LAYOUT, field=path)
        assert caught.value.field.startswith(path + field)
        if not path:
            with pytest.raises(InvalidInputError, match=f"^{re.escape(field)}"):
                prepare(Append(ITEM, [NewEvent("A", {}), event], 0), 0, STAMP, LAYOUT)


def test_an_event_may_be_as_large_as_an_item() -> None:
    """
    To the byte; beyond, it is told which one, and how large it is.
    """
    stamp = replace(STAMP, event_ids=("event-1", "event-2"))
    rest = item_size(event_row.encode(prepare(append({}, {"t": ""}), 0, stamp, LAYOUT).events[1], 16))
    fits = prepare(append({}, {"t": "x" * (400 * 1024 - rest)}), 0, stamp, LAYOUT)
    assert item_size(event_row.encode(fits.events[1], 16)) == limits.ITEM_MAX_BYTES == 409_600

    with pytest.raises(LimitExceededError) as caught:
        prepare(append({}, {"t": "x" * (400 * 1024 - rest + 1)}), 0, stamp, LAYOUT, field="appends[3].")

    error = caught.value
    assert (error.field, error.limit, error.actual, error.unit) == ("appends[3].events[1]", 409_600, 409_601, "bytes")


# A transaction


def test_a_transaction_has_the_commits_then_what_is_unchanged_then_the_callers_rows() -> None:
    """
    In that order, each action with its role and the index of whose it is; the first commit's id is the token.
    """
    beside = Beside(also=[also(), also()], unchanged=[Unchanged("item-8", 3), Unchanged("item-9", 0)])

    made = assemble([prepared(1, 2), prepared(2, 1)], beside=beside, table="t_events")

    check = {"TableName": "t_events", **ABSENT}
    assert made.request == {
        "TransactItems": [
            {"Put": "1/0"},
            {"Put": "1/1"},
            {"Put": "2/0"},
            {"ConditionCheck": {**check, "Key": {"aggregateId": {"S": "item-8"}, "sequenceNumber": {"N": "4"}}}},
            {"ConditionCheck": {**check, "Key": {"aggregateId": {"S": "item-9"}, "sequenceNumber": {"N": "1"}}}},
            {"Put": "own"},
            {"Put": "own"},
        ],
        "ClientRequestToken": "commit-1",
    }
    assert made.roles == (
        (0, Role.EVENT),
        (0, Role.EVENT),
        (1, Role.EVENT),
        (0, Role.UNCHANGED),
        (1, Role.UNCHANGED),
        (0, Role.ALSO),
        (1, Role.ALSO),
    )
    assert [each.commit_id for each in made.commits] == ["commit-1", "commit-2"]
    assert made.beside is beside
    assert assemble([prepared()]).beside == NOTHING_BESIDE == Beside((), ())
    assert Transaction((), (), {}).beside == NOTHING_BESIDE


def test_a_transaction_has_up_to_100_actions() -> None:
    """
    Those beside the commits count; what was too large is named.
    """
    beside = Beside(also=[also()], unchanged=[Unchanged("item-8", 3)])
    assert len(assemble([prepared(1, 98)], beside=beside).roles) == limits.TRANSACTION_MAX_ACTIONS == 100

    with pytest.raises(LimitExceededError) as caught:
        assemble([prepared(1, 99)], beside=beside)

    error = caught.value
    assert (error.field, error.limit, error.actual, error.unit) == ("events", 100, 101, "actions")


def test_a_transaction_has_up_to_4_mb() -> None:
    """
    Of rows, the caller's own included.
    """
    beside = Beside(also=[also(5), also(6)])
    assert assemble([prepared(size=4_194_304 - 11)], beside=beside)
    assert limits.TRANSACTION_MAX_BYTES == 4_194_304

    with pytest.raises(LimitExceededError) as caught:
        assemble([prepared(size=4_194_304 - 10)], "appends", beside)

    error = caught.value
    assert (error.field, error.limit, error.actual, error.unit) == ("appends", 4_194_304, 4_194_305, "bytes")

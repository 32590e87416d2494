"""Whatever a table can hold under the names of our attributes ends in a value or in one known error."""

import contextlib
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore.errors import CorruptRowError, NewerRowError
from eventstore.model import RecordedEvent
from eventstore.rows import event as event_row
from eventstore.rows import outbox as outbox_row
from eventstore.rows import refused
from eventstore.rows.item import INTEGER_MAX
from eventstore.rows.outbox import OutboxRow
from eventstore.rows.refused import RefusedMark
from relay.feed import change
from relay.leases import records
from relay.leases.fleet import Fleet
from relay.operating.audit_trail import AuditRecord
from relay.operating.audit_trail import decode as audit_of
from relay.operating.parked.mark import MarkedRow
from relay.operating.parked.mark import read as marked
from relay.outbox.row import UnreadableRow, of_row
from relay.testing.commits import commit

OUTBOX = "inventory_outbox"
ATTEMPTS = settings(max_examples=400, deadline=None)

NUMBERS = st.sampled_from(
    ["0", "-0", "-1", "1", "1.5", "1E+125", "1E-130", "-9.9E+125", "9" * 38, "0." + "0" * 36 + "1", str(2**63), "1E2"]
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.builds(lambda depth: "[" * depth + "]" * depth, st.sampled_from([1, 100, 100_000])),
    st.builds(lambda depth: '{"a":' + "[" * depth + "]" * depth + "}", st.sampled_from([1, 100_000])),
    st.builds(lambda depth: '[{"eventData":' * depth + "1" + "}]" * depth, st.sampled_from([1, 100_000])),
    st.sampled_from(["", "[]", "{}", "null", '"\\ud800"', "[1e999]", "\x00", "NaN", "bus"]),
    st.just("\ud800"),  # no server stores it; a proxy or a cache may yet make it
)
SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, TEXTS),
    st.builds(lambda number: {"N": number}, NUMBERS),
    st.builds(lambda content: {"B": content}, st.binary(max_size=8)),
    st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"SS": texts}, st.lists(TEXTS, max_size=3)),
    st.builds(lambda numbers: {"NS": numbers}, st.lists(NUMBERS, max_size=3)),
    st.just({"BS": [b"\xff"]}),
    st.just({}),  # DynamoDB Local writes an empty map so
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3)),
        st.builds(
            lambda values: {"M": values},
            st.dictionaries(
                st.sampled_from(["bus", "index", "reason", "attempts", "until", "M", "S"]), inner, max_size=3
            ),
        ),
    ),
    max_leaves=8,
)
ABSENT = object()


def good_outbox_row() -> dict[str, Any]:
    row: dict[str, Any] = dict(outbox_row.encode(commit("a", 3, events=2).events or (), 1_735_689_600_000, 10_000))
    return {
        **row,
        "delivered": {"SS": ["index"]},
        "parked": {"M": {"bus": {"M": {"reason": {"S": "too large"}, "attempts": {"N": "1"}}}}},
        "releasedAt": {"N": "1735689600000"},
        "refused": refused.encode({"bus": RefusedMark(3, 1_735_689_600_000, 1_735_689_660_000, "nack")}),
    }


def good_event_row() -> dict[str, Any]:
    return dict(event_row.encode((commit("a", 3).events or ())[0], 4))


def changed(good: dict[str, Any], *, keep: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Return rows that differ from a good one in a few attributes; DynamoDB sees to those of the key."""
    names = st.sampled_from(sorted({*good, "layout", "unknown"} - {*keep}))
    changes = st.dictionaries(names, st.one_of(VALUES, st.just(ABSENT)), min_size=1, max_size=4)

    def apply(change_of: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**good, **change_of}.items() if value is not ABSENT}

    return changes.map(apply)


KEY_NUMBERS = st.one_of(NUMBERS, st.integers(1, 10).map(str))
STORED = st.builds(
    lambda row, number: {**row, "sequenceNumber": {"N": number}},
    changed(good_outbox_row(), keep=("aggregateId", "sequenceNumber")),
    KEY_NUMBERS,
)
ANY = changed(good_outbox_row(), keep=())


@ATTEMPTS
@given(st.one_of(STORED, ANY))
def test_an_outbox_row_is_a_commit_a_defect_or_unreadable(item: dict[str, Any]) -> None:
    """
    What comes out can be put in order and sent: its numbers are whole, and every text of it has a form in UTF-8.
    """
    row = of_row(item, OUTBOX)

    assert isinstance(row, OutboxRow | UnreadableRow)
    row.aggregate_id.encode()
    if isinstance(row, OutboxRow):
        assert 1 <= row.first <= row.last <= INTEGER_MAX
        for text in (row.aggregate_type, row.commit_id, *row.delivered, *row.parked.values()):
            text.encode()
        for name, mark in row.refused.items():
            name.encode()
            mark.reason.encode()
            assert mark.attempts >= 1
            assert 0 <= min(mark.since_ms, mark.until_ms) <= max(mark.since_ms, mark.until_ms) <= INTEGER_MAX
        assert row.events is None or len(row.events) == row.last - row.first + 1
        assert row.events is None or (row.defect is None and row.copy_fault is None)
        if row.defect is None:
            assert row == outbox_row.decode(item, OUTBOX)
    else:
        assert row.reason


@ATTEMPTS
@given(st.one_of(STORED, ANY))
def test_an_operator_sees_it_too(item: dict[str, Any]) -> None:
    """
    Marks are read from whatever is there.
    """
    row = marked(item, OUTBOX)

    assert isinstance(row, MarkedRow)
    assert row.first is None or 1 <= row.first <= row.last
    for mark in row.marks.values():
        mark.reason.encode()
        mark.error_class.encode()


RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "eventName": st.sampled_from(["INSERT", "MODIFY", "REMOVE", "insert", "", None, 7]),
        "dynamodb": st.one_of(
            st.none(),
            st.just("x"),
            st.fixed_dictionaries(
                {},
                optional={
                    "NewImage": st.one_of(STORED, ANY, st.none(), st.just([])),
                    "SequenceNumber": st.sampled_from(["100", "", "-5", "1.5", "x", "٣", None, 7, "9" * 5_000]),
                    "ApproximateCreationDateTime": st.sampled_from(
                        [None, 1.5, math.inf, "soon", datetime.min, datetime.max, datetime(2025, 1, 1, tzinfo=UTC)]  # noqa: DTZ901 - bare on purpose
                    ),
                },
            ),
        ),
    },
)


@ATTEMPTS
@given(RECORDS)
def test_a_change_record_asks_for_a_row_or_for_nothing(record: dict[str, Any]) -> None:
    """
    It may lack its image, its place, its time and its name.
    """
    assert isinstance(change.of_record(record, OUTBOX), OutboxRow | UnreadableRow | None)
    place = change.position_of(record)
    assert place is None or place.number == 100
    at_ms = change.written_at_ms(record)
    assert at_ms is None or isinstance(at_ms, int)


@ATTEMPTS
@given(changed(good_event_row(), keep=()))
def test_an_event_row_is_an_event_or_corrupt(item: dict[str, Any]) -> None:
    """
    Nothing but the one error that readers know comes out.
    """
    try:
        event = event_row.decode(item, "inventory_events")
    except CorruptRowError:
        return
    assert isinstance(event, RecordedEvent)
    for number in (event.sequence_number, event.timestamp_ms, event.schema_version, event.epoch):
        assert abs(number) <= INTEGER_MAX


def fleet_items() -> st.SearchStrategy[list[dict[str, Any]]]:
    lease = {
        **records.new_lease("lease#label#shard-1", 1_735_689_600_000),
        "owner": {"S": "w-1"},
        "feedPosition": {"S": "100000000000000000001"},
        "handOverTo": {"S": "w-2"},
    }
    worker = {
        **records.key_of("worker#w-1"),
        "counter": {"N": "1"},
        "state": {"S": "working"},
        "host": {"S": "h"},
        "pid": {"N": "1"},
        "release": {"S": "1"},
        "startedAt": {"N": "1"},
        "updatedAt": {"N": "1"},
        "report": {"S": "{}"},
    }
    pause = {**records.key_of("pause"), "by": {"S": "me"}, "at": {"N": "1"}, "reason": {"S": ""}}
    keys = ("recordType", "recordKey")
    return st.lists(st.one_of(*(changed(good, keep=keys) for good in (lease, worker, pause))), max_size=4)


@ATTEMPTS
@given(fleet_items())
def test_a_record_of_the_fleet_is_read_or_named(items: list[dict[str, Any]]) -> None:
    """
    One odd record must not end every worker that looks at the fleet.
    """
    fleet = records.decode_fleet(items, "inventory_relay")

    assert isinstance(fleet, Fleet)
    assert len(fleet.leases) + len(fleet.workers) + len(fleet.unreadable) <= 2 * len(items)


@ATTEMPTS
@given(
    changed(
        {
            "recordType": {"S": "audit"},
            "recordKey": {"S": "k"},
            "verb": {"S": "drop"},
            "by": {"S": "me"},
            "at": {"N": "1"},
            "reason": {"S": ""},
            "about": {"M": {"aggregate": {"S": "a"}}},
        },
        keep=("recordType", "recordKey"),
    )
)
def test_an_audit_record_is_read_or_corrupt(item: dict[str, Any]) -> None:
    """
    `relay audit` lists the others.
    """
    with contextlib.suppress(CorruptRowError):
        assert isinstance(audit_of(item, "inventory_relay"), AuditRecord)


@pytest.mark.parametrize("layout", ["2", "3", "99"])
def test_a_row_of_a_later_release_is_waited_for(layout: str) -> None:
    """
    Its range seems readable, and may mean something else by then: it is neither delivered nor parked.
    """
    row = of_row({**good_outbox_row(), "layout": {"N": layout}}, OUTBOX)

    assert row == UnreadableRow("a", 4, row.reason, is_newer=True)
    assert row.reason == (
        f"row a/4 of inventory_outbox: attribute 'layout' is {layout}, and this release knows row layouts up to 1:"
        " upgrade it"
    )


@pytest.mark.parametrize("layout", [{"S": "2"}, {"N": "0"}, {"N": "1.5"}, {"N": "1E+125"}, {"NULL": True}])
def test_a_layout_that_cannot_be_read_is_no_reason_to_park(layout: dict[str, Any]) -> None:
    """
    Nobody can say whether the rest means what it seems to mean.
    """
    row = of_row({**good_outbox_row(), "layout": layout}, OUTBOX)

    assert isinstance(row, UnreadableRow)
    assert not row.is_newer
    assert "'layout'" in row.reason


@pytest.mark.parametrize("layout", [ABSENT, {"N": "1"}])
def test_a_row_of_this_layout_and_one_from_before_layouts(layout: Any) -> None:
    """
    A row that does not say its layout has the first.
    """
    row = {name: value for name, value in good_outbox_row().items() if name != "layout"}
    if layout is not ABSENT:
        row["layout"] = layout

    found = of_row(row, OUTBOX)

    assert isinstance(found, OutboxRow)
    assert (found.first, found.last, found.defect, found.copy_fault) == (3, 4, None, None)
    assert found.events is not None


def test_an_event_of_a_later_release_says_upgrade() -> None:
    """
    The row is sound; whoever reads it must be newer.
    """
    with pytest.raises(NewerRowError, match="knows row layouts up to 1: upgrade it") as caught:
        event_row.decode({**good_event_row(), "layout": {"N": "2"}}, "inventory_events")

    assert (caught.value.layout, caught.value.known, caught.value.field) == (2, 1, "layout")

"""Rows as they lie in the tables, attribute by attribute: they outlive the release that wrote them."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from eventstore.errors import CorruptRowError, NewerRowError
from eventstore.model import RecordedEvent
from eventstore.rows import event as event_row
from eventstore.rows import idempotency, outbox, refused
from eventstore.rows.idempotency import KeyRow
from eventstore.rows.item import INTEGER_MAX, ItemReader, content, describe_key, is_text, item_size, row_key
from eventstore.rows.refused import RefusedMark

EVENT = RecordedEvent(
    aggregate_id="item-1",
    aggregate_type="ITEM",
    sequence_number=3,
    type="COUNTED",
    data_json='{"number":7}',
    metadata_json='{"user":"ann"}',
    schema_version=2,
    timestamp_ms=1_735_689_600_000,
    event_id="event-3",
    commit_id="commit-1",
    commit_first=3,
    commit_last=4,
    epoch=5,
)
SECOND = replace(EVENT, sequence_number=4, event_id="event-4", data_json="{}", timestamp_ms=1_735_689_600_001)
EVENT_ROW = {
    "aggregateId": {"S": "item-1"},
    "sequenceNumber": {"N": "3"},
    "aggregateType": {"S": "ITEM"},
    "eventType": {"S": "COUNTED"},
    "eventData": {"S": '{"number":7}'},
    "metadata": {"S": '{"user":"ann"}'},
    "timestamp": {"N": "1735689600000"},
    "version": {"N": "2"},
    "eventId": {"S": "event-3"},
    "commitId": {"S": "commit-1"},
    "commitFirst": {"N": "3"},
    "commitLast": {"N": "4"},
    "epoch": {"N": "5"},
    "eventTypeShard": {"S": "COUNTED#11"},
    "aggregateTypeShard": {"S": "ITEM#11"},
    "dayShard": {"S": "2025-01-01#11"},
}
SHELL = {
    "aggregateId": {"S": "item-1"},
    "sequenceNumber": {"N": "4"},
    "firstSequence": {"N": "3"},
    "commitId": {"S": "commit-1"},
    "aggregateType": {"S": "ITEM"},
    "committedAt": {"N": "1735689600123"},
    "epoch": {"N": "5"},
    "layout": {"N": "1"},
}
COPIES = [
    {
        "eventId": "event-3",
        "eventType": "COUNTED",
        "eventData": {"number": 7},
        "metadata": {"user": "ann"},
        "timestamp": 1_735_689_600_000,
        "version": 2,
    },
    {
        "eventId": "event-4",
        "eventType": "COUNTED",
        "eventData": {},
        "metadata": {"user": "ann"},
        "timestamp": 1_735_689_600_001,
        "version": 2,
    },
]
OUTBOX_ROW = {**SHELL, "events": {"S": json.dumps(COPIES, separators=(",", ":"))}}
KEY_ROW = {
    "aggregateId": {"S": "item-1"},
    "key": {"S": "k"},
    "aggregateType": {"S": "ITEM"},
    "commitId": {"S": "commit-1"},
    "firstSequence": {"N": "3"},
    "lastSequence": {"N": "4"},
    "digest": {"S": "cafe"},
    "storedAt": {"N": "1735689600123"},
    "epoch": {"N": "5"},
}
KEY = KeyRow("item-1", "k", "ITEM", "commit-1", 3, 4, "cafe", 1_735_689_600_123, 5)


def without(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {each: value for each, value in row.items() if each != name}


# Events


def test_an_event_is_stored_under_these_names() -> None:
    """
    And is read back from them; the keys of the indexes are for queries alone.
    """
    assert event_row.encode(EVENT, 16) == EVENT_ROW
    assert event_row.decode(EVENT_ROW, "events") == EVENT


@pytest.mark.parametrize(
    ("aggregate_id", "number", "shards", "wanted"),
    [("item-1", 3, 16, 11), ("item-1", 4, 16, 8), ("käse", 1, 5, 3), ("item-1", 3, 1, 0)],
)
def test_the_write_shard_of_an_event_stays_the_same(aggregate_id: str, number: int, shards: int, wanted: int) -> None:
    """
    CRC-32 of `id/number`: every release finds the same one.
    """
    assert event_row.write_shard(aggregate_id, number, shards) == wanted


@pytest.mark.parametrize(
    ("timestamp_ms", "day"),
    [(1_735_689_599_999, "2024-12-31"), (1_735_689_600_000, "2025-01-01"), (-1, "1969-12-31")],
)
def test_days_are_those_of_utc(timestamp_ms: int, day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    To the millisecond, wherever the machine stands.
    """
    for zone in ("Etc/GMT-12", "Etc/GMT+12"):
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            assert event_row.day_of(timestamp_ms) == day
    time.tzset()


@pytest.mark.parametrize("number", [0, -1])
def test_sequence_numbers_count_from_1(number: int) -> None:
    """
    Any other is told with its field.
    """
    with pytest.raises(CorruptRowError) as caught:
        event_row.decode({**EVENT_ROW, "sequenceNumber": {"N": str(number)}}, "events")

    assert (caught.value.table, caught.value.field) == ("events", "sequenceNumber")
    first = event_row.decode({**EVENT_ROW, "sequenceNumber": {"N": "1"}}, "events")
    assert first.sequence_number == 1


@pytest.mark.parametrize("name", [name for name in EVENT_ROW if not name.endswith("Shard")])
def test_an_event_lacks_nothing(name: str) -> None:
    """
    The attribute that is missing is named.
    """
    with pytest.raises(CorruptRowError) as caught:
        event_row.decode(without(EVENT_ROW, name), "events")

    assert caught.value.field == name


# Commits that are owed


def test_a_commit_is_stored_under_these_names() -> None:
    """
    With its events, and is read back with them.
    """
    row = outbox.encode([EVENT, SECOND], 1_735_689_600_123, 1024)

    assert row == OUTBOX_ROW
    read = outbox.decode(row, "outbox")
    assert read.events == (EVENT, SECOND)
    assert replace(read, events=None) == outbox.decode(SHELL, "outbox")
    assert read == outbox.OutboxRow(
        "item-1",
        "ITEM",
        "commit-1",
        3,
        4,
        1_735_689_600_123,
        5,
        (EVENT, SECOND),
        frozenset(),
        {},
    )
    assert read.key == ("item-1", 4)


def test_a_row_carries_its_events_while_it_stays_small() -> None:
    """
    The bound is that of the whole row, which may be reached and not passed.
    """
    size = item_size(OUTBOX_ROW)

    assert outbox.encode([EVENT, SECOND], 1_735_689_600_123, size) == OUTBOX_ROW
    assert outbox.encode([EVENT, SECOND], 1_735_689_600_123, size - 1) == SHELL
    assert outbox.encode([EVENT, SECOND], 1_735_689_600_123, 1) == SHELL


@pytest.mark.parametrize(
    ("first", "last", "is_sound"),
    [(1, 1, True), (0, 1, False), (3, 2, False), (-1, 1, False), (1, 98, True), (1, 99, False), (7, 104, True)],
)
def test_the_range_of_a_commit(first: int, last: int, is_sound: bool) -> None:  # noqa: FBT001 - a case
    """
    It begins at 1 or above, ends where it begins or above, and has up to 98 events.
    """
    row = {**SHELL, "firstSequence": {"N": str(first)}, "sequenceNumber": {"N": str(last)}}
    if is_sound:
        read = outbox.decode(row, "outbox")
        assert (read.first, read.last) == (first, last)
        return
    with pytest.raises(CorruptRowError) as caught:
        outbox.decode(row, "outbox")
    assert (caught.value.table, caught.value.field) == ("outbox", "firstSequence")


@pytest.mark.parametrize("name", [name for name in SHELL if name != "layout"])
def test_a_commit_lacks_nothing(name: str) -> None:
    """
    The attribute that is missing is named.
    """
    with pytest.raises(CorruptRowError) as caught:
        outbox.decode(without(SHELL, name), "outbox")

    assert caught.value.field == name


@pytest.mark.parametrize(
    "events",
    [
        {"S": "[]"},
        {"S": json.dumps(COPIES[:1])},
        {"S": json.dumps([*COPIES, COPIES[0]])},
        {"S": "no JSON"},
        {"S": json.dumps([COPIES[0], without(COPIES[1], "version")])},
        {"N": "7"},
    ],
)
def test_a_copy_that_cannot_be_read_leaves_the_commit_sound(events: dict[str, str]) -> None:
    """
    Its events are read by key, and the row says why.
    """
    read = outbox.decode({**SHELL, "events": events}, "outbox")

    assert read.copy_fault is not None
    assert "'events'" in read.copy_fault
    assert replace(read, copy_fault=None) == outbox.decode(SHELL, "outbox")


def test_who_has_a_commit_and_for_whom_it_is_parked() -> None:
    """
    A mark is a map with a reason, in rows of old the reason itself; what is neither is a mark all the same.
    """
    read = outbox.decode(
        {
            **SHELL,
            "delivered": {"SS": ["bus", "file"]},
            "parked": {
                "M": {
                    "index": {"M": {"reason": {"S": "too large"}, "at": {"N": "7"}}},
                    "old": {"S": "gone"},
                    "odd": {"N": "7"},
                    "half": {"S": "\ud800"},
                }
            },
            "refused": refused.encode({"index": RefusedMark(2, 10, 20, "nack")}),
        },
        "outbox",
    )

    assert read.delivered == {"bus", "file"}
    assert read.parked == {"index": "too large", "old": "gone", "odd": "?", "half": "?"}
    assert read.refused == {"index": RefusedMark(2, 10, 20, "nack")}
    assert (read.events, read.copy_fault, read.defect) == (None, None, None)


@pytest.mark.parametrize(("row", "decode"), [(EVENT_ROW, event_row.decode), (SHELL, outbox.decode)])
def test_layouts(row: Mapping[str, Any], decode: Any) -> None:
    """
    A row of a later layout is left to a later release; numbers count from 1, and nothing is 1.
    """
    assert decode({**row, "layout": {"N": "1"}}, "t") == decode(without(row, "layout"), "t")
    with pytest.raises(NewerRowError) as newer:
        decode({**row, "layout": {"N": "2"}}, "t")
    key = f"item-1/{row['sequenceNumber']['N']}"
    assert (newer.value.table, newer.value.key, newer.value.field) == ("t", key, "layout")
    assert (newer.value.layout, newer.value.known) == (2, 1)
    with pytest.raises(CorruptRowError) as wrong:
        decode({**row, "layout": {"N": "0"}}, "t")
    assert wrong.value.field == "layout"
    assert not isinstance(wrong.value, NewerRowError)


# Marks of refusals

MARK = {"M": {"attempts": {"N": "2"}, "since": {"N": "10"}, "until": {"N": "20"}, "reason": {"S": "nack"}}}


def test_a_refusal_is_stored_under_these_names() -> None:
    """
    And is read back from them.
    """
    marks = {"bus": RefusedMark(2, 10, 20, "nack"), "index": RefusedMark(1, 0, INTEGER_MAX, "silent")}

    assert refused.encode({"bus": marks["bus"]}) == {"M": {"bus": MARK}}
    assert refused.decode({"refused": refused.encode(marks)}) == marks
    assert refused.decode({}) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attempts", {"N": "0"}),
        ("attempts", {"N": "x"}),
        ("attempts", {"S": "2"}),
        ("since", {"N": "-1"}),
        ("since", {"N": str(INTEGER_MAX + 1)}),
        ("until", None),
        ("until", {"N": 7}),
        ("reason", {"N": "7"}),
        ("reason", {"S": "\ud800"}),
    ],
)
def test_what_is_no_mark_is_left_out(field: str, value: Any) -> None:
    """
    It costs a pause, never a commit, and the others stay.
    """
    broken = {"M": {**MARK["M"], field: value}}

    assert refused.decode({"refused": {"M": {"bus": MARK, "index": broken}}}) == {"bus": RefusedMark(2, 10, 20, "nack")}


@pytest.mark.parametrize("marks", [{"S": "x"}, {"M": 7}, {"M": {"bus": {"S": "x"}}}, {"M": {"bus": {"M": 7}}}])
def test_what_holds_no_marks_has_none(marks: Any) -> None:
    """
    Whatever it is.
    """
    assert refused.decode({"refused": marks}) == {}


# Callers' keys


def test_a_key_is_stored_under_these_names() -> None:
    """
    And is read back from them; the fingerprint of a command is there when the caller gave one.
    """
    with_command = replace(KEY, command="order 7")

    assert idempotency.encode(KEY) == KEY_ROW
    assert idempotency.decode(KEY_ROW, "idempotency") == KEY
    assert idempotency.encode(with_command) == {**KEY_ROW, "command": {"S": "order 7"}}
    assert idempotency.decode(idempotency.encode(with_command), "idempotency") == with_command
    assert idempotency.key_of("item-1", "k") == {"aggregateId": {"S": "item-1"}, "key": {"S": "k"}}


@pytest.mark.parametrize("name", list(KEY_ROW))
def test_a_key_lacks_nothing(name: str) -> None:
    """
    The attribute that is missing is named.
    """
    with pytest.raises(CorruptRowError) as caught:
        idempotency.decode(without(KEY_ROW, name), "idempotency")

    assert (caught.value.table, caught.value.field) == ("idempotency", name)


def test_a_commit_leaves_this_for_its_key() -> None:
    """
    From its first number to its last, with the SHA-256 of what its events say.
    """
    row = idempotency.row_of([EVENT, SECOND], "k", "order 7", 1_735_689_600_123)

    assert replace(row, digest="cafe") == replace(KEY, command="order 7")
    said = b'[["COUNTED",2,{"number":7}],["COUNTED",2,{}]]'
    assert row.digest == hashlib.sha256(said).hexdigest()
    alone = idempotency.row_of([EVENT], "k", None, 1_735_689_600_123)
    assert (alone.first, alone.last, alone.command) == (3, 3, None)


def test_the_order_of_names_is_no_content() -> None:
    """
    Another process may build its dicts in another order; the order of a list is content.
    """
    digests = [
        idempotency.digest_of([replace(EVENT, data_json=text)])
        for text in ('{"a":1,"b":{"c":[1,2],"d":3}}', '{"b":{"d":3,"c":[1,2]},"a":1}', '{"a":1,"b":{"c":[2,1],"d":3}}')
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a":[1,0.5,"x",null]}', {"a": [1, 0.5, "x", None]}), ("1.50", 1.5), ("1e2", 100.0), ("0.1", 0.1)],
)
def test_a_number_that_a_float_holds_is_that_float(text: str, value: object) -> None:
    """
    However it is written.
    """
    assert idempotency.exact(text) == value


@pytest.mark.parametrize("text", ["0.10000000000000000001", "1e99999999999999999999", "123456789.12345678912"])
def test_a_number_that_a_float_would_round_is_kept_as_it_is_written(text: str) -> None:
    """
    Contents that differ in it are different contents.
    """
    assert bytes(idempotency.exact(text)) == text.encode()
    one, other = (idempotency.digest_of_content([idempotency.exact(each)]) for each in (text, text.replace("1", "2")))
    assert one != other


# Items


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "abc"}, 3),
        ({"S": "käse"}, 5),
        ({"N": "7"}, 2),
        ({"N": "-1234"}, 4),
        ({"N": "12.345"}, 4),
        ({"B": b"1234"}, 4),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "ä"]}, 4),
        ({"NS": ["1", "123"]}, 5),
        ({"BS": [b"a", b"bc"]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 8),
        ({"M": {}}, 3),
        ({"M": {"ä": {"S": "ab"}, "b": {"N": "1"}}}, 12),
    ],
)
def test_the_size_of_an_item(value: dict[str, Any], size: int) -> None:
    """
    Names and values in UTF-8, two digits a byte and one more, three bytes for a container and one for each element.
    """
    assert item_size({"n": value}) == 1 + size
    assert item_size({"nä": value, "m": {"S": ""}}) == 3 + size + 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "is missing"),
        ("x", "has no kind"),
        ({"N": "7"}, "is of kind N, not S"),
        ({"S": "\ud800"}, "is not text"),
        ({"S": 7}, "is not text"),
    ],
)
def test_what_is_no_text(value: Any, reason: str) -> None:
    """
    It is told with the row's key, the field, and why.
    """
    reader = ItemReader({**row_key("item-1", 7), "f": value}, "events")

    with pytest.raises(CorruptRowError) as caught:
        reader.text("f")
    assert (caught.value.table, caught.value.key, caught.value.field) == ("events", "item-1/7", "f")
    assert caught.value.reason == reason
    with pytest.raises(CorruptRowError):
        reader.text_or_none("f")
    assert reader.text_or_none("g") is None


@pytest.mark.parametrize("text", ["", "abc", "käse", "日本"])
def test_what_is_text(text: str) -> None:
    """
    All that UTF-8 can express.
    """
    assert ItemReader({"f": {"S": text}}, "events").text("f") == text
    assert ItemReader({"f": {"S": text}}, "events").text_or_none("f") == text
    assert is_text(text)
    assert is_text("\ud800") is is_text(7) is False


@pytest.mark.parametrize("number", [0, -7, INTEGER_MAX, -INTEGER_MAX])
def test_whole_numbers(number: int) -> None:
    """
    Of 64 bits.
    """
    assert INTEGER_MAX == 9_223_372_036_854_775_807
    assert ItemReader({"f": {"N": str(number)}}, "events").integer("f") == number


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "is missing"),
        ({"S": "7"}, "is of kind S, not N"),
        ({"N": "1.5"}, "is 1.5, not a whole number"),
        ({"N": None}, "is None, not a whole number"),
        ({"N": "9223372036854775808"}, "is 9223372036854775808, beyond 64 bits"),
        ({"N": "-9223372036854775808"}, "is -9223372036854775808, beyond 64 bits"),
    ],
)
def test_what_is_no_whole_number(value: Any, reason: str) -> None:
    """
    It is told why.
    """
    with pytest.raises(CorruptRowError) as caught:
        ItemReader({"f": value}, "events").integer("f")

    assert (caught.value.field, caught.value.reason) == ("f", reason)


def test_sets_and_maps() -> None:
    """
    What is absent is empty; what is another thing is told.
    """
    item = {
        "s": {"SS": ["a", "b"]},
        "m": {"M": {"a": {"N": "1"}}},
        "e": {},
        "odd": {"SS": ["\ud800"], "M": 7},
        "n": {"SS": 7},
    }
    reader = ItemReader(item, "events")

    assert reader.text_set("s") == {"a", "b"}
    assert reader.text_map("m") == {"a": {"N": "1"}}
    assert (reader.text_set("x"), reader.text_map("x"), reader.text_map("e")) == (frozenset(), {}, {})
    for read, field, reason in (
        (reader.text_set, "odd", "is not a set of texts"),
        (reader.text_set, "n", "is not a set of texts"),
        (reader.text_map, "odd", "is not a map"),
        (reader.text_set, "m", "is of kind M, not SS"),
        (reader.text_map, "s", "is of kind SS, not M"),
    ):
        with pytest.raises(CorruptRowError) as caught:
            read(field)
        assert (caught.value.field, caught.value.reason) == (field, reason)


def test_what_an_attribute_holds_when_it_is_of_one_kind() -> None:
    """
    Else nothing.
    """
    item: Any = {"a": {"S": "x"}, "b": "x"}

    assert content(item, "a", "S") == "x"
    assert [content(item, "a", "N"), content(item, "b", "S"), content(item, "c", "S")] == [None, None, None]


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        ({"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "7"}}, "a/7"),
        ({"aggregateId": {"N": "1"}}, "?/?"),
        ({"recordType": {"S": "lease"}, "recordKey": {"S": "k"}, "aggregateId": {"S": "a"}}, "lease/k"),
        ({"recordType": {"N": "1"}}, "?/?"),
    ],
)
def test_the_key_of_a_row_as_a_person_would_write_it(item: Any, wanted: str) -> None:
    """
    Of rows of the relay table, and of the others.
    """
    assert describe_key(item) == wanted
    assert row_key("a", 7) == {"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "7"}}

"""Marks, which of them are meant, and how they are counted."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest

from relay.operating.parked.grouping import GROUPS_MAX, NEWER, OTHER, UNREADABLE, Example, Group, Grouping
from relay.operating.parked.mark import MarkedRow, read
from relay.operating.parked.selection import Selection
from relay.outbox.row import RowId

from .conftest import mark

ALL = Selection()


def row(aggregate_id: str, last: int, *parked: str, error_class: str = "too_large", on_bus: bool = False) -> MarkedRow:
    return read(
        {
            "aggregateId": {"S": aggregate_id},
            "sequenceNumber": {"N": str(last)},
            "firstSequence": {"N": str(last)},
            "parked": {"M": {name: mark(error_class, "why") for name in parked}},
            **({"delivered": {"SS": ["bus"]}} if on_bus else {}),
        }
    )


def test_a_mark_as_the_relay_writes_it() -> None:
    """
    All of it is read, and what it is stored as is kept.
    """
    found = row("a", 3, "bus").marks["bus"]

    assert (found.destination, found.reason, found.error_class, found.attempts) == ("bus", "why", "too_large", 1)
    assert (found.first_failed_at_ms, found.last_failed_at_ms) == (1735689600000, 1735689600000)
    assert found.stored == mark("too_large", "why")


def test_rows_that_are_broken_in_every_field_are_shown_all_the_same() -> None:
    """
    The key alone can be relied on.
    """
    found = read(
        {
            "aggregateId": {"S": "a"},
            "sequenceNumber": {"N": "5"},
            "firstSequence": {"S": "x"},
            "committedAt": {"N": "1.5"},
            "aggregateType": {"N": "3"},
            "delivered": {"S": "bus"},
            "releasedAt": {"BOOL": True},
            "parked": {"M": {"bus": {"S": "an old mark"}, "index": {"M": {"reason": {"N": "1"}}}}},
        }
    )

    assert (found.first, found.committed_at_ms, found.aggregate_type, found.released_at_ms) == (None, None, "?", None)
    assert found.delivered == frozenset()
    assert found.marks["bus"].reason == "an old mark"
    assert found.marks["index"].reason == "the mark does not say why"
    assert {each.error_class for each in found.marks.values()} == {"unknown"}


def test_a_row_whose_number_is_no_whole_one_says_not_where_it_begins() -> None:
    """
    The relay cannot read it, so it is listed with those that nobody can put in order.
    """
    found = read({"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "1.5"}, "firstSequence": {"N": "1"}})
    grouping = Grouping(ALL, examples_max=1)
    grouping.add([found])

    (group,) = grouping.groups()
    assert (group.destination, group.error_class, group.commits) == ("bus", UNREADABLE, 1)
    assert found.blocks


def test_delivered_outranks_parked() -> None:
    """
    A mark of a destination that has the commit says nothing.
    """
    assert sorted(row("a", 1, "bus", "index", on_bus=True).marks) == ["index"]


def test_what_a_selection_means() -> None:
    """
    All that is said must hold.
    """
    both = row("a", 1, "bus", "index")

    assert [each.destination for each in ALL.of(both)] == ["bus", "index"]
    assert [each.destination for each in Selection(destination="index").of(both)] == ["index"]
    assert Selection(aggregate_id="b").of(both) == []
    assert Selection(error_class="other").of(both) == []
    assert Selection().words() == {"all": "yes"}
    assert Selection("a", "bus", "c").words() == {"aggregate": "a", "destination": "bus", "error class": "c"}


def test_groups_say_what_waits_behind_them() -> None:
    """
    Only commits above, of the same aggregate, that the bus lacks; over the edge of a stretch; nothing for the index.
    """
    grouping = Grouping(ALL, examples_max=2)
    grouping.add([row("a", 1), row("a", 2, "bus"), row("a", 3)])
    grouping.add([row("a", 4, on_bus=True), row("a", 5), row("b", 1, "index", error_class="mapping"), row("b", 2)])
    grouping.add([row("c", 1, "bus"), row("d", 1, "bus"), row("d", 2, "index", error_class="mapping")])

    bus, index = grouping.groups()
    assert (bus.destination, bus.error_class, bus.commits, bus.waiting) == ("bus", "too_large", 3, 3)
    assert [(each.aggregate_id, each.last) for each in bus.examples] == [("a", 2), ("c", 1)]
    assert (index.destination, index.error_class, index.commits, index.waiting) == ("index", "mapping", 2, 0)
    assert grouping.rows == 10


def test_a_row_nobody_can_put_in_order_is_a_group_of_its_own() -> None:
    """
    It has no mark, and all the same a person must look.
    """
    broken = read({"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "5"}})
    grouping = Grouping(ALL, examples_max=2)
    grouping.add([broken, row("a", 6)])
    elsewhere = Grouping(Selection(destination="index"), examples_max=2)
    elsewhere.add([broken])

    (group,) = grouping.groups()
    assert (group.destination, group.error_class, group.commits, group.waiting) == ("bus", UNREADABLE, 1, 1)
    assert elsewhere.groups() == []


def test_what_waits_behind_a_mark_that_is_not_meant_is_not_counted_to_another() -> None:
    """
    The lowest mark holds everything up, whatever is asked about.
    """
    grouping = Grouping(Selection(error_class="other"), examples_max=2)
    grouping.add([row("a", 1, "bus"), row("a", 2, "bus", error_class="other"), row("a", 3)])

    (group,) = grouping.groups()
    assert (group.commits, group.waiting) == (1, 0)


def test_many_parked_commits_fit_into_little_memory() -> None:
    """
    Each with an error class of its own, which no relay writes: what is kept is bounded all the same.
    """

    def stretches() -> Iterator[list[MarkedRow]]:
        for start in range(0, 20_000, 500):
            yield [row(f"item-{n}", 1, "bus", error_class=f"class-{n}") for n in range(start, start + 500)]

    grouping = Grouping(ALL, examples_max=3)
    tracemalloc.start()
    for rows in stretches():
        grouping.add(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    groups = grouping.groups()
    assert len(groups) == GROUPS_MAX + 1 == 1_001
    assert sum(group.commits for group in groups) == 20_000
    assert next(group.commits for group in groups if group.error_class == OTHER) == 20_000 - GROUPS_MAX
    assert peak < 4_000_000


def test_all_that_a_row_says_is_shown() -> None:
    """
    By whose it is, where it begins, and what has become of it.
    """
    found = read(
        {
            "aggregateId": {"S": "a"},
            "sequenceNumber": {"N": "5"},
            "firstSequence": {"N": "5"},
            "commitId": {"S": "commit-1"},
            "aggregateType": {"S": "ITEM"},
            "committedAt": {"N": "-9223372036854775807"},
            "delivered": {"SS": ["index", "\ud800"]},
            "releasedAt": {"N": "7"},
        }
    )

    assert found == MarkedRow("a", 5, "commit-1", 5, "ITEM", -9_223_372_036_854_775_807, frozenset({"index"}), {}, 7)
    assert (found.id, found.key) == (RowId("a", 5, "commit-1"), ("a", 5))
    assert (found.layout_fault, found.is_newer, found.blocks) == (None, False, False)


@pytest.mark.parametrize("first", ["0", "6", "x", "-1"])
def test_a_row_that_does_not_say_where_it_begins_blocks(first: str) -> None:
    """
    Unless the bus has it. What it says wrongly is as good as nothing.
    """
    item = {"aggregateId": {"S": "\ud800"}, "sequenceNumber": {"N": "5"}, "firstSequence": {"N": first}}
    found = read({**item, "commitId": {"S": "\ud800"}, "committedAt": {"N": "9223372036854775808"}})

    assert found == MarkedRow("?", 5, None, None, "?", None, frozenset(), {}, None)
    assert found.blocks
    assert not read({**item, "delivered": {"SS": ["bus"]}}).blocks


@pytest.mark.parametrize(("layout", "is_newer"), [({"N": "2"}, True), ({"N": "0"}, False)])
def test_of_a_row_of_another_layout_the_key_is_shown(layout: dict[str, str], is_newer: bool) -> None:  # noqa: FBT001 - a case
    """
    And why; a row of a later release is a group of its own, as is one that nobody can read.
    """
    item = {"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "5"}, "firstSequence": {"N": "5"}, "layout": layout}
    found = read(item)

    assert found.layout_fault is not None
    assert "row a/5 of the outbox: attribute 'layout'" in found.layout_fault
    assert replace(found, layout_fault=None) == MarkedRow(
        "a", 5, None, None, "?", None, frozenset(), {}, None, is_newer=is_newer
    )
    assert "of shop_outbox" in str(read(item, "shop_outbox").layout_fault)
    grouping = Grouping(ALL, examples_max=1)
    grouping.add([found])
    (group,) = grouping.groups()
    assert (group.error_class, group.oldest_failed_at_ms) == (NEWER if is_newer else UNREADABLE, None)
    assert group.examples == [Example("a", 5, found.layout_fault)]


def test_groups_come_the_bus_first_and_the_largest_first() -> None:
    """
    With the time of the oldest, and the words of some.
    """
    grouping = Grouping(ALL, examples_max=1)
    grouping.add(
        [
            row("a", 1, "alpha"),
            row("b", 1, "bus", error_class="rare"),
            row("c", 1, "bus", error_class="common"),
            row("d", 1, "bus", error_class="common"),
            read({"aggregateId": {"S": "e"}, "sequenceNumber": {"N": "5"}}),
        ]
    )

    groups = grouping.groups()
    assert [(each.destination, each.error_class, each.commits) for each in groups] == [
        ("bus", "common", 2),
        ("bus", "rare", 1),
        ("bus", UNREADABLE, 1),
        ("alpha", "too_large", 1),
    ]
    assert groups[0].examples == [Example("c", 1, "why")]
    assert [each.oldest_failed_at_ms for each in groups] == [1735689600000, 1735689600000, None, 1735689600000]
    assert "does not say where it begins" in groups[2].examples[0].reason


def test_the_oldest_of_a_group_is_the_earliest_that_any_mark_says() -> None:
    """
    In whatever order they come; some say none.
    """
    group = Group("bus", "x")
    seen = []
    for at_ms in (None, 7, 5, None, 6):
        group.add(Example("a", 1, "why"), at_ms, 2)
        seen.append(group.oldest_failed_at_ms)

    assert seen == [None, 7, 5, 5, 5]
    assert (group.commits, len(group.examples), group.waiting) == (5, 2, 0)

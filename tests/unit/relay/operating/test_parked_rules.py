"""Marks, which of them are meant, and how they are counted."""

import tracemalloc
from collections.abc import Iterator

from relay.operating.parked.grouping import GROUPS_MAX, OTHER, UNREADABLE, Grouping
from relay.operating.parked.mark import MarkedRow, read
from relay.operating.parked.selection import Selection

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
    assert len(groups) == GROUPS_MAX + 1
    assert sum(group.commits for group in groups) == 20_000
    assert next(group.commits for group in groups if group.error_class == OTHER) == 20_000 - GROUPS_MAX
    assert peak < 4_000_000

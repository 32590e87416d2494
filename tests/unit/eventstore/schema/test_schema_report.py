"""A registry against what a store was counted to hold, by values."""

import msgspec
import pytest

from eventstore import EventTypes
from eventstore.schema.report import SchemaFinding, SchemaReport, Stored, judge, ordered


class Counted(msgspec.Struct):
    number: int


def registry(*, strict: bool = False) -> EventTypes:
    """Return a registry with a class for version 3, a gap below it, and a type that was renamed."""
    events = EventTypes(strict=strict)
    events.add_class(Counted, "COUNTED", 3)
    events.add_upcaster(dict, "COUNTED", 1)
    events.add_plain("MOVED")
    return events


def test_of_each_kind_how_many_there_are_and_one_of_them() -> None:
    """
    A kind that is known and not stored has none; when nobody counted, nobody knows.
    """
    stored = {("COUNTED", 2): Stored(5, "item-1", 7), ("COUNTED", 4): Stored(1, "item-2", 1)}

    found = judge(registry(), stored)

    assert [(each.kind, each.event_type, each.schema_version) for each in found] == [
        ("gap", "COUNTED", 1),
        ("gap", "COUNTED", 2),
        ("unknown_version", "COUNTED", 4),
        ("no_class", "MOVED", 1),
    ]
    assert [(each.stored, each.example) for each in found] == [(0, None), (5, "item-1/7"), (1, "item-2/1"), (0, None)]
    assert [each.is_error for each in found] == [True, True, True, False]
    assert {each.stored for each in judge(registry(), None)} == {None}


@pytest.mark.parametrize(("strict", "says"), [(True, "strict reading refuses it"), (False, "read as a plain dict")])
def test_what_follows_for_a_type_that_is_not_registered(strict: bool, says: str) -> None:  # noqa: FBT001 - a case
    """
    It depends on how the registry reads.
    """
    (finding,) = (
        each for each in judge(registry(strict=strict), {("TYPO", 1): Stored(1, "a", 1)}) if each.event_type == "TYPO"
    )

    assert (finding.kind, finding.is_error) == ("unknown_type", strict)
    assert finding.message.startswith("'TYPO' is stored and not registered")
    assert says in finding.message


def test_each_finding_says_what_to_do() -> None:
    """
    With the type and the version.
    """
    stored = {("COUNTED", 4): Stored(1, "a", 1)}
    gap, _, unknown, no_class = (each.message for each in judge(registry(), stored))

    assert gap == "no upcaster leads from 'COUNTED' version 2 towards 3; register `upcaster('COUNTED', 2)`"
    assert unknown.startswith("'COUNTED' version 4 is stored, and 3 is the latest one registered")
    assert no_class == "'MOVED' version 1 has no class; it is read as a plain dict"


def test_an_upcaster_leads_on_from_a_version_without_a_class() -> None:
    """
    Nothing is read as that version.
    """
    events = EventTypes()
    events.add_class(Counted, "COUNTED", 2)
    events.add_upcaster(dict, "COUNTED", 1)

    assert judge(events, {("COUNTED", 1): Stored(1, "a", 1)}) == []


def finding(event_type: str, version: int, *, is_error: bool) -> SchemaFinding:
    return SchemaFinding("gap", event_type, version, None, None, "", is_error)


def test_errors_come_first_then_types_and_versions() -> None:
    """
    A report is well without errors.
    """
    note, first, second, third = (
        finding("A", 1, is_error=False),
        finding("A", 2, is_error=True),
        finding("A", 3, is_error=True),
        finding("B", 1, is_error=True),
    )

    assert ordered([third, note, second, first]) == (first, second, third, note)
    assert SchemaReport((note,), {}).ok
    assert not SchemaReport((first, note), {}).ok

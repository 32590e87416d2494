"""What changed in an event's payload since the previous one of its type."""

from dataclasses import replace

import pytest

from eventstore.cli.output.payload_diff import PayloadDiff, PayloadDiffs
from eventstore.model import RecordedEvent

EVENT = RecordedEvent("a", "ITEM", 1, "A", "{}", "{}", 1, 0, "event-1", "commit-1", 1, 1, 1)


def diffs_of(*payloads: str) -> list[PayloadDiff]:
    """Return what changed from payload to payload of one type."""
    diffs = PayloadDiffs()
    return [
        diffs.take(replace(EVENT, sequence_number=number, data_json=text))
        for number, text in enumerate(payloads, start=1)
    ]


def test_what_was_added_changed_and_removed_by_path() -> None:
    """
    Against the event before of the same type; of the first one all is new.
    """
    first, second = diffs_of('{"a":1,"b":{"c":2,"d":3},"e":[1]}', '{"a":1,"b":{"c":4,"f":5},"e":[2]}')

    assert first == PayloadDiff(None, {"a": 1, "b.c": 2, "b.d": 3, "e": [1]}, {}, {})
    assert second == PayloadDiff(1, {"b.f": 5}, {"b.c": (2, 4), "e": ([1], [2])}, {"b.d": 3})
    assert PayloadDiff(None) == PayloadDiff(None, {}, {}, {})


def test_types_are_followed_apart() -> None:
    """
    Each against the last one of its own.
    """
    diffs = PayloadDiffs()
    diffs.take(replace(EVENT, sequence_number=1, type="A", data_json='{"a":1}'))
    diffs.take(replace(EVENT, sequence_number=2, type="B", data_json='{"a":2}'))

    assert diffs.take(replace(EVENT, sequence_number=3, type="A", data_json='{"a":1}')) == PayloadDiff(1)


def test_names_that_could_be_read_as_a_path_are_in_quotes() -> None:
    """
    With a dot, a quote or a space in them, or nothing.
    """
    (diff,) = diffs_of('{"a.b":1,"c":{"d e":2,"":3,"f\\"":4,"ä":5}}')

    assert list(diff.added) == ['"a.b"', 'c."d e"', 'c.""', 'c."f\\""', "c.ä"]


@pytest.mark.parametrize(
    ("one", "other", "is_change"),
    [
        ('{"a":1}', '{"a":1.0}', True),
        ('{"a":1}', '{"a":true}', True),
        ('{"a":1.50}', '{"a":1.5}', True),
        ('{"a":[{"b":1,"c":2}]}', '{"a":[{"c":2,"b":1}]}', False),
        ('{"a":[1,2]}', '{"a":[2,1]}', True),
        ('{"a":{}}', '{"a":{}}', False),
        ('{"a":null}', '{"a":{}}', True),
    ],
)
def test_what_is_the_same_json(one: str, other: str, is_change: bool) -> None:  # noqa: FBT001 - a case
    """
    Digits count, and the order of names does not.
    """
    assert bool(diffs_of(one, other)[1].changed) is is_change
    assert diffs_of("{}") == [PayloadDiff(None)]

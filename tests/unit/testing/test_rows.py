"""The storage of tables and indexes, against a plain model."""

import random

import pytest

from eventstore.testing.dynamodb.storage.items import StoredItem
from eventstore.testing.dynamodb.storage.rows import HASH_BITS, Rows, Segment, SortBounds, hash_of


def stored(text):
    return StoredItem({"text": {"S": text}}, len(text))


def text_of(item):
    return item.attributes["text"]["S"]


@pytest.mark.parametrize("seed", range(20))
def test_it_holds_what_a_plain_dict_holds(seed):
    """
    After any puts, removals and scans, rows are those of a dict, in order of their sort values.
    """
    draw = random.Random(seed)
    rows, model = Rows(leading=lambda part: part), {}
    for step in range(600):
        key = (f"p{draw.randrange(40)}", draw.randrange(12))
        if key in model and draw.random() < 0.6:
            rows.remove(*key)
            del model[key]
        else:
            model[key] = f"{step}"
            rows.put(*key, stored(model[key]))
        if draw.random() < 0.05:
            assert sorted(map(text_of, rows.scan(None, Segment()))) == sorted(model.values())

    assert rows.count == len(model)
    assert rows.size_bytes == sum(map(len, model.values()))
    for partition in {key[0] for key in model}:
        expected = [model[key] for key in sorted(model) if key[0] == partition]
        walked = rows.query(partition, SortBounds(), after=None, forward=True)
        assert [text_of(item) for item in walked] == expected
        walked = rows.query(partition, SortBounds(), after=None, forward=False)
        assert [text_of(item) for item in walked] == expected[::-1]


@pytest.mark.parametrize("total", [1, 2, 5, 64])
def test_segments_are_disjoint_and_complete(total):
    """
    Every partition is scanned in the one segment that its hash belongs to.
    """
    rows = Rows(leading=lambda part: part)
    for number in range(200):
        rows.put(f"p{number}", 0, stored(f"p{number}"))

    found = [list(map(text_of, rows.scan(None, Segment(number, total)))) for number in range(total)]

    assert sorted(name for names in found for name in names) == sorted(f"p{number}" for number in range(200))
    for number, names in enumerate(found):
        assert all(hash_of(name) * total // 2**HASH_BITS == number for name in names)


def test_partitions_that_come_and_go_leave_nothing_behind():
    """
    A table whose partitions are short-lived, as an outbox, does not grow with all it ever held.
    """
    rows = Rows(leading=lambda part: part)
    for number in range(5000):
        rows.put(f"p{number}", 0, stored("x"))
        rows.remove(f"p{number}", 0)
        if number % 100 == 0:
            assert list(rows.scan(None, Segment())) == []

    assert len(rows._order) + len(rows._new) + len(rows._known) < 500


def test_bounds_know_what_lies_within():
    """
    Included and excluded ends, open ends, prefixes.
    """
    assert SortBounds(low=1, high=3).contains(1)
    assert not SortBounds(low=1, high=3, low_is_included=False).contains(1)
    assert SortBounds(low=1, high=3).contains(3)
    assert not SortBounds(low=1, high=3, high_is_included=False).contains(3)
    assert SortBounds(low=1).contains(10**9)
    assert not SortBounds(high=1).contains(2)
    assert SortBounds(prefix="ab").contains("abc")
    assert not SortBounds(prefix="ab").contains("ba")

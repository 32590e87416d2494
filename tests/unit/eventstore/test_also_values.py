"""The caller's own rows as they are sent: sizes, places, and what is the same row."""

from typing import Any

import pytest

from eventstore import InvalidInputError, LimitExceededError, RowCheck, RowDelete, RowPut, RowUpdate, TableNames
from eventstore.append.also import check_distinct, take

TABLES = TableNames("shop")


def test_the_size_of_a_row_is_that_of_its_item_or_of_key_and_values() -> None:
    """
    What an update adds is known by its values alone.
    """
    sizes = [
        write.size_bytes
        for write in take(
            [
                RowPut("ttt", {"k": "abc"}, "a = :v", values={":v": "12345"}),
                RowUpdate("ttt", {"k": "abc"}, "SET a = :v", values={":v": "12345"}),
                RowDelete("ttt", {"k": "abc"}),
                RowCheck("ttt", {"k": "abc"}, "a = :v", values={":v": "12345"}),
            ],
            "also",
            TABLES,
        )
    ]

    assert sizes == [4, 11, 4, 11]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (RowPut("ttt", {"k": "x" * 409_600}), "also[0].item"),
        (RowDelete("ttt", {"k": "x" * 409_600}), "also[0].key"),
    ],
)
def test_a_row_is_as_large_as_an_item_at_most(row: Any, field: str) -> None:
    """
    The part that is too large is named.
    """
    with pytest.raises(LimitExceededError) as caught:
        take([row], "also", TABLES)

    assert (caught.value.field, caught.value.limit, caught.value.actual) == (field, 409_600, 409_601)


@pytest.mark.parametrize("names", [["#a"], {"a": "b"}, {":a": "b"}])
def test_names_are_named_by_their_path(names: Any) -> None:
    """
    Of placeholders, and of what is no dict of them.
    """
    with pytest.raises(InvalidInputError) as caught:
        take([RowDelete("ttt", {"k": "x"}, "attribute_exists(#a)", names=names)], "also", TABLES)

    assert caught.value.field == "also[0].names"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (RowPut("ttt", {"k": 1}), RowDelete("ttt", {"k": 1}), True),
        (RowDelete("ttt", {"k": 1}), RowPut("ttt", {"k": 1, "a": 2}), True),
        (RowDelete("ttt", {"k": 1}), RowPut("ttt", {"k": 2}), False),
        (RowPut("ttt", {"k": 1, "a": 2}), RowPut("ttt", {"k": 1}), False),
        (RowPut("ttt", {"k": 1}), RowPut("ttt", {"k": 1}), True),
        (RowDelete("ttt", {"k": 1}), RowUpdate("ttt", {"k": 1}, "REMOVE a"), True),
        (RowDelete("ttt", {"k": 1}), RowDelete("uuu", {"k": 1}), False),
    ],
)
def test_which_writes_are_about_the_same_row(one: Any, other: Any, is_same: bool) -> None:  # noqa: FBT001 - a case
    """
    As far as that can be known: a put has its key among what it puts.
    """
    writes = take([one, other], "also", TABLES)
    if not is_same:
        check_distinct(writes)
        return
    with pytest.raises(InvalidInputError) as caught:
        check_distinct(writes)
    assert caught.value.field == "also[1]"

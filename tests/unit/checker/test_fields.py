"""Every field is looked at: each is changed by itself, in a row, in a message and in a document."""

from typing import Any

import pytest

from relay.testing.checker import Promise
from tests.unit.checker.spoiling import FIRST, SECOND
from tests.unit.checker.story import JANUARY_ENDS_MS, good

MESSAGE_FIELDS = {
    "message_id": "another",
    "routing_key": "Order.Paid",
    "correlation_id": "c-2",
    "content_type": "text/plain",
    "persistent": False,
    "body": b'{"price": 12.50, "name": "\xc3\xa9"}',
}


@pytest.mark.parametrize("rows_first", [True, False])
@pytest.mark.parametrize("name", MESSAGE_FIELDS)
def test_each_property_of_a_message_is_looked_at(name: str, *, rows_first: bool) -> None:
    """
    One that is another is named; a message under another id is one of nothing.
    """
    story = good()
    story.change_message(FIRST, **{name: MESSAGE_FIELDS[name]})
    verdict = story.judge(rows_first=rows_first)

    if name == "message_id":
        assert set(verdict.counts) == {Promise.SENT, Promise.ONLY_STORED_SENT}
    else:
        assert set(verdict.counts) == {Promise.SENT_AS_STORED}
        assert verdict.broken[0].seen.startswith(f"{name} is ")


HEADERS = tuple(good().messages[FIRST].headers)


@pytest.mark.parametrize("rows_first", [True, False])
@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [None, "another", 9, True])
def test_each_header_of_a_message_is_looked_at(name: str, value: object, *, rows_first: bool) -> None:
    """
    One that is missing, of another value or of another kind is named.
    """
    story = good()
    story.change_header(FIRST, name, value)
    verdict = story.judge(rows_first=rows_first)

    found = [each for each in verdict.broken if each.promise is Promise.SENT_AS_STORED]
    assert [each.seen.startswith(f"header {name} is ") for each in found] == [True]
    assert set(verdict.counts) <= {Promise.SENT_AS_STORED, Promise.IN_ORDER}  # its number is another, too


SOURCE_FIELDS = tuple(good().documents[FIRST].source)


@pytest.mark.parametrize("rows_first", [True, False])
@pytest.mark.parametrize("name", SOURCE_FIELDS)
@pytest.mark.parametrize("value", [None, "another", 9, {"price": True}])
def test_each_field_of_a_document_is_looked_at(name: str, value: object, *, rows_first: bool) -> None:
    """
    One that is missing, of another value or of another kind is named.
    """
    story = good()
    story.change_source(FIRST, name, value)
    verdict = story.judge(rows_first=rows_first)

    assert set(verdict.counts) == {Promise.INDEXED_AS_STORED}
    (broken,) = verdict.broken
    assert broken.seen.startswith(f"{name} is ")


ROW_FIELDS: dict[str, tuple[dict[str, str], Promise]] = {
    "aggregateId": ({"S": "order-18"}, Promise.WHOLE_COMMITS),
    "sequenceNumber": ({"N": "4"}, Promise.WHOLE_COMMITS),
    "aggregateType": ({"S": "Item"}, Promise.ONE_TYPE),
    "eventType": ({"S": "Sent"}, Promise.AS_WRITTEN),
    "eventData": ({"S": '{"by": null, "parts": [1, 1, "x"]}'}, Promise.AS_WRITTEN),
    "metadata": ({"S": '{"user": "ada"}'}, Promise.AS_WRITTEN),
    "timestamp": ({"N": str(JANUARY_ENDS_MS + 1)}, Promise.AS_WRITTEN),
    "version": ({"N": "2"}, Promise.AS_WRITTEN),
    "eventId": ({"S": "commit-a-1"}, Promise.ID_ONCE),
    "commitId": ({"S": "commit-x"}, Promise.ACKNOWLEDGED),
    "commitFirst": ({"N": "2"}, Promise.WHOLE_COMMITS),
    "commitLast": ({"N": "3"}, Promise.WHOLE_COMMITS),
    "epoch": ({"N": "2"}, Promise.WHOLE_COMMITS),
    "eventTypeShard": ({"S": "Sent#3"}, Promise.INDEX_KEYS),
    "aggregateTypeShard": ({"S": "Item#3"}, Promise.INDEX_KEYS),
    "dayShard": ({"S": "2025-02-01#3"}, Promise.INDEX_KEYS),
}
"""For the second event of a commit of two."""


def test_every_attribute_of_a_row_is_in_the_table() -> None:
    """
    None is left out below.
    """
    assert set(ROW_FIELDS) == set(good().rows[SECOND])


@pytest.mark.parametrize("name", ROW_FIELDS)
def test_each_attribute_of_a_row_is_looked_at_without_any_delivery(name: str) -> None:
    """
    What writers meant, and the other rows, are enough to find one that is another.
    """
    value, promise = ROW_FIELDS[name]
    story = good()
    story.change_row(SECOND, **{name: value})

    assert promise in story.judge(has_bus=False, has_index=False).counts


@pytest.mark.parametrize("name", ROW_FIELDS)
@pytest.mark.parametrize("value", [None, {"S": ""}, {"N": "x"}, {"BOOL": True}, {"N": "-1"}])
def test_a_row_that_cannot_be_read_is_told(name: str, value: dict[str, Any] | None) -> None:
    """
    Whatever stands in an attribute, there is a verdict, and it is not clean.
    """
    story = good()
    story.change_row(SECOND, **{name: value})

    assert not story.judge().is_clean


@pytest.mark.parametrize("text", ["", "{", "[1]", "17", "null"])
@pytest.mark.parametrize("name", ["eventData", "metadata"])
def test_a_payload_that_is_no_json_object_is_told(name: str, text: str) -> None:
    """
    No event can be read from such a row.
    """
    story = good()
    story.change_row(SECOND, **{name: {"S": text}})

    assert Promise.READABLE in story.judge().counts

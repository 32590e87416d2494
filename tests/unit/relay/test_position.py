"""Positions in a shard: compared as numbers, given back as they came."""

import pytest

from relay.leases.position import Position


@pytest.mark.parametrize(
    "text",
    [
        "000000000000000000328",  # as DynamoDB Local counts
        "100000000003498069978",  # 21 digits
        "4421584500000000017450439091",
        "1234567890123456789012345678901234567890",  # 40 digits
    ],
)
def test_what_dynamodb_said_is_what_it_is_asked_with(text):
    """
    A checkpoint holds the text that DynamoDB wrote, filled up to 21 digits, or DynamoDB refuses to read on from it.
    """
    assert str(Position.parse(text)) == text


def test_they_compare_as_numbers():
    """
    A shorter one comes first, whatever its digits.
    """
    assert Position.parse("999999999999999999999") < Position.parse("1000000000000000000000")

"""Numbers: how they come back, compare and sort."""

import pytest

from tests.contract.dynamodb.shapes import THINGS, N, S, create_things, get, numbers, put, thing


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("1.50", "1.5"),
        ("1E2", "100"),
        ("-0", "0"),
        ("0.0", "0"),
        ("00012", "12"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+5", "5"),
        ("-1.250", "-1.25"),
        ("1e-10", "0.0000000001"),
        ("1" * 38, "1" * 38),
        ("1" + "0" * 40, "1" + "0" * 40),
        ("9.9E125", "99" + "0" * 124),
        ("1E-130", "0." + "0" * 129 + "1"),
    ],
)
def test_a_number_comes_back_in_its_canonical_form(client, sent, stored):
    """
    Zeros, signs and exponents that say nothing are gone; so numbers are no place for text that must survive.
    """
    put(client, thing("ann", 1, value_of=N(sent)))

    assert get(client, "ann", 1) == thing("ann", 1, value_of=N(stored))


def test_numbers_sort_by_size(client):
    """
    Sort keys are ordered as numbers, not as text.
    """
    put(client, *(thing("ann", number) for number in ("10", "9", "-1", "0", "1.5", "-10", "1E3", "0.001")))

    reply = client.query(
        TableName=THINGS, KeyConditionExpression="owner_id = :o", ExpressionAttributeValues={":o": S("ann")}
    )

    assert numbers(reply) == ["-10", "-1", "0", "0.001", "1.5", "9", "10", "1000"]


def test_big_numbers_keep_all_their_digits(client):
    """
    Neighbours with 38 digits are different keys, in order.
    """
    low, high = "9" * 37 + "8", "9" * 38
    put(client, thing("ann", high), thing("ann", low))

    reply = client.query(
        TableName=THINGS, KeyConditionExpression="owner_id = :o", ExpressionAttributeValues={":o": S("ann")}
    )

    assert numbers(reply) == [low, high]

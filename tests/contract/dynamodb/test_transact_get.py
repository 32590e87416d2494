"""TransactGetItems: several items at one moment."""

import pytest

from tests.contract.dynamodb.shapes import THINGS, N, S, code, create_things, key, put, reasons, thing

API_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html"


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


def read(client, *keys, **further):
    return client.transact_get_items(
        TransactItems=[{"Get": {"TableName": THINGS, "Key": wanted, **further}} for wanted in keys]
    )["Responses"]


def test_answers_stand_in_the_order_of_the_questions(client):
    """
    One answer for each key; an absent item is an empty answer.
    """
    put(client, thing("ann", 1, note=S("one")), thing("bob", 2, note=S("two")))

    assert read(client, key("bob", 2), key("ann", 9), key("ann", 1)) == [
        {"Item": thing("bob", 2, note=S("two"))},
        {},
        {"Item": thing("ann", 1, note=S("one"))},
    ]


def test_a_projection_gives_the_named_parts(client):
    """
    Each question may name what it wants.
    """
    put(client, thing("ann", 1, note=S("one"), body=S("long")))

    assert read(client, key("ann", 1), ProjectionExpression="note") == [{"Item": {"note": S("one")}}]


def test_a_hundred_keys_fit(client):
    """
    100 keys are answered, 101 are refused.
    """
    put(client, thing("ann", 99))

    answers = read(client, *(key("ann", number) for number in range(100)))

    assert answers == [{}] * 99 + [{"Item": thing("ann", 99)}]
    assert code(lambda: read(client, *(key("ann", number) for number in range(101)))) == "ValidationException"


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([], id="none"),
        pytest.param([key("ann", 1), key("ann", 1)], id="one-item-twice"),
    ],
)
def test_it_is_refused(client, keys):
    """
    1 to 100 different keys.
    """
    assert code(lambda: read(client, *keys)) == "ValidationException"


@pytest.mark.local_differs(page=API_PAGE, does="gives no CancellationReasons")
@pytest.mark.parametrize(
    "unfit",
    [
        pytest.param({"owner_id": S("ann")}, id="incomplete"),
        pytest.param({"owner_id": S("ann"), "num": S("1")}, id="type"),
        pytest.param({**key("ann", 1), "more": N(1)}, id="one-too-many"),
    ],
)
def test_a_key_that_does_not_fit_is_a_reason(client, unfit):
    """
    A user error cancels the request, with ValidationError at its place.
    """
    assert reasons(lambda: read(client, key("ann", 1), unfit)) == ["None", "ValidationError"]


def test_a_missing_table_is_not_found(client):
    """
    A table that is not there is a ResourceNotFoundException.
    """
    ask = [{"Get": {"TableName": "missing", "Key": key("ann", 1)}}]

    assert code(lambda: client.transact_get_items(TransactItems=ask)) == "ResourceNotFoundException"

"""TransactWriteItems: all or nothing, and the reason of every action."""

import pytest

from tests.contract.dynamodb.shapes import (
    THINGS,
    N,
    S,
    check_action,
    code,
    create_things,
    delete_action,
    get,
    new_token,
    put,
    put_action,
    reasons,
    refusal,
    thing,
    update_action,
)

API_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"
ABSENT = "attribute_not_exists(owner_id)"
PRESENT = "attribute_exists(owner_id)"


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


@pytest.fixture
def token():
    return new_token()


def transact(client, *actions, **further):
    return client.transact_write_items(TransactItems=list(actions), **further)


def test_all_actions_take_effect_together(client):
    """
    Put, update, delete and check in one transaction.
    """
    put(client, thing("ann", 1, note=S("old")), thing("ann", 2), thing("ann", 3))

    transact(
        client,
        put_action(thing("ann", 4), ConditionExpression=ABSENT),
        update_action("ann", 1, "SET note = :v", ExpressionAttributeValues={":v": S("new")}),
        delete_action("ann", 2, ConditionExpression=PRESENT),
        check_action("ann", 3, PRESENT),
    )

    assert get(client, "ann", 1) == thing("ann", 1, note=S("new"))
    assert get(client, "ann", 2) is None
    assert get(client, "ann", 3) == thing("ann", 3)
    assert get(client, "ann", 4) == thing("ann", 4)


def test_one_failed_condition_cancels_everything(client):
    """
    Nothing is written; reasons stand at the places of their actions, with the item where ALL_OLD was asked for.
    """
    put(client, thing("ann", 1, note=S("mine")), thing("ann", 2))

    response = refusal(
        lambda: transact(
            client,
            put_action(thing("ann", 9)),
            put_action(thing("ann", 1), ConditionExpression=ABSENT, ReturnValuesOnConditionCheckFailure="ALL_OLD"),
            put_action(thing("ann", 2), ConditionExpression=ABSENT),
            check_action("ann", 3, PRESENT, ReturnValuesOnConditionCheckFailure="ALL_OLD"),
            check_action("ann", 8, ABSENT),
        )
    )

    assert response["Error"]["Code"] == "TransactionCanceledException"
    found = [(reason["Code"], reason.get("Item"), "Message" in reason) for reason in response["CancellationReasons"]]
    assert found == [
        ("None", None, False),
        ("ConditionalCheckFailed", thing("ann", 1, note=S("mine")), True),
        ("ConditionalCheckFailed", None, True),
        ("ConditionalCheckFailed", None, True),
        ("None", None, False),
    ]
    assert (
        "[None, ConditionalCheckFailed, ConditionalCheckFailed, ConditionalCheckFailed, None]"
        in (response["Error"]["Message"])
    )
    assert get(client, "ann", 9) is None


def test_conditions_look_at_what_was_there_before(client):
    """
    The effect of one action is not seen by the condition of another.
    """
    codes = reasons(
        lambda: transact(
            client, put_action(thing("ann", 1)), check_action("ann", 2, PRESENT), put_action(thing("ann", 3))
        )
    )

    assert codes == ["None", "ConditionalCheckFailed", "None"]


def test_updates_and_deletes_report_the_item_too(client):
    """
    ALL_OLD works for every kind of action.
    """
    put(client, thing("ann", 1, note=S("a")), thing("ann", 2, note=S("b")), thing("ann", 3, note=S("c")))
    all_old = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

    response = refusal(
        lambda: transact(
            client,
            update_action("ann", 1, "REMOVE note", ConditionExpression=ABSENT, **all_old),
            delete_action("ann", 2, ConditionExpression=ABSENT, **all_old),
            check_action("ann", 3, ABSENT, **all_old),
        )
    )

    assert [reason["Item"]["note"] for reason in response["CancellationReasons"]] == [S("a"), S("b"), S("c")]


def test_a_hundred_actions_fit(client):
    """
    100 actions are carried out, 101 are refused.
    """
    transact(client, *(put_action(thing("ann", number)) for number in range(100)))

    assert client.scan(TableName=THINGS)["Count"] == 100
    assert code(lambda: transact(client, *(put_action(thing("bob", n)) for n in range(101)))) == "ValidationException"


def test_four_megabytes_fit(client):
    """
    4 MB of items are carried out, more are refused.
    """
    transact(client, *(put_action(thing("ann", number, body=S("x" * 380_000))) for number in range(11)))

    assert client.scan(TableName=THINGS, Select="COUNT")["ScannedCount"] > 0
    too_much = [put_action(thing("bob", number, body=S("x" * 390_000))) for number in range(11)]
    assert code(lambda: transact(client, *too_much)) == "ValidationException"
    assert get(client, "bob", 0) is None


@pytest.mark.parametrize(
    "actions",
    [
        pytest.param([], id="none"),
        pytest.param([put_action(thing("ann", 1)), put_action(thing("ann", 1))], id="one-item-twice"),
        pytest.param([put_action(thing("ann", 1)), check_action("ann", 1, PRESENT)], id="put-and-check-of-one-item"),
        pytest.param([{**put_action(thing("ann", 1)), **delete_action("ann", 2)}], id="two-in-one"),
        pytest.param([{}], id="empty-action"),
        pytest.param([put_action({"owner_id": S("ann")})], id="incomplete-key"),
        pytest.param([put_action(thing("", 1))], id="empty-key"),
        pytest.param([put_action(thing("ann", 1, colour=S(""), weight=N(1)))], id="empty-index-key"),
        pytest.param([put_action(thing("ann", 1, body=S("x" * 409_600)))], id="item-over-400-KB"),
        pytest.param([put_action(thing("ann", 1), ConditionExpression="attribute_exists(")], id="syntax"),
        pytest.param([put_action(thing("ann", 1), ConditionExpression="status = :v")], id="undefined-value"),
        pytest.param([put_action(thing("ann", 1), ExpressionAttributeValues={":v": N(1)})], id="unused-value"),
        pytest.param([check_action("ann", 1, "")], id="empty-condition"),
    ],
)
def test_a_malformed_request_is_refused_as_such(client, actions):
    """
    What is wrong with the request is a ValidationException, not a cancellation.
    """
    assert code(lambda: transact(client, *actions)) == "ValidationException"


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(put_action({"owner_id": N(1), "num": N(1)}), id="key-type"),
        pytest.param(put_action(thing("ann", 2, colour=N(1))), id="index-key-type"),
        pytest.param(
            update_action("ann", 2, "SET colour = :v", ExpressionAttributeValues={":v": N(1)}), id="update-of-index-key"
        ),
        pytest.param(
            {"Delete": {"TableName": THINGS, "Key": {"owner_id": S("ann"), "num": S("1")}}}, id="type-of-named-key"
        ),
    ],
)
def test_an_item_that_does_not_fit_is_a_reason(client, action):
    """
    What the table cannot take cancels the transaction with ValidationError at the action's place.
    """
    assert reasons(lambda: transact(client, put_action(thing("ann", 1)), action)) == ["None", "ValidationError"]
    assert get(client, "ann", 1) is None


@pytest.mark.local_differs(page=API_PAGE, does="gives no reasons, or not one for every action")
@pytest.mark.parametrize(
    "action",
    [
        pytest.param(update_action("ann", 2, "REMOVE owner_id"), id="update-of-key"),
        pytest.param(
            update_action("ann", 2, "SET deep.x = :v", ExpressionAttributeValues={":v": N(1)}), id="invalid-path"
        ),
        pytest.param(
            update_action("ann", 2, "SET num2 = absent + :v", ExpressionAttributeValues={":v": N(1)}), id="no-attribute"
        ),
        pytest.param(
            update_action("ann", 2, "SET num2 = note + :v", ExpressionAttributeValues={":v": N(1)}), id="operand-type"
        ),
    ],
)
def test_an_update_that_the_item_cannot_take_is_a_reason(client, action):
    """
    The page lists such faults under the cancellation code ValidationError, and gives one reason per action.
    """
    put(client, thing("ann", 2, note=S("x")))

    assert reasons(lambda: transact(client, put_action(thing("ann", 1)), action)) == ["None", "ValidationError"]


def test_all_reasons_are_told_at_once(client):
    """
    A failed condition does not hide an item that does not fit.
    """
    put(client, thing("ann", 1))

    codes = reasons(
        lambda: transact(
            client,
            put_action(thing("ann", 1), ConditionExpression=ABSENT),
            put_action(thing("ann", 2, colour=N(1))),
            put_action(thing("ann", 3)),
        )
    )

    assert codes == ["ConditionalCheckFailed", "ValidationError", "None"]


def test_a_missing_table_is_not_found(client):
    """
    A table that is not there refuses the request, and nothing is written elsewhere.
    """
    missing = {"Put": {"TableName": "missing", "Item": thing("ann", 1)}}

    assert code(lambda: transact(client, put_action(thing("ann", 1)), missing)) == "ResourceNotFoundException"
    assert get(client, "ann", 1) is None


def test_tables_can_be_mixed(client):
    """
    One transaction may span tables.
    """
    client.create_table(
        TableName="others",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    other = {"Put": {"TableName": "others", "Item": {"id": S("x")}, "ConditionExpression": "attribute_not_exists(id)"}}

    transact(client, put_action(thing("ann", 1)), other)
    codes = reasons(lambda: transact(client, put_action(thing("ann", 2)), other))

    assert codes == ["None", "ConditionalCheckFailed"]
    assert get(client, "ann", 1) == thing("ann", 1)
    assert get(client, "ann", 2) is None


def test_a_repeat_with_the_same_token_does_nothing_more(client, token):
    """
    The same request with the same token succeeds again, although its condition would fail by now.
    """
    action = put_action(thing("ann", 1, note=S("x")), ConditionExpression=ABSENT)
    transact(client, action, ClientRequestToken=token)
    client.delete_item(TableName=THINGS, Key={"owner_id": S("ann"), "num": N(1)})

    transact(client, action, ClientRequestToken=token)

    assert get(client, "ann", 1) is None
    assert reasons(
        lambda: transact(client, check_action("ann", 1, PRESENT), ClientRequestToken=new_token())
    ) == ["ConditionalCheckFailed"]  # fmt: skip


def test_a_token_belongs_to_one_request(client, token):
    """
    The same token with another request is a mismatch, and nothing is written.
    """
    transact(client, put_action(thing("ann", 1)), ClientRequestToken=token)

    refused = code(lambda: transact(client, put_action(thing("ann", 2)), ClientRequestToken=token))

    assert refused == "IdempotentParameterMismatchException"
    assert get(client, "ann", 2) is None


def test_attributes_may_come_in_another_order(client, token):
    """
    It is the same request, however its maps are ordered.
    """
    item = thing("ann", 1, note=S("x"), body=S("y"))
    transact(client, put_action(item, ConditionExpression=ABSENT), ClientRequestToken=token)

    turned = dict(reversed(item.items()))
    transact(client, put_action(turned, ConditionExpression=ABSENT), ClientRequestToken=token)


def test_a_cancelled_transaction_leaves_its_token_unused(client, token):
    """
    After a cancellation the same token is judged again.
    """
    action = check_action("ann", 1, PRESENT)
    assert reasons(lambda: transact(client, action, ClientRequestToken=token)) == ["ConditionalCheckFailed"]

    put(client, thing("ann", 1))

    transact(client, action, ClientRequestToken=token)


def test_a_token_has_at_most_36_characters(client):
    """
    A longer token is refused.
    """
    transact(client, put_action(thing("ann", 1)), ClientRequestToken=new_token() + "t" * 4)

    refused = code(lambda: transact(client, put_action(thing("ann", 2)), ClientRequestToken="t" * 37))

    assert refused == "ValidationException"


@pytest.mark.local_differs(page=API_PAGE, does="takes an empty token, although the least length is 1")
def test_a_token_is_not_empty(client):
    """
    An empty token is refused.
    """
    assert code(lambda: transact(client, put_action(thing("ann", 1)), ClientRequestToken="")) == "ValidationException"

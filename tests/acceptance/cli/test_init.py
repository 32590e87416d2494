"""`eventstore init` as a process: tables made, left alone, refused."""

import pytest

from eventstore import connect
from eventstore.dynamodb.connection import Endpoint
from tests.acceptance.cli.commands import Terminal
from tests.support.ports import nobody

TABLES = [
    "inventory_events",
    "inventory_outbox",
    "inventory_relay",
    "inventory_snapshots",
    "inventory_idempotency",
]
KEPT = [name for name in TABLES if not name.endswith("_snapshots")]

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


def client_of(terminal: Terminal):
    settings = terminal.environment
    return connect(
        Endpoint(
            settings["EVENTSTORE_DYNAMODB_ENDPOINT_URL"],
            settings["EVENTSTORE_AWS_REGION"],
            settings["EVENTSTORE_AWS_ACCESS_KEY_ID"],
            settings["EVENTSTORE_AWS_SECRET_ACCESS_KEY"],
        ),
    )


def test_it_makes_the_tables_and_then_leaves_them_alone(untouched):
    """
    The first run creates all five, progress apart from the result; the second says that all were there.
    """
    first = untouched.run("eventstore", "init", "--json", "--index-shards", "7")
    again = untouched.run_all(
        {"json": ["eventstore", "init", "--json"], "text": ["eventstore", "init", "--index-shards", "8"]},
    )

    assert (first.code, again["json"].code, again["text"].code) == (0, 0, 0)
    assert first.document == {
        "version": 1,
        "status": "ok",
        "data": {"created": TABLES, "existing": [], "unprotected": KEPT, "epoch": 1, "index_shards": 7},
        "diagnostics": [],
    }
    assert first.err.splitlines() == [f"creating {name}" for name in TABLES]
    assert again["json"].document == {
        "version": 1,
        "status": "ok",
        "data": {"created": [], "existing": TABLES, "unprotected": [], "epoch": 1, "index_shards": 7},
        "diagnostics": [],
    }
    assert again["text"].out.splitlines()[:2] == [
        "0 tables created, 5 were there.",
        "The store has 7 index shards; --index-shards applies to new ones only.",
    ]
    assert again["json"].err == again["text"].err == ""


def test_two_at_once(untouched):
    """
    Two that start at the same moment both succeed, and agree on what is in force.
    """
    both = untouched.run_all({name: ["eventstore", "init", "--json"] for name in ("one", "other")})

    assert {name: finished.code for name, finished in both.items()} == {"one": 0, "other": 0}
    assert {finished.document["data"]["index_shards"] for finished in both.values()} == {4}
    assert sorted(client_of(untouched).list_tables()["TableNames"]) == sorted(TABLES)


def test_a_table_with_another_key(untouched):
    """
    It is refused in one line that says what is wrong, and no other table is created.
    """
    client = client_of(untouched)
    client.create_table(
        TableName="inventory_outbox",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

    found = untouched.run_all(
        {
            "text": ["eventstore", "init"],
            "json": ["eventstore", "init", "--json"],
            "relay": ["relay", "status", "--json"],
        },
    )

    assert {name: finished.code for name, finished in found.items()} == {"text": 2, "json": 2, "relay": 2}
    message = found["text"].error
    assert "table 'inventory_outbox' has another layout: its key is (id" in message
    assert "or use another table prefix" in message
    assert found["text"].out == ""
    assert found["json"].document == {"version": 1, "status": "error", "data": None, "diagnostics": [message]}
    assert client.list_tables()["TableNames"] == ["inventory_outbox"]


def test_nobody_answers(terminal):
    """
    Where nothing listens, every command that needs the tables ends with 3 and says what to do.
    """
    commands = {
        "init": ["eventstore", "init", "--json"],
        "tail": ["eventstore", "tail"],
        "status": ["relay", "status"],
        "run": ["relay", "run"],
    }
    with nobody() as port:
        alone = terminal.with_settings(EVENTSTORE_DYNAMODB_ENDPOINT_URL=f"http://127.0.0.1:{port}")
        found = alone.run_all(commands)

    assert {name: finished.code for name, finished in found.items()} == dict.fromkeys(commands, 3)
    for finished in found.values():
        assert f"http://127.0.0.1:{port}" in finished.error
        assert "run `make up`" in finished.error
    assert found["init"].document["status"] == "error"

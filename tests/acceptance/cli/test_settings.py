"""What the commands say about settings, before they do anything."""

import pytest

from eventstore import AggregateRef, NewEvent
from tests.acceptance.cli.commands import end_all

pytestmark = pytest.mark.acceptance

ADDRESSES = {"RELAY_RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1//", "RELAY_ELASTICSEARCH_URL": "http://127.0.0.1:1"}


def test_nothing_is_set(bare):
    """
    All variables that are missing are named at once, with what to do.
    """
    finished = bare.run("relay", "run")

    assert (finished.code, finished.out) == (2, "")
    assert finished.error == (
        "settings: RELAY_RABBITMQ_URL: Field required; RELAY_ELASTICSEARCH_URL: Field required."
        " `make up` starts local servers and writes .local/env"
    )


def test_settings_that_contradict_each_other(bare):
    """
    Both contradictions are named in one message, with the numbers.
    """
    finished = bare.with_settings(
        **ADDRESSES,
        RELAY_DRAIN_SECONDS="9",
        RELAY_BUS_BUDGET_SECONDS="10",
        RELAY_SWEEP_MIN_AGE_SECONDS="2",
        RELAY_INDEX_PATIENCE_SECONDS="2.5",
    ).run("relay", "run")

    assert (finished.code, finished.out) == (2, "")
    assert "RELAY_DRAIN_SECONDS (9) must exceed RELAY_INDEX_BULK_TIMEOUT_SECONDS (10)" in finished.error
    assert "RELAY_SWEEP_MIN_AGE_SECONDS (2) must exceed RELAY_INDEX_PATIENCE_SECONDS (2.5)" in finished.error


def test_faults_of_both_kinds(bare):
    """
    What is wrong for the tables and what is wrong for the relay is said together.
    """
    finished = bare.with_settings(
        EVENTSTORE_TABLE_PREFIX="a b",
        EVENTSTORE_DYNAMODB_ENDPOINT_URL="somewhere",
        RELAY_RABBITMQ_URL="amqp://127.0.0.1",
        RELAY_LOG_FORMAT="xml",
        RELAY_SHARDS_MAX="many",
    ).run("relay", "replay", "--json")

    assert finished.code == 2
    for name in ("EVENTSTORE_TABLE_PREFIX", "EVENTSTORE_DYNAMODB_ENDPOINT_URL"):
        assert f"{name}: " in finished.error
    for name in ("RELAY_ELASTICSEARCH_URL", "RELAY_LOG_FORMAT", "RELAY_SHARDS_MAX"):
        assert f"{name}: " in finished.error
    assert finished.document["diagnostics"] == [finished.error]


def test_addresses_that_are_none(bare):
    """
    They are refused before anything is tried, and a password in them is not repeated.
    """
    base = {**ADDRESSES, "EVENTSTORE_AWS_REGION": "eu-central-1"}
    bad = {
        "port": {"RELAY_RABBITMQ_URL": "amqp://guest:sesame@127.0.0.1:port//"},
        "scheme": {"RELAY_RABBITMQ_URL": "http://guest:sesame@127.0.0.1:5672"},
        "no port": {"RELAY_ELASTICSEARCH_URL": "http://user:sesame@127.0.0.1"},
        "list": {"RELAY_ELASTICSEARCH_URL": "http://127.0.0.1:1,ftp://user:sesame@elsewhere"},
    }
    found = end_all(
        {name: bare.with_settings(**{**base, **changed}).start("relay", "run") for name, changed in bad.items()},
    )

    assert {name: finished.code for name, finished in found.items()} == dict.fromkeys(bad, 2)
    for name, changed in bad.items():
        assert f"{next(iter(changed))}: " in found[name].error
        assert "sesame" not in found[name].err


def test_an_env_file_that_is_not_there(bare, tmp_path):
    """
    A named file must exist; half of a pair of credentials is no credential.
    """
    absent = bare.with_settings(EVENTSTORE_ENV_FILE=str(tmp_path / "absent")).run("eventstore", "init")
    half = bare.with_settings(EVENTSTORE_AWS_ACCESS_KEY_ID="one").run("eventstore", "init", "--json")

    assert (absent.code, half.code) == (2, 2)
    assert absent.error == f"EVENTSTORE_ENV_FILE points to {tmp_path / 'absent'}, which does not exist or is not a file"
    assert half.error.startswith("set both or none of EVENTSTORE_AWS_ACCESS_KEY_ID")


@pytest.mark.servers
def test_the_env_file_of_the_folder(terminal, bare, corner, tmp_path):
    """
    `.local/env` below the folder one works in is read; a variable of the environment wins over it.
    """
    corner.store().append(AggregateRef("ITEM", "SKU-1"), [NewEvent("A", {})], expected_version=0)
    (tmp_path / ".local").mkdir()
    lines = [f"{name}={value}" for name, value in terminal.environment.items()]
    (tmp_path / ".local" / "env").write_text("\n".join(["# a comment", *lines, ""]))

    found = bare.run("eventstore", "show", "SKU-1", "--json")
    other = bare.with_settings(EVENTSTORE_TABLE_PREFIX="other").run("eventstore", "show", "SKU-1")

    assert found.code == 0
    assert found.document["aggregate_id"] == "SKU-1"
    assert other.code == 2
    assert other.error.startswith("table 'other_relay' does not exist: run `eventstore init`")

"""Where the relay's settings come from, what is refused, and what a person is shown of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eventstore.settings import SettingsError
from relay.cli import main
from relay.settings import RelaySettings, load
from relay.settings_view import Origin, masked, show

BUS = "amqp://guest:sesame@127.0.0.1:5672//"
INDEX = "http://127.0.0.1:9200"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in RelaySettings.model_fields:
        monkeypatch.delenv(f"RELAY_{name.upper()}", raising=False)
    for name in ("EVENTSTORE_ENV_FILE", "RELAY_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Sets variables, and writes the TOML file."""

    def give(toml: str | bytes | None = None, **variables: str) -> None:
        for name, value in {"RELAY_RABBITMQ_URL": BUS, "RELAY_ELASTICSEARCH_URL": INDEX, **variables}.items():
            monkeypatch.setenv(name, value)
        if toml is not None:
            (tmp_path / "relay.toml").write_bytes(toml if isinstance(toml, bytes) else toml.encode())
            monkeypatch.setenv("RELAY_CONFIG_FILE", "relay.toml")

    return give


def test_a_toml_file_sets_what_the_environment_does_not(given: Any) -> None:
    """
    The environment wins over the env file, and both over the TOML file; each value says where it comes from.
    """
    given('shards_max = 3\nbus_window_messages = 7\ndrain_seconds = 30\n[index_promoted]\n"price.amount" = "double"\n')
    Path("env").write_text("RELAY_BUS_WINDOW_MESSAGES=8\nRELAY_SHARDS_MAX=4\n", "utf-8")
    given(EVENTSTORE_ENV_FILE="env", RELAY_SHARDS_MAX="5")

    settings = load()

    assert (settings.shards_max, settings.bus_window_messages, settings.drain_seconds) == (5, 8, 30.0)
    assert settings.index_promoted == {"price.amount": "double"}
    origins = {each.variable: each.origin for each in show(settings)}
    assert origins["RELAY_SHARDS_MAX"] is Origin.ENVIRONMENT
    assert origins["RELAY_BUS_WINDOW_MESSAGES"] is Origin.ENV_FILE
    assert origins["RELAY_DRAIN_SECONDS"] is Origin.CONFIG_FILE
    assert origins["RELAY_LEASE_SECONDS"] is Origin.DEFAULT


@pytest.mark.parametrize(
    ("toml", "variables", "faults"),
    [
        ("shards_mx = 3", {}, ["relay.toml: no setting is called 'shards_mx'; do you mean shards_max?"]),
        ("[relay]\na = 1", {}, ["relay.toml: no setting is called 'relay'"]),
        (
            "shards_mx = 3",
            {"RELAY_SHARDS_MAX": "0"},
            ["RELAY_SHARDS_MAX: Input should be greater than or equal to 1", "called 'shards_mx'"],
        ),
        ("shards_max =", {}, ["RELAY_CONFIG_FILE: relay.toml is not TOML"]),
        (b"\xff", {}, ["RELAY_CONFIG_FILE: relay.toml is not TOML"]),
        (
            None,
            {"RELAY_CONFIG_FILE": "absent"},
            ["RELAY_CONFIG_FILE points to absent, which does not exist or is not a file"],
        ),
        (
            None,
            {"RELAY_INDEX_PROMOTED": "{bad", "RELAY_LEASE_SECONDS": "0"},
            ["RELAY_INDEX_PROMOTED: is not JSON; write it like", "RELAY_LEASE_SECONDS: "],
        ),
        (None, {"RELAY_INDEX_PROMOTED": '{"a.b": "dubble"}'}, ["RELAY_INDEX_PROMOTED: 'a.b': Input should be 'long'"]),
        (None, {"RELAY_INDEX_PROMOTED": "3"}, ["RELAY_INDEX_PROMOTED: Input should be a valid dict"]),
        (None, {"RELAY_INDEX_PROMOTED": "[" * 100_000}, ["RELAY_INDEX_PROMOTED: is not JSON"]),
        (None, {"RELAY_LEASE_SECONDS": "1"}, ["RELAY_LEASE_SECONDS: "]),
        (None, {"RELAY_HTTP_PORT": "70000"}, ["RELAY_HTTP_PORT: "]),
        (
            None,
            {
                "RELAY_RABBITMQ_URL": "http://h",
                "RELAY_ELASTICSEARCH_URL": "h",
                "RELAY_DRAIN_SECONDS": "10",
                "RELAY_SWEEP_MIN_AGE_SECONDS": "1",
                "RELAY_FEED_POLL_MAX_SECONDS": "1",
                "RELAY_INDEX_PATIENCE_SECONDS": "11",
            },
            [
                "RELAY_RABBITMQ_URL: must begin with amqp://",
                "RELAY_ELASTICSEARCH_URL: must begin with http://",
                "RELAY_SWEEP_MIN_AGE_SECONDS (1) must exceed RELAY_INDEX_PATIENCE_SECONDS (11)",
                "RELAY_DRAIN_SECONDS (10) must exceed RELAY_INDEX_BULK_TIMEOUT_SECONDS (10)",
                "RELAY_INDEX_PATIENCE_SECONDS (11) must not exceed RELAY_INDEX_BULK_TIMEOUT_SECONDS (10)",
                "RELAY_SWEEP_MIN_AGE_SECONDS (1) must exceed RELAY_FEED_POLL_MAX_SECONDS (1)",
            ],
        ),
    ],
)
def test_all_faults_are_named_in_one_message(
    given: Any, toml: str | bytes | None, variables: dict[str, str], faults: list[str]
) -> None:
    """
    Schemes and relations included; nothing is said of the values of secrets.
    """
    given(toml, **variables)

    with pytest.raises(SettingsError) as caught:
        load()

    assert [fault for fault in faults if fault not in str(caught.value)] == []
    assert "sesame" not in str(caught.value)


def test_an_empty_name_of_a_file_is_none(given: Any) -> None:
    """
    A container's environment often has empty variables.
    """
    given(RELAY_CONFIG_FILE="", RELAY_HTTP_PORT="", RELAY_FILE_PATH="")

    settings = load()

    assert (settings.http_port, settings.file_path) == (None, None)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("amqp://guest:sesame@h:5672//", "amqp://guest:***@h:5672//"),
        ("amqp://guest:se@sa/me@h:5672//", "amqp://guest:***@h:5672//"),
        ("amqp://:sesame@h", "amqp://:***@h"),
        ("http://sesame@h:9200", "http://***@h:9200"),
        ("http://u:ses,ame@h:1,https://v:sesame@i:2", "http://u:***@h:1,https://v:***@i:2"),
        ("http://h:1/path?api_key=sesame&b=sesame", "http://h:1/path?api_key=***&b=***"),
        ("amqp://h?sesame", "amqp://h?***"),
        ("http://127.0.0.1:9200", "http://127.0.0.1:9200"),
        ("no address", "no address"),
    ],
)
def test_addresses_are_shown_without_their_passwords(address: str, shown: str) -> None:
    """
    Also where a password holds what should have been escaped.
    """
    assert masked(address) == shown


def test_config_show_tells_values_and_origins_and_no_secret(given: Any) -> None:
    """
    As JSON, with the variables of the tables and of the relay.
    """
    keys = {"EVENTSTORE_AWS_ACCESS_KEY_ID": "me", "EVENTSTORE_AWS_SECRET_ACCESS_KEY": "sesame"}
    given("shards_max = 3", **keys)

    done = CliRunner().invoke(main, ["config", "show", "--json"])

    assert done.exit_code == 0
    found = json.loads(done.stdout)["data"]
    assert found["RELAY_RABBITMQ_URL"] == {"value": "amqp://guest:***@127.0.0.1:5672//", "origin": "environment"}
    assert found["RELAY_SHARDS_MAX"] == {"value": 3, "origin": "config file"}
    assert found["EVENTSTORE_AWS_SECRET_ACCESS_KEY"] == {"value": "***", "origin": "environment"}
    assert found["RELAY_HTTP_PORT"] == {"value": None, "origin": "default"}
    assert "sesame" not in done.output


def test_config_show_as_text_takes_no_orders_from_values(given: Any) -> None:
    """
    Neither control characters nor mark-up in a value change what is printed.
    """
    given(RELAY_HTTP_HOST="[bold]\x1b[31mhost")

    done = CliRunner().invoke(main, ["config", "show"])

    assert done.exit_code == 0
    assert "[bold]\\x1b[31mhost" in done.output
    assert "unset" in done.output
    assert "sesame" not in done.output


def test_config_show_names_faults(given: Any) -> None:
    """
    Exit code 2, nothing on standard output.
    """
    given(RELAY_DRAIN_SECONDS="9")

    done = CliRunner().invoke(main, ["config", "show"])

    assert (done.exit_code, done.stdout) == (2, "")
    assert "RELAY_DRAIN_SECONDS (9) must exceed" in done.stderr

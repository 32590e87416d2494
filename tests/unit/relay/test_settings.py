"""Where the relay's settings come from, what is refused, and what a person is shown of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from eventstore.settings import SettingsError, meaningless
from eventstore.settings import load as load_store_settings
from relay.cli import main
from relay.cli.destinations import bus_nodes
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


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("RELAY_RABITMQ_URL", "RELAY_RABBITMQ_URL"),
        ("RELAY_RABBIT_URL", "RELAY_RABBITMQ_URL"),
        ("RELAY_ELASTIC_URL", "RELAY_ELASTICSEARCH_URL"),
        ("RELAY_LOGLEVEL", "RELAY_LOG_LEVEL"),
        ("relay_log_levl", "RELAY_LOG_LEVEL"),
        ("RELAY_LEASE", "RELAY_LEASE_SECONDS"),
        ("RELAY_AWS_REGION", "EVENTSTORE_AWS_REGION"),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_misspelt_variable_is_named_with_what_it_means(given: Any, name: str, means: str, *, in_file: bool) -> None:
    """
    Wherever it is set: what it should have set would silently have its default. Its value is not shown.
    """
    given(**({} if in_file else {name: "sesame"}))
    if in_file:
        Path("env").write_text(f"{name}=sesame\n", "utf-8")
        given(EVENTSTORE_ENV_FILE="env")

    with pytest.raises(SettingsError) as caught:
        load()

    where = "env: " if in_file else ""
    assert str(caught.value) == f"settings: {where}{name}: no setting is called so; do you mean {means}?"


def test_a_misspelt_variable_of_the_tables_is_named_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Those of the local servers are known.
    """
    monkeypatch.setenv("EVENTSTORE_SERVERS_ENGINE", "native")
    load_store_settings()
    monkeypatch.setenv("EVENTSTORE_DYNAMODB_ENDPOINT", "http://127.0.0.1:8000")

    with pytest.raises(SettingsError, match=r"^settings: EVENTSTORE_DYNAMODB_ENDPOINT: no .*mean EVENTSTORE_DYNAMODB_"):
        load_store_settings()


@pytest.mark.parametrize("name", ["RABBITMQ_URL", "EVENTSTORE_RABBITMQ_URL", "SHOP_RABBITMQ_URL", "RABITMQ_URL"])
def test_what_was_set_in_place_of_a_required_variable_is_named(
    given: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """
    With another prefix, or none.
    """
    given(**{name: BUS})
    monkeypatch.delenv("RELAY_RABBITMQ_URL")

    with pytest.raises(SettingsError, match=f"RELAY_RABBITMQ_URL: Field required; {name} is set, do you mean RELAY_R"):
        load()


def test_variables_of_a_kubernetes_service_are_no_fault(given: Any) -> None:
    """
    Every pod of a namespace has those of all its Services, such as one that is called `relay` or `relay-rabbitmq`.
    """
    for service in ("RELAY", "RELAY_RABBITMQ", "RELAY_LOG_LEVELS"):
        given(
            **{
                f"{service}_SERVICE_HOST": "10.0.0.1",
                f"{service}_SERVICE_PORT": "9108",
                f"{service}_SERVICE_PORT_METRICS": "9108",
                f"{service}_PORT": "tcp://10.0.0.1:9108",
                f"{service}_PORT_9108_TCP": "tcp://10.0.0.1:9108",
                f"{service}_PORT_9108_TCP_PROTO": "tcp",
                f"{service}_PORT_9108_TCP_PORT": "9108",
                f"{service}_PORT_9108_TCP_ADDR": "10.0.0.1",
            }
        )

    assert load().http_port is None
    assert meaningless(RelaySettings) == []


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:80", "udp://[fd00::1]:53"])
def test_a_setting_that_a_kubernetes_service_has_set_is_explained(given: Any, address: str) -> None:
    """
    The Service `relay-http` sets `RELAY_HTTP_PORT`: the message says who set it, to what, and what to do.
    """
    given(RELAY_HTTP_PORT=address)

    with pytest.raises(SettingsError) as caught:
        load()

    assert str(caught.value) == (
        f"settings: RELAY_HTTP_PORT: is {address!r}, which Kubernetes sets for the Service relay-http: set the variable"
        " in the container, set `enableServiceLinks: false` in the pod, or rename the Service"
    )


def test_a_foreign_variable_is_shown_and_refuses_nothing(given: Any) -> None:
    """
    Somebody's script may need it.
    """
    given(RELAY_IMAGE_TAG="7", RELAY_NAMESPACE="shop", EVENTSTORE_OWNER="me")

    done = CliRunner().invoke(main, ["config", "show"])

    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "RELAY_IMAGE_TAG: no setting is called so",
        "RELAY_NAMESPACE: no setting is called so",
        "EVENTSTORE_OWNER: no setting is called so",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "taken"),
    [
        ("RELAY_LOG_LEVEL", "INFO", "info"),
        ("RELAY_LOG_LEVEL", " Warning ", "warning"),
        ("RELAY_LOG_FORMAT", "JSON", "json"),
        ("RELAY_BUS_QUEUE_TYPE", "Quorum", "quorum"),
        ("RELAY_HTTP_HOST", "0.0.0.0\n", "0.0.0.0"),  # noqa: S104 - only read
        ("RELAY_NAME_PREFIX", "shop\n", "shop"),
    ],
)
def test_words_are_taken_in_any_case_and_without_space_around_them(
    given: Any, variable: str, value: str, taken: str
) -> None:
    """
    A secret or a file ends with a line break; log levels are written in capitals elsewhere.
    """
    given(**{variable: value})

    assert getattr(load(), variable.removeprefix("RELAY_").lower()) == taken


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
        ("amqp://u:sesame@h/v;amqps://v:sesame@i/v", "amqp://u:***@h/v;amqps://v:***@i/v"),
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


@pytest.mark.parametrize(
    ("address", "nodes"),
    [
        (None, None),
        ("amqp://u:sesame@H:1/v", {"h:1/v"}),
        ("amqps://u:sesame@h1/v,amqp://h2/v", {"h1:5671/v", "h2:5672/v"}),
        ("h1:5672/v, h2:5672/v", {"h1:5672/v", "h2:5672/v"}),
    ],
)
def test_the_bus_as_workers_compare_it(address: str | None, nodes: set[str] | None) -> None:
    """
    Without credentials, in one way of writing, and also as an error names it.
    """
    given = None if address is None else SecretStr(address)
    assert bus_nodes(given) == nodes

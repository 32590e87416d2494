"""Settings of the relay, from environment, env file and TOML; names carry units, relations are checked together."""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from eventstore.environment.access import AccessFiles, SecretFileError
from eventstore.search.settings import PromotedFields
from eventstore.settings import SettingsError, StoreSettings, env_file, explain, misspelt
from relay import defaults
from relay.destinations.bus.settings import MESSAGE_MAX_BYTES_DEFAULT, WINDOW_DEFAULT
from relay.destinations.index.settings import IndexSettings

_ANY_CASE = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)
"""`INFO` is what most programs call it."""


class RelaySettings(BaseSettings):
    """How the relay runs. Environment variables carry the prefix `RELAY_`.

    Attributes:
        rabbitmq_url: Where the bus is, `amqp://user:password@host:port/vhost`; of a cluster, several with commas.
        elasticsearch_url: Where the index is, `http://host:port`.
        rabbitmq_user_file: Holds the user of the bus; read for each connection, so it may be replaced at any time.
        rabbitmq_password_file: The same for the password.
        elasticsearch_user_file: Holds the user of the index; read for each request.
        elasticsearch_password_file: The same for the password.
        elasticsearch_api_key_file: The same for an API key, instead of user and password.
        name_prefix: First part of the names of exchange, queues, alias and indices.
        bus_window_messages: Messages that may be unconfirmed at once.
        bus_budget_seconds: How long the bus may confirm nothing before its connection is thrown away, and what is
            unconfirmed counts as unsent; longer after each connection that brought nothing.
        bus_message_max_bytes: Largest event body that is sent; a commit with a larger one is parked.
        bus_queue_type: Type of the relay's own queues, `quorum` or `classic`.
        bus_moved_from: The bus in force, `amqp://host:port/vhost`, that this worker may replace by its own although
            other workers live; they stop then.
        index_patience_seconds: How long a commit waits for the index once the bus has it; after that its row says that
            only the index lacks it.
        index_bulk_timeout_seconds: How long the index itself may take for a delivery.
        index_replicas: Copies of each index.
        index_promoted: Payload path → `long`, `double`, `date` or `text`: copied to a typed field for ranges and full
            text. As JSON, `{"price.amount": "double"}`.
        feed_poll_max_seconds: Longest pause between looks at a quiet shard; the delay of the first event after it.
        discovery_seconds: How often the feed is looked at for new shards.
        shards_max: Shards consumed at the same time.
        checkpoint_interval_seconds: A crash re-reads at most this much.
        sweep_min_age_seconds: The sweep takes rows older than this.
        sweep_interval_seconds: Pause between walks of the sweep that settle nothing.
        drain_seconds: How long the relay may take to end once it is told to stop.
        lease_seconds: How long a worker's leases last without a heartbeat; its neighbours take over then. All
            workers must agree on it.
        room_commits: Commits that a worker has in hand before its readers wait.
        room_max_bytes: The same in bytes of their events.
        read_max_bytes: Events that the outbox does not carry, and that a worker holds before it reads no more for now.
        memory_aggregates_max: Aggregates of which the relay remembers what the bus has.
        file_path: A file to which every event is appended as a line of JSON: one more destination. Unset means none.
        http_host: Address on which health and metrics are served.
        http_port: Port for them; unset means that nothing is served, 0 that the system chooses one.
        log_format: `console` for people, `json` for machines.
        log_level: Least severe level that is logged.
    """

    model_config = SettingsConfigDict(
        env_prefix="RELAY_", frozen=True, extra="ignore", env_ignore_empty=True, str_strip_whitespace=True
    )

    rabbitmq_url: Annotated[SecretStr, Field(min_length=1)]
    elasticsearch_url: Annotated[SecretStr, Field(min_length=1)]
    rabbitmq_user_file: Path | None = None
    rabbitmq_password_file: Path | None = None
    elasticsearch_user_file: Path | None = None
    elasticsearch_password_file: Path | None = None
    elasticsearch_api_key_file: Path | None = None
    name_prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = defaults.NAME_PREFIX
    bus_window_messages: Annotated[int, Field(ge=1, le=10_000)] = WINDOW_DEFAULT
    bus_budget_seconds: Annotated[float, Field(ge=1, le=300)] = defaults.BUS_BUDGET_SECONDS
    bus_message_max_bytes: Annotated[int, Field(ge=1, le=512 * 1024 * 1024)] = MESSAGE_MAX_BYTES_DEFAULT
    bus_queue_type: Annotated[str, _ANY_CASE, Field(pattern="^(quorum|classic)$")] = defaults.BUS_QUEUE_TYPE
    bus_moved_from: Annotated[SecretStr | None, Field(min_length=1)] = None
    index_patience_seconds: Annotated[float, Field(ge=0, le=60)] = defaults.SIDE_PATIENCE_SECONDS
    index_bulk_timeout_seconds: Annotated[float, Field(ge=1, le=300)] = defaults.SIDE_BUDGET_SECONDS
    index_replicas: Annotated[int, Field(ge=0, le=10)] = defaults.INDEX_REPLICAS
    index_promoted: PromotedFields = Field(default_factory=dict)
    feed_poll_max_seconds: Annotated[float, Field(ge=0.05, le=10)] = defaults.FEED_POLL_MAX_SECONDS
    discovery_seconds: Annotated[float, Field(ge=1, le=300)] = defaults.DISCOVERY_SECONDS
    shards_max: Annotated[int, Field(ge=1, le=256)] = defaults.SHARDS_MAX
    checkpoint_interval_seconds: Annotated[float, Field(ge=0, le=60)] = defaults.CHECKPOINT_INTERVAL_SECONDS
    sweep_min_age_seconds: Annotated[float, Field(ge=1, le=3600)] = defaults.SWEEP_MIN_AGE_SECONDS
    sweep_interval_seconds: Annotated[float, Field(ge=0.5, le=3600)] = defaults.SWEEP_INTERVAL_SECONDS
    drain_seconds: Annotated[float, Field(ge=1, le=300)] = defaults.DRAIN_SECONDS
    lease_seconds: Annotated[float, Field(ge=2, le=300)] = defaults.LEASE_SECONDS
    room_commits: Annotated[int, Field(ge=100, le=1_000_000)] = defaults.ROOM_COMMITS
    room_max_bytes: Annotated[int, Field(ge=1024 * 1024, le=16 * 1024 * 1024 * 1024)] = defaults.ROOM_MAX_BYTES
    read_max_bytes: Annotated[int, Field(ge=1024 * 1024, le=1024 * 1024 * 1024)] = defaults.READ_MAX_BYTES
    memory_aggregates_max: Annotated[int, Field(ge=1, le=10_000_000)] = defaults.MEMORY_AGGREGATES_MAX
    file_path: Path | None = None
    http_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    http_port: Annotated[int | None, Field(ge=0, le=65_535)] = None
    log_format: Annotated[str, _ANY_CASE, Field(pattern="^(console|json)$")] = "console"
    log_level: Annotated[str, _ANY_CASE, Field(pattern="^(debug|info|warning|error)$")] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from, the strongest first."""
        return init_settings, env_settings, dotenv_settings, toml_source(settings_cls)

    @property
    def bus_access(self) -> AccessFiles:
        """Where the bus is, and who asks."""
        return AccessFiles(
            "RELAY_RABBITMQ_URL",
            self.rabbitmq_url.get_secret_value(),
            self.rabbitmq_user_file,
            self.rabbitmq_password_file,
        )

    @property
    def index_access(self) -> AccessFiles:
        """Where the index is, and who asks."""
        return AccessFiles(
            "RELAY_ELASTICSEARCH_URL",
            self.elasticsearch_url.get_secret_value(),
            self.elasticsearch_user_file,
            self.elasticsearch_password_file,
            self.elasticsearch_api_key_file,
        )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        faults = []
        if not self.rabbitmq_url.get_secret_value().startswith(("amqp://", "amqps://")):
            faults.append("RELAY_RABBITMQ_URL: must begin with amqp:// or amqps://")
        if not self.elasticsearch_url.get_secret_value().startswith(("http://", "https://")):
            faults.append("RELAY_ELASTICSEARCH_URL: must begin with http:// or https://")
        faults += _unreadable(self.bus_access, self.index_access)
        if self.sweep_min_age_seconds <= self.index_patience_seconds:
            faults.append(
                f"RELAY_SWEEP_MIN_AGE_SECONDS ({self.sweep_min_age_seconds:g}) must exceed"
                f" RELAY_INDEX_PATIENCE_SECONDS ({self.index_patience_seconds:g}), or the sweep takes commits that"
                " wait for the index",
            )
        if self.drain_seconds <= self.index_bulk_timeout_seconds:
            faults.append(
                f"RELAY_DRAIN_SECONDS ({self.drain_seconds:g}) must exceed"
                f" RELAY_INDEX_BULK_TIMEOUT_SECONDS ({self.index_bulk_timeout_seconds:g}), or a stop cuts one off",
            )
        if self.index_patience_seconds > self.index_bulk_timeout_seconds:
            faults.append(
                f"RELAY_INDEX_PATIENCE_SECONDS ({self.index_patience_seconds:g}) must not exceed"
                f" RELAY_INDEX_BULK_TIMEOUT_SECONDS ({self.index_bulk_timeout_seconds:g}), or commits wait for an index"
                " that was given up on",
            )
        if self.sweep_min_age_seconds <= self.feed_poll_max_seconds:
            faults.append(
                f"RELAY_SWEEP_MIN_AGE_SECONDS ({self.sweep_min_age_seconds:g}) must exceed"
                f" RELAY_FEED_POLL_MAX_SECONDS ({self.feed_poll_max_seconds:g}), or the sweep is faster than the feed",
            )
        try:
            IndexSettings(promoted=self.index_promoted)
        except ValueError as error:
            faults.append(f"RELAY_INDEX_PROMOTED: {error}")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _unreadable(*accesses: AccessFiles) -> list[str]:
    """Return what is wrong with files that hold credentials."""
    faults = []
    for access in accesses:
        try:
            access.now()
        except SecretFileError as error:
            faults.append(str(error))
    return faults


def load() -> RelaySettings:
    """Read the settings; the environment wins over the env file, and both over the TOML file.

    Raises:
        SettingsError: Names every fault and the variable to set.
    """
    faults = _unknown_names()
    try:
        faults += misspelt(RelaySettings, StoreSettings)
        settings = RelaySettings(_env_file=env_file())
    except UnicodeDecodeError as error:
        raise SettingsError(f"{env_file()} is not valid UTF-8: recreate it, or let `make up` do it") from error
    except ValidationError as error:
        is_set_up = env_file() or config_file() or all(fault["type"] != "missing" for fault in error.errors())
        hint = "" if is_set_up else ". `make up` starts local servers and writes .local/env"
        raise SettingsError("; ".join([explain(error, "RELAY_"), *faults]) + hint) from error
    if faults:
        raise SettingsError("settings: " + "; ".join(faults))
    return settings


def config_file() -> Path | None:
    """Return the TOML file that `RELAY_CONFIG_FILE` names, if it names one.

    Raises:
        SettingsError: The named file does not exist.
    """
    named = os.environ.get("RELAY_CONFIG_FILE")
    if not named:
        return None
    if not Path(named).is_file():
        raise SettingsError(f"RELAY_CONFIG_FILE points to {named}, which does not exist or is not a file")
    return Path(named)


def toml_source(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    """Return the TOML file as a source of settings; empty when none is named.

    Raises:
        SettingsError: The file cannot be read as TOML.
    """
    path = config_file()
    try:
        return TomlConfigSettingsSource(settings_cls, path)
    except OSError as error:
        raise SettingsError(f"RELAY_CONFIG_FILE: {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"RELAY_CONFIG_FILE: {path} is not TOML: {error}") from error


def _unknown_names() -> list[str]:
    """Return names in the TOML file that are not settings: a typing error must not go unnoticed."""
    known = RelaySettings.model_fields
    faults = []
    for name in toml_source(RelaySettings).toml_data:
        if name not in known:
            (close, *_) = [*difflib.get_close_matches(name, known, 1), ""]
            advice = f"; do you mean {close}?" if close else ""
            faults.append(f"{config_file()}: no setting is called {name!r}{advice}")
    return faults

"""Settings of the commands and of `EventStore.from_environment`, from the environment and an env file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from eventstore.dynamodb.connection import Endpoint
from eventstore.dynamodb.table_names import PREFIX_DEFAULT, TableNames
from eventstore.environment import variables
from eventstore.errors import SetUpError

ENV_FILE_DEFAULT = Path(".local/env")
"""Where `make up` writes the addresses of the servers it started."""


class SettingsError(SetUpError):
    """Settings are missing, malformed or contradict each other; all faults in one message."""


class StoreSettings(BaseSettings):
    """Where the tables are. Environment variables carry the prefix `EVENTSTORE_`.

    Attributes:
        dynamodb_endpoint_url: DynamoDB Local or another endpoint; unset means AWS itself.
        aws_region: AWS region; unset leaves the choice to boto3.
        aws_access_key_id: Unset leaves the choice to boto3's chain.
        aws_secret_access_key: Same as above.
        aws_session_token: Of temporary credentials; goes with both keys.
        aws_profile: Of boto3's configuration files, in place of keys; unset leaves the choice to boto3.
        table_prefix: First part of every table's name.
    """

    model_config = SettingsConfigDict(env_prefix="EVENTSTORE_", frozen=True, extra="ignore", env_ignore_empty=True)

    dynamodb_endpoint_url: Annotated[str | None, Field(pattern=r"^https?://[^/\s@]+/?$")] = None
    aws_region: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    aws_profile: str | None = None
    table_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")] = PREFIX_DEFAULT

    @field_validator("dynamodb_endpoint_url")
    @classmethod
    def _check_port(cls, url: str | None) -> str | None:
        _ = urlsplit(url or "").port  # raises ValueError for what is not a port
        return url

    @property
    def tables(self) -> TableNames:
        """Names of the tables."""
        return TableNames(self.table_prefix)

    @property
    def endpoint(self) -> Endpoint:
        """Where DynamoDB is."""
        return Endpoint(
            url=self.dynamodb_endpoint_url,
            region=self.aws_region,
            access_key_id=self.aws_access_key_id,
            secret_access_key=_revealed(self.aws_secret_access_key),
            session_token=_revealed(self.aws_session_token),
            profile=self.aws_profile,
        )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def env_file() -> Path | None:
    """Return the env file to read: `EVENTSTORE_ENV_FILE`, else `.local/env` when it is there.

    Raises:
        SettingsError: The named file does not exist.
    """
    named = os.environ.get("EVENTSTORE_ENV_FILE")
    if named is not None:
        if not Path(named).is_file():
            raise SettingsError(f"EVENTSTORE_ENV_FILE points to {named}, which does not exist or is not a file")
        return Path(named)
    return ENV_FILE_DEFAULT if ENV_FILE_DEFAULT.is_file() else None


def load() -> StoreSettings:
    """Read the settings; the environment wins over the env file.

    Raises:
        SettingsError: Names every fault and the variable to set.
    """
    try:
        faults = misspelt(StoreSettings)
        settings = StoreSettings(_env_file=env_file())
    except ValidationError as error:
        raise SettingsError("; ".join([explain(error, "EVENTSTORE_"), *faults])) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{env_file()} is not valid UTF-8: recreate it, or let `make up` do it") from error
    if faults:
        raise SettingsError("settings: " + "; ".join(faults))
    if (settings.aws_access_key_id is None) != (settings.aws_secret_access_key is None):
        raise SettingsError("set both or none of EVENTSTORE_AWS_ACCESS_KEY_ID and EVENTSTORE_AWS_SECRET_ACCESS_KEY")
    if settings.aws_session_token is not None and settings.aws_access_key_id is None:
        raise SettingsError(
            "EVENTSTORE_AWS_SESSION_TOKEN goes with EVENTSTORE_AWS_ACCESS_KEY_ID: set it and the secret"
        )
    if settings.aws_profile is not None and settings.aws_access_key_id is not None:
        raise SettingsError("set either EVENTSTORE_AWS_PROFILE or the keys of EVENTSTORE_AWS_ACCESS_KEY_ID")
    return settings


def explain(error: ValidationError, prefix: str) -> str:
    """Return all faults of settings as one message that names the variables, and what was set in their place."""
    faults = []
    given = {name for _, names in _given() for name in names}
    for fault in error.errors(include_url=False):
        name, *within = [str(part) for part in fault["loc"]] or [""]
        words = "".join(f"{part!r}: " for part in within) + str(fault["msg"]).removeprefix("Value error, ")
        variable = f"{prefix}{name.upper()}"
        if fault["type"] == "missing":
            other = variables.instead_of(variable, given, known(StoreSettings))
            words += f"; {other} is set, do you mean {variable}?" if other else ""
        words = variables.explain_service(variable, fault["input"]) or words
        faults.append(f"{variable}: {words}" if name else words)
    return "settings: " + "; ".join(faults)


def known(*models: type[BaseSettings]) -> frozenset[str]:
    """Return the variables that set the settings of some models."""
    return frozenset(
        f"{model.model_config['env_prefix']}{name.upper()}" for model in models for name in model.model_fields
    )


def misspelt(*models: type[BaseSettings]) -> list[str]:
    """Return a sentence for each variable, of environment and env file, that is like one of the first model's.

    Args:
        models: The settings that are read, and further ones whose names are known.
    """
    prefix = models[0].model_config["env_prefix"]
    names = known(*models)
    return [
        fault
        for where, given in _given()
        for fault in variables.misspelt(variables.unknown(given, names, prefix), names, where)
    ]


def meaningless(*models: type[BaseSettings]) -> list[str]:
    """Return the variables, of environment and env file, with the first model's prefix that are like no setting."""
    prefix = models[0].model_config["env_prefix"]
    names = known(*models)
    found = {name for _, given in _given() for name in variables.unknown(given, names, prefix)}
    return sorted(name for name in found if variables.meant(name, names) is None)


def _given() -> list[tuple[str, Mapping[str, str | None]]]:
    """Return the variables of the environment and of the env file, each with what begins a sentence about them."""
    path = env_file()
    return [("", os.environ), (f"{path}: ", {} if path is None else dotenv_values(path, interpolate=False))]

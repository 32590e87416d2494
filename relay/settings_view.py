"""Settings as a person may see them: every value with where it comes from, and no secret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from eventstore.settings import env_file
from relay.settings import RelaySettings, toml_source

MASK = "***"

_ADDRESSES = re.compile(r"([,;])\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")  # a password may hold a comma
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>.*)", re.DOTALL)


class Origin(StrEnum):
    """Where a setting's value comes from, the strongest first."""

    ENVIRONMENT = "environment"
    ENV_FILE = "env file"
    CONFIG_FILE = "config file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting.

    Attributes:
        variable: The variable that sets it.
        value: What it is, a plain value of JSON with secrets masked; None when it is not set.
        origin: Where it comes from.
    """

    variable: str
    value: object
    origin: Origin


def show(settings: BaseSettings) -> list[ShownSetting]:
    """Return all settings of a model that was read from the environment, the env file and the TOML file.

    Raises:
        SettingsError: The env file or the TOML file is gone since.
    """
    model = type(settings)
    prefix = model.model_config["env_prefix"]
    path = env_file()
    given: list[tuple[Origin, Mapping[str, Any]]] = [
        (Origin.ENVIRONMENT, EnvSettingsSource(model)()),
        (Origin.ENV_FILE, {} if path is None else DotEnvSettingsSource(model, env_file=path)()),
        (Origin.CONFIG_FILE, toml_source(model).toml_data if model is RelaySettings else {}),
    ]
    return [
        ShownSetting(
            f"{prefix}{name.upper()}",
            _plain(getattr(settings, name)),
            next((origin for origin, values in given if name in values), Origin.DEFAULT),
        )
        for name in model.model_fields
    ]


def masked(address: str) -> str:
    """Return one address, or several with commas between, without passwords and without the values of a query.

    What stands before the last `@` counts as user and password, also where it should have been escaped.
    """
    given = _ADDRESSES.split(address)  # an address, what stands between, an address …
    return "".join(_masked_one(each) if place % 2 == 0 else each for place, each in enumerate(given))


def _masked_one(address: str) -> str:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return address
    person, at, place = found["rest"].rpartition("@")
    user, colon, _ = person.partition(":")
    shown = (f"{user}:{MASK}@" if colon else f"{MASK}@") if at else ""
    place, mark, query = place.partition("?")
    names = "&".join(
        f"{name}={MASK}" if value else MASK for name, _, value in (each.partition("=") for each in query.split("&"))
    )
    return f"{found['scheme']}{shown}{place}{mark}{names if mark else ''}"


def _plain(value: object) -> object:
    """Return a value for people: paths as text, addresses masked, and of another secret nothing at all."""
    match value:
        case SecretStr():
            text = value.get_secret_value()
            return masked(text) if _ADDRESS.fullmatch(text) else MASK
        case Path():
            return str(value)
        case str():
            return masked(value)
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case _:
            return value

"""Where commands find the search index: the variables of the relay, since both mean the same index."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from eventstore.dynamodb.table_names import PREFIX_DEFAULT
from eventstore.environment.access import AccessFiles, SecretFileError
from eventstore.errors import InvalidInputError
from eventstore.search.fields import PREFIX_PATTERN, PromotedType
from eventstore.search.options import SearchOptions
from eventstore.settings import SettingsError, env_file, explain


def _parsed(value: object) -> object:
    """Return the JSON value of a variable; a value that a file has parsed already is kept."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError('is not JSON; write it like {"price.amount": "double"}') from error


PromotedFields = Annotated[dict[str, PromotedType], NoDecode, BeforeValidator(_parsed)]
"""Payload path → type; parsed here, so that a fault in it is reported together with all others."""


class SearchSettings(BaseSettings):
    """Where the search index is. Environment variables carry the prefix `RELAY_`, as the relay reads them.

    Attributes:
        elasticsearch_url: Where the index is, `http://host:port`.
        elasticsearch_user_file: Holds the user of the index.
        elasticsearch_password_file: Holds the password.
        elasticsearch_api_key_file: Holds an API key, instead of user and password.
        name_prefix: First part of the names of alias and indices.
        index_promoted: Payload path → type of the fields that are promoted.
    """

    model_config = SettingsConfigDict(env_prefix="RELAY_", frozen=True, extra="ignore", env_ignore_empty=True)

    elasticsearch_url: Annotated[SecretStr, Field(min_length=1)]
    elasticsearch_user_file: Path | None = None
    elasticsearch_password_file: Path | None = None
    elasticsearch_api_key_file: Path | None = None
    name_prefix: Annotated[str, Field(pattern=f"^{PREFIX_PATTERN}$")] = PREFIX_DEFAULT
    index_promoted: PromotedFields = Field(default_factory=dict)

    @property
    def access(self) -> AccessFiles:
        """Where the index is, and who asks."""
        return AccessFiles(
            "RELAY_ELASTICSEARCH_URL",
            self.elasticsearch_url.get_secret_value(),
            self.elasticsearch_user_file,
            self.elasticsearch_password_file,
            self.elasticsearch_api_key_file,
        )

    @property
    def options(self) -> SearchOptions:
        """How a search of this index behaves."""
        return SearchOptions(prefix=self.name_prefix, promoted=self.index_promoted)


def load() -> SearchSettings:
    """Read the settings; the environment wins over the env file.

    Raises:
        SettingsError: Names every fault and the variable to set.
    """
    try:
        settings = SearchSettings(_env_file=env_file())
    except ValidationError as error:
        hint = "" if env_file() else ". `make up` starts local servers and writes .local/env"
        raise SettingsError(explain(error, "RELAY_") + hint) from error
    if not settings.elasticsearch_url.get_secret_value().startswith(("http://", "https://")):
        raise SettingsError("settings: RELAY_ELASTICSEARCH_URL: must begin with http:// or https://")
    try:
        settings.access.now()
    except SecretFileError as error:
        raise SettingsError(f"settings: {error}") from error
    try:
        _ = settings.options
    except InvalidInputError as error:
        raise SettingsError(f"settings: RELAY_INDEX_PROMOTED: {error.reason}") from error
    return settings

"""A default is one value, wherever a relay is put together from: settings of a command, or the parts by hand."""

import ast
import inspect
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from eventstore.search.options import SearchOptions
from eventstore.search.settings import SearchSettings
from relay.assembly import AssemblySettings
from relay.cli.destinations import bus_settings, index_settings, rabbit_settings
from relay.cli.servers import assembly_settings
from relay.destinations.bus.rabbitmq import RabbitSettings
from relay.destinations.bus.settings import BusSettings
from relay.destinations.file.file import FileSettings
from relay.destinations.index.settings import IndexSettings
from relay.leases.fleet import FleetSettings
from relay.leases.keeper import KeeperSettings
from relay.settings import RelaySettings

ADDRESSES = {"rabbitmq_url": SecretStr("amqp://nowhere"), "elasticsearch_url": SecretStr("http://nowhere")}
DEFAULTS = RelaySettings.model_construct(**ADDRESSES)  # the declared defaults, whatever the environment says


def flat(settings: Any, path: str = "") -> dict[str, Any]:
    """Return all values of settings within settings, by their path."""
    found: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            found |= flat(value, f"{path}{field.name}.")
        else:
            found[f"{path}{field.name}"] = value
    return found


@pytest.mark.parametrize(
    ("of_settings", "of_parts"),
    [
        pytest.param(
            assembly_settings(DEFAULTS, by_hand=False),
            AssemblySettings(bus_nodes=frozenset({"nowhere:5672//"})),
            id="assembly",
        ),
        pytest.param(bus_settings(DEFAULTS), BusSettings(), id="bus"),
        pytest.param(rabbit_settings(DEFAULTS), RabbitSettings(), id="broker"),
        pytest.param(index_settings(DEFAULTS), IndexSettings(), id="index"),
        pytest.param(
            SearchSettings.model_construct(elasticsearch_url=ADDRESSES["elasticsearch_url"]).options,
            SearchOptions(),
            id="search",
        ),
    ],
)
def test_settings_and_parts_have_the_same_defaults(of_settings: Any, of_parts: Any) -> None:
    """
    Field by field: what a command makes of its settings when nothing is set is what a part does when nothing is given.
    """
    assert flat(of_settings) == flat(of_parts)


def test_parts_that_share_a_meaning_share_its_default() -> None:
    """
    Neighbours that nobody puts together with settings: an index and who delivers to it, a keeper, a file, a search.
    """
    assembly = AssemblySettings()

    assert IndexSettings().bulk_timeout_seconds == assembly.side_budget_seconds
    assert KeeperSettings(FleetSettings(frozenset(), "x", 1, 1)).leases_max == assembly.shards_max
    assert assembly.shard_consumer.recheck_lag_seconds == assembly.sweep.min_age_seconds
    assert assembly.shard_consumer.cooldown_seconds == assembly.discovery.interval_seconds
    assert FileSettings().source == BusSettings().source_or_default
    assert SearchOptions().prefix == assembly.name_prefix == DEFAULTS.name_prefix


def test_the_settings_of_commands_spell_no_number_of_their_own() -> None:
    """
    A number in them would be a second place for a default; limits of what may be set are theirs.
    """
    (body,) = ast.parse(inspect.getsource(RelaySettings)).body
    assert isinstance(body, ast.ClassDef)
    spelled = [
        ast.unparse(line.target)
        for line in body.body
        if isinstance(line, ast.AnnAssign) and line.value is not None
        for node in ast.walk(line.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    ]

    assert spelled == []

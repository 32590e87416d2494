"""`relay config show`: every setting in force, where it comes from, and no secret."""

import json

import click
from rich.table import Column, Table
from rich.text import Text

from eventstore.cli.output import envelope
from eventstore.cli.output.streams import printable
from eventstore.settings import StoreSettings, meaningless
from relay.cli.opened import load_settings
from relay.settings import RelaySettings
from relay.settings_view import ShownSetting
from relay.settings_view import show as shown_of


@click.group()
def config() -> None:
    """Show the settings.

    Exit codes: 0 fine, others as each command says.
    """


@config.command()
@envelope.json_option
@envelope.reports_errors
def show(*, as_json: bool) -> None:
    """Show every setting that `relay` would run with, and where its value comes from. Secrets are masked.

    Highest precedence first: environment, env file (`EVENTSTORE_ENV_FILE`, else .local/env), the TOML file that
    `RELAY_CONFIG_FILE` names, default. It contacts no server.

    Exit codes: 0 fine, 2 the settings are faulty; each fault is named.
    """
    settings = [each for model in load_settings() for each in shown_of(model)]
    for name in (*meaningless(RelaySettings, StoreSettings), *meaningless(StoreSettings, RelaySettings)):
        click.echo(f"{name}: no setting is called so", err=True)
    if as_json:
        envelope.print_envelope(
            {each.variable: {"value": each.value, "origin": each.origin.value} for each in settings},
        )
        return
    table = Table(Column("variable", no_wrap=True), Column("value", overflow="fold"), "from")
    for each in settings:
        table.add_row(each.variable, Text(_as_text(each)), each.origin.value)  # no mark-up in values
    envelope.console().print(table)


def _as_text(setting: ShownSetting) -> str:
    match setting.value:
        case None:
            return "unset"
        case str() as text:
            return printable(text)
        case float() as number:
            return f"{number:g}"
        case other:
            return json.dumps(other)

"""`eventstore init`: create the tables."""

import click

from eventstore import settings
from eventstore.cli.output import envelope
from eventstore.dynamodb import connection, store_record, tables
from eventstore.system import SystemRuntime


@click.command()
@click.option(
    "--index-shards",
    type=click.IntRange(1, 64),
    default=store_record.INDEX_SHARDS_DEFAULT,
    show_default=True,
    help="Number of write shards of each index key, for a new store.",
)
@envelope.json_option
@envelope.reports_errors
def init(index_shards: int, *, as_json: bool) -> None:
    """Create missing tables and check existing ones. Safe to repeat.

    Exit codes: 0 the tables exist with the right layout, 2 settings, or a table has another layout (then nothing is
    created), 3 DynamoDB is out of reach, 4 interrupted: run it again.
    """
    chosen = settings.load()
    client, _ = connection.connect(chosen.endpoint)
    result = tables.init(
        client,
        chosen.tables,
        SystemRuntime(),
        index_shards=index_shards,
        progress=lambda name: click.echo(f"creating {name}", err=True),
    )
    if as_json:
        record = {"epoch": result.record.epoch, "index_shards": result.record.index_shards}
        envelope.print_envelope({"created": result.created, "existing": result.existing, **record})
        return
    click.echo(f"{len(result.created)} tables created, {len(result.existing)} were there.")
    if result.record.index_shards != index_shards:
        click.echo(f"The store has {result.record.index_shards} index shards; --index-shards applies to new ones only.")
    click.echo("Next: `eventstore append --help`, or `relay run` to deliver what is appended.")

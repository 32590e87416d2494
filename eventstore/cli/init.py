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
@click.option(
    "--protect/--no-protect",
    default=True,
    show_default=True,
    help="Protection against deletion and point-in-time recovery, for new tables.",
)
@envelope.json_option
@envelope.reports_errors
def init(index_shards: int, *, protect: bool, as_json: bool) -> None:
    """Create missing tables and check existing ones. Safe to repeat.

    New tables are protected as the template says: all but the snapshots. Tables that somebody else is just creating
    are waited for.

    Exit codes: 0 the tables exist with the right layout, 2 settings, or a table has another layout (then nothing is
    created), 3 DynamoDB is out of reach, 4 interrupted: run it again.
    """
    chosen = settings.load()
    client = connection.connect(chosen.endpoint)
    result = tables.init(
        client,
        chosen.tables,
        SystemRuntime(),
        index_shards=index_shards,
        protect=protect,
        progress=lambda name: click.echo(f"creating {name}", err=True),
    )
    if as_json:
        record = {"epoch": result.record.epoch, "index_shards": result.record.index_shards}
        found = {"created": result.created, "existing": result.existing, "unprotected": result.unprotected}
        envelope.print_envelope({**found, **record})
        return
    click.echo(f"{len(result.created)} tables created, {len(result.existing)} were there.")
    if result.unprotected:
        click.echo("This server has no point-in-time recovery, so that nothing can be restored.")
    if result.record.index_shards != index_shards:
        click.echo(f"The store has {result.record.index_shards} index shards; --index-shards applies to new ones only.")
    click.echo("Next: `eventstore append --help`, or `relay run` to deliver what is appended.")

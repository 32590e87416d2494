"""`eventstore show`: one aggregate's history."""

import click
from rich.table import Table

from eventstore.cli import envelope
from eventstore.cli.event_view import as_dict, columns, row
from eventstore.cli.opened import open_store


@click.command()
@click.argument("aggregate_id")
@click.option("--after", type=click.IntRange(0), default=0, help="Only events with greater sequence numbers.")
@click.option("--limit", type=click.IntRange(1), default=None, help="At most so many events.")
@envelope.json_lines_option
@envelope.reports_errors
def show(aggregate_id: str, after: int, limit: int | None, *, as_json: bool) -> None:
    """Show the events of AGGREGATE_ID, oldest first. Exit code 1 when it has none."""
    events = open_store().read(aggregate_id, after=after, limit=limit)
    if as_json:
        count = 0
        for count, event in enumerate(events, start=1):  # noqa: B007 - the count is wanted after the loop
            click.echo(envelope.dump(as_dict(event)))
    else:
        table = Table(*columns(with_aggregate=False), title=f"aggregate {aggregate_id}", title_justify="left")
        for event in events:
            table.add_row(*row(event, with_aggregate=False))
        count = table.row_count
        if count:
            envelope.console().print(table)
    if not count:
        after_text = f" after {after}" if after else ""
        envelope.fail(f"aggregate {aggregate_id!r} has no events{after_text}", envelope.ExitCode.FOUND, as_json=False)

"""`eventstore show`: one aggregate's history."""

import click
from rich.table import Table
from rich.text import Text

from eventstore.cli import envelope
from eventstore.cli.event_view import as_dict, columns, row
from eventstore.cli.opened import open_store
from eventstore.cli.streams import printable
from eventstore.limits import SEQUENCE_NUMBER_MAX


@click.command()
@click.argument("aggregate_id")
@click.option(
    "--after",
    type=click.IntRange(0, SEQUENCE_NUMBER_MAX - 1),
    default=0,
    help="Only events with greater sequence numbers.",
)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=None, help="At most so many events.")
@envelope.json_lines_option
@envelope.reports_errors
def show(aggregate_id: str, after: int, limit: int | None, *, as_lines: bool) -> None:
    """Show the events of AGGREGATE_ID, oldest first.

    Exit codes: 0 events were shown, 1 it has none in that range, 2 settings or tables, 3 DynamoDB is out of reach.
    """
    events = open_store().read(aggregate_id, after=after, limit=limit)
    count = 0
    if as_lines:
        for count, event in enumerate(events, start=1):  # noqa: B007 - the count is wanted after the loop
            envelope.print_line(as_dict(event))
    else:
        title = Text(f"aggregate {printable(aggregate_id)}")
        table = Table(*columns(with_aggregate=False), title=title, title_justify="left")
        for event in events:
            table.add_row(*row(event, with_aggregate=False))
        count = table.row_count
        if count:
            envelope.console().print(table)
    if not count:
        after_text = f" after {after}" if after else ""
        envelope.fail(f"aggregate {aggregate_id!r} has no events{after_text}", envelope.ExitCode.FOUND, as_json=False)

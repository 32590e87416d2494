"""`relay parked drop`: give up a parked commit permanently."""

from collections.abc import Sequence

import click

from eventstore.cli.output import envelope
from eventstore.limits import SEQUENCE_NUMBER_MAX
from eventstore.validation import check_aggregate_id
from relay.cli import humanize, operator
from relay.cli.opened import destination_names, open_desk
from relay.operating.parked.drop import Dropped, Dropper, DropRefusedError
from relay.operating.parked.mark import Mark, MarkedRow


@click.command()
@click.argument("aggregate")
@click.argument("last", type=click.IntRange(1, SEQUENCE_NUMBER_MAX))
@click.option(
    "--destination",
    metavar="NAME",
    callback=operator.name,
    help="Drop it for this destination only; by default for every destination it is parked for.",
)
@click.option("--reason", required=True, callback=operator.reason, help="Reason, kept in the audit log.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask for confirmation.")
@operator.by_option
@envelope.json_option
@envelope.reports_errors
def drop(
    aggregate: str, last: int, destination: str | None, reason: str, by: str, *, is_sure: bool, as_json: bool
) -> None:
    """Count the commit of AGGREGATE that ends at number LAST as delivered where it is parked.

    Its events stay in the store; the destination never gets them. Consumers of the bus skip the gap. An audit
    record keeps who did it, why, and what the mark said. Commits that waited behind it continue within a walk of the
    sweep. This cannot be undone.

    Exit codes: 0 dropped, 1 it is not parked, its turn has not come, or you did not confirm, 2 arguments, settings or
    tables, 3 DynamoDB is out of reach, 5 the outcome is unknown: run it again, it does nothing twice.
    """
    check_aggregate_id(aggregate, "AGGREGATE")
    desk = open_desk()
    names = destination_names(desk.fleet_table.look())
    dropper = Dropper(desk.store.client, desk.store.tables, desk.runtime, desk.backoff, names)
    try:
        row, marks = dropper.find((aggregate, last), destination)
        if not is_sure and not _confirms(row, marks, as_json=as_json):
            envelope.fail("not confirmed; nothing was changed", envelope.ExitCode.FOUND, as_json=as_json)
        done = dropper.drop(row.id, marks, by, reason)
    except DropRefusedError as error:
        envelope.fail(str(error), envelope.ExitCode.FOUND, as_json=as_json)
    _tell(row, marks, done, as_json=as_json)


def _confirms(row: MarkedRow, marks: Sequence[Mark], *, as_json: bool) -> bool:
    """Show what would be dropped and ask; on standard error when standard output is for a program."""
    first = "?" if row.first is None else row.first
    click.echo(
        f"commit {humanize.text(row.aggregate_id)} {first} to {row.last}, type {humanize.text(row.aggregate_type)}",
        err=as_json,
    )
    for mark in marks:
        click.echo(
            f"  {humanize.text(mark.destination)} will never get it: {humanize.text(mark.reason, 2_000)}",
            err=as_json,
        )
    try:
        return click.confirm("Drop it permanently?", err=as_json)
    except click.Abort:  # no terminal, or Ctrl-C
        return False


def _tell(row: MarkedRow, marks: Sequence[Mark], done: Dropped, *, as_json: bool) -> None:
    names = [mark.destination for mark in marks]
    if as_json:
        data = {
            "aggregate_id": row.aggregate_id,
            "last": row.last,
            "destinations": names,
            "settled": done.settled,
            "audit_id": done.record.record_id,
        }
        envelope.print_envelope(data)
        return
    gone = "it is no longer owed to any destination" if done.settled else "it is still owed to other destinations"
    click.echo(
        f"dropped {humanize.text(row.aggregate_id)} {row.last} for {', '.join(map(humanize.text, names))}; {gone}."
    )
    click.echo(f"audit record {done.record.record_id}: `relay audit list` shows it.")

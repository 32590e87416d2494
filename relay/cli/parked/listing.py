"""`relay parked list`: what waits for a person, by reason."""

import shlex
from collections.abc import Sequence
from typing import Any

import click
from rich.table import Column, Table
from rich.text import Text

from eventstore.cli.output import envelope
from eventstore.validation import check_aggregate_id
from relay.cli import humanize, operator
from relay.cli.opened import open_desk
from relay.operating.parked.grouping import Group, Grouping
from relay.operating.parked.reader import MarkReader
from relay.operating.parked.selection import Selection

_REASON_SHOWN = 160


@click.command("list")
@click.option("--aggregate", metavar="ID", help="Only commits of this aggregate.")
@click.option("--destination", metavar="NAME", callback=operator.name, help="Only commits parked for this destination.")
@click.option("--error-class", metavar="CLASS", callback=operator.name, help="Only commits with this error class.")
@click.option(
    "--examples",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Number of examples to show per group.",
)
@envelope.json_option
@envelope.reports_errors
def list_(
    aggregate: str | None, destination: str | None, error_class: str | None, examples: int, *, as_json: bool
) -> None:
    """List what is parked, by destination and error class, with counts and examples.

    It reads the outbox once.

    Exit codes: 0 also when nothing is parked, 2 settings or tables, 3 DynamoDB is out of reach.
    """
    if aggregate is not None:
        check_aggregate_id(aggregate, "--aggregate")
    desk = open_desk()
    grouping = Grouping(Selection(aggregate, destination, error_class), examples)
    reader = MarkReader(desk.store.client, desk.store.tables, desk.runtime, desk.backoff)
    for rows in reader.walk(aggregate):
        grouping.add(rows)
    groups = grouping.groups()
    if as_json:
        envelope.print_envelope({"rows": grouping.rows, "groups": [as_dict(group) for group in groups]})
    elif groups:
        envelope.console().print(table(groups))
        click.echo(f"Next: {_advice(groups)}")
    else:
        click.echo("nothing is parked.")


def table(groups: Sequence[Group]) -> Table:
    """Return groups as a table for a person."""
    made = Table(
        "destination",
        Column("error class", overflow="fold"),
        Column("commits", justify="right"),
        Column("waiting", justify="right"),
        "since (UTC)",
        Column("for example", overflow="fold"),
    )
    for group in groups:
        reason = humanize.text(group.examples[0].reason, _REASON_SHOWN) if group.examples else ""
        keys = ", ".join(f"{humanize.text(each.aggregate_id, 80)} {each.last}" for each in group.examples)
        made.add_row(
            Text(humanize.text(group.destination)),
            Text(humanize.text(group.error_class)),
            f"{group.commits:,}",
            f"{group.waiting:,}",
            humanize.moment(group.oldest_failed_at_ms),
            Text(f"{keys}: {reason}"),
        )
    return made


def as_dict(group: Group) -> dict[str, Any]:
    """Return a group for a program."""
    return {
        "destination": group.destination,
        "error_class": group.error_class,
        "commits": group.commits,
        "waiting": group.waiting,
        "oldest_failed_at_ms": group.oldest_failed_at_ms,
        "examples": [
            {"aggregate_id": each.aggregate_id, "last": each.last, "reason": each.reason} for each in group.examples
        ],
    }


def _advice(groups: Sequence[Group]) -> str:
    example = groups[0].examples[0]
    shown = shlex.quote(humanize.text(example.aggregate_id))
    return f"`relay parked show {shown} {example.last}`; when the cause is gone, `relay parked release`."

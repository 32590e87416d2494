"""`relay audit`: what operators did."""

from collections.abc import Mapping

import click
from rich.table import Column, Table
from rich.text import Text

from eventstore.cli.output import envelope
from relay.cli import humanize
from relay.cli.opened import open_desk
from relay.operating.audit_trail import AuditTrail

_ORDER = {name: place for place, name in enumerate(("aggregate", "first", "last", "type", "destinations"))}


@click.group()
def audit() -> None:
    """Show what operators did to the relay: release, drop, pause, resume.

    Exit codes: 0 fine, others as each command says.
    """


@audit.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Maximum number of actions to show."
)
@envelope.json_option
@envelope.reports_errors
def list_(limit: int, *, as_json: bool) -> None:
    """List the latest actions, newest first.

    Exit codes: 0 also when there is none, 1 a record cannot be read, 2 settings or tables, 3 DynamoDB is out of reach.
    """
    desk = open_desk()
    trail = AuditTrail(desk.store.client, desk.store.tables, desk.runtime, desk.backoff)
    records, faults = trail.latest(limit)
    if as_json:
        data = [
            {
                "id": record.record_id,
                "verb": record.verb,
                "by": record.by,
                "at_ms": record.at_ms,
                "reason": record.reason,
                "about": record.about,
            }
            for record in records
        ]
        envelope.print_envelope(data, status="failed" if faults else "ok", diagnostics=faults)
    else:
        if records:
            fold = [Column(name, overflow="fold") for name in ("by", "target", "reason")]
            table = Table("at (UTC)", "action", *fold)
            for record in records:
                about = _about(record.about)
                by, reason = Text(humanize.text(record.by)), Text(humanize.text(record.reason))
                table.add_row(
                    humanize.moment(record.at_ms),
                    Text(humanize.text(record.verb)),
                    by,
                    Text(humanize.text(about)),
                    reason,
                )
            envelope.console().print(table)
        else:
            click.echo("no actions are recorded.")
        for fault in faults:
            click.echo(f"error: {humanize.text(fault)}", err=True)
    if faults:
        raise SystemExit(int(envelope.ExitCode.FOUND))


def _about(about: Mapping[str, str]) -> str:
    """Return what a deed was about, what an operator looks for first; the text of a mark is for --json."""
    names = sorted(about.keys() - {"mark"}, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
    return "; ".join(f"{name} {about[name]}" for name in names)

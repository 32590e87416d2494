"""`eventstore schema`: compare what is stored with what a program can read."""

import contextlib
import os
import sys
from typing import Any

import click
from rich.table import Column, Table
from rich.text import Text

from eventstore.cli.opened import open_store
from eventstore.cli.output import envelope, progress
from eventstore.cli.output.streams import printable
from eventstore.errors import InvalidInputError
from eventstore.schema import EventTypes, SchemaReport
from eventstore.schema.report import SchemaFinding
from eventstore.system import SystemRuntime


@click.group()
def schema() -> None:
    """Event types: what is stored, and what a program can read.

    Exit codes: 0 fine, others as each command says.
    """


@schema.command()
@click.option(
    "--events",
    "place",
    metavar="MODULE:ATTRIBUTE",
    default=None,
    help="The program's `EventTypes`, such as shop.events:events; imported from the current folder, or as installed.",
)
@envelope.json_option
@envelope.reports_errors
def check(place: str | None, *, as_json: bool) -> None:
    """Count events by type and schema version, and find those that a program cannot read.

    With --events: missing upcasters, types and versions that it does not know, and, by trying one event
    of each, upcasters and classes that fail. What can be read all the same is a note and does not change the exit code.

    The module is imported, so its code runs. The events table is read once, at half a read unit per 4 KB.

    Exit codes: 0 every event can be read, 1 some cannot, 2 --events, settings or tables, 3 DynamoDB is out of reach,
    4 interrupted: check again.
    """
    events = EventTypes() if place is None else _load(place)
    store = open_store(events)
    with progress.shown("reading", SystemRuntime()) as tell:
        report = store.schema_check(on_scanned=lambda rows: tell(rows, f"{rows:,} events counted"))
    findings = [each for each in report.findings if place is not None or each.is_error]
    if as_json:
        status = "ok" if report.ok else "failed"
        envelope.print_envelope(
            _as_dict(report, findings), status=status, diagnostics=[_text(each) for each in findings]
        )
    else:
        _print(report, findings, compared=place is not None)
    if not report.ok:
        raise SystemExit(int(envelope.ExitCode.FOUND))


def _load(place: str) -> EventTypes:
    """Import a registry; what its module prints stays out of the results."""
    folder = os.getcwd()  # noqa: PTH109 - text is what the path of imports holds
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return EventTypes.load(place)
    except SystemExit as error:
        raise InvalidInputError("events", f"module of {place!r} ended the program with {error.code!r}") from error


def _print(report: SchemaReport, findings: list[SchemaFinding], *, compared: bool) -> None:
    table = Table(
        Column("type", overflow="fold"), Column("version", justify="right"), Column("events", justify="right")
    )
    for (event_type, version), count in sorted(report.stored.items()):
        table.add_row(Text(printable(event_type)), str(version), f"{count:,}")
    envelope.console().print(table)
    for each in findings:
        click.echo(_text(each))
    if compared:
        errors = sum(each.is_error for each in findings)
        click.echo(f"{errors:,} errors, {len(findings) - errors:,} notes")
    else:
        click.echo("Next: --events module:attribute compares this with what a program can read.", err=True)


def _text(finding: SchemaFinding) -> str:
    word = "error" if finding.is_error else "note"
    example = f" (such as {finding.example})" if finding.example else ""
    return printable(f"{word}  {finding.kind}  {' '.join(finding.message.split())}{example}")


def _as_dict(report: SchemaReport, findings: list[SchemaFinding]) -> dict[str, Any]:
    return {
        "stored": [
            {"event_type": event_type, "schema_version": version, "events": count}
            for (event_type, version), count in sorted(report.stored.items())
        ],
        "findings": [
            {
                "kind": each.kind,
                "is_error": each.is_error,
                "event_type": each.event_type,
                "schema_version": each.schema_version,
                "stored": each.stored,
                "example": each.example,
                "message": each.message,
            }
            for each in findings
        ],
    }

"""`eventstore verify`: check stored data for inconsistencies."""

import click

from eventstore.cli.input.moment import FORMS, moment
from eventstore.cli.opened import open_store
from eventstore.cli.output import envelope, progress
from eventstore.cli.output.streams import printable
from eventstore.limits import VERIFY_EVENT_IDS_MAX_DEFAULT
from eventstore.system import SystemRuntime
from eventstore.verify import Finding, Severity
from eventstore.verify.verifier import WalkProgress


@click.command()
@click.option("--aggregate", default=None, help="Only this aggregate.")
@click.option(
    "--since",
    "since_ms",
    type=moment,
    metavar="TIME",
    default=None,
    help=f"Only aggregates with an event at or after this time, each as a whole: {FORMS}.",
)
@click.option(
    "--event-ids-max",
    type=click.IntRange(1, 100_000_000),
    default=VERIFY_EVENT_IDS_MAX_DEFAULT,
    show_default=True,
    help="Number of event ids to remember, about 100 bytes each.",
)
@envelope.json_lines_option
@envelope.reports_errors
def verify(aggregate: str | None, since_ms: int | None, event_ids_max: int, *, as_lines: bool) -> None:
    """Check that numbers are contiguous, commits complete, types and event ids unique, and outbox and keys correct.

    It changes nothing and may run beside writers. Without options it reads all of the tables once, consistently.

    Findings are printed as they are found, one per line. A note is worth knowing but is not a fault: it does not
    change the exit code. What was checked is printed on standard error at the end.

    Exit codes: 0 no fault, 1 faults were found, 2 arguments, settings or tables, 3 DynamoDB is out of reach,
    4 interrupted: the rest was not checked, so verify again.
    """
    if aggregate is not None and since_ms is not None:
        raise click.UsageError("--aggregate is always checked as a whole: give either it or --since")
    store = open_store()
    faults = notes = 0
    walked = WalkProgress(0, 0, 0)
    with progress.shown("verifying", SystemRuntime()) as tell:

        def on_walked(now: WalkProgress) -> None:
            nonlocal walked
            walked = now
            tell(now.events, _looked_at(now))

        for finding in store.verify(aggregate, since_ms=since_ms, event_ids_max=event_ids_max, progress=on_walked):
            _print(finding, as_lines=as_lines)
            if finding.severity is Severity.FAULT:
                faults += 1
            else:
                notes += 1
    click.echo(f"{_looked_at(walked)}: {faults:,} faults, {notes:,} notes", err=True)
    if faults:
        raise SystemExit(int(envelope.ExitCode.FOUND))


def _looked_at(walked: WalkProgress) -> str:
    other = f"{walked.other_rows:,} rows of outbox and keys"
    return f"looked at {walked.events:,} events of {walked.aggregates:,} aggregates and {other}"


def _print(finding: Finding, *, as_lines: bool) -> None:
    if as_lines:
        envelope.print_line(
            {
                "severity": finding.severity.value,
                "kind": finding.kind.value,
                "aggregate_id": finding.aggregate_id,
                "number": finding.number,
                "sentence": finding.sentence,
            },
        )
        return
    place = f"{finding.aggregate_id} {finding.number}".strip() if finding.aggregate_id else "the store"
    click.echo(printable(f"{finding.severity.value}  {finding.kind.value}  {place}: {finding.sentence}"))

"""`eventstore import`: store many commits from JSON lines; run it again to resume, and nothing is stored twice."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from types import FrameType
from typing import IO

import click

from eventstore.append.bulk import CONCURRENCY_MAX
from eventstore.cli.import_run import ImportReport, ImportRun
from eventstore.cli.input import import_lines
from eventstore.cli.input.import_lines import NAME_MAX_BYTES, Checked, Planned
from eventstore.cli.opened import open_store
from eventstore.cli.output import envelope, progress
from eventstore.cli.output.streams import printable
from eventstore.errors import InvalidInputError
from eventstore.ports import Flag
from eventstore.system import SystemRuntime


@click.command("import")
@click.argument("source", type=click.File("rb"), default="-")
@click.option(
    "--concurrency",
    type=click.IntRange(1, CONCURRENCY_MAX),
    default=8,
    show_default=True,
    help="Number of commits sent at once.",
)
@click.option("--dry-run", is_flag=True, help="Check the lines without sending anything; no server is needed.")
@click.option("--from-line", type=click.IntRange(1), default=1, help="Skip the lines before this one.")
@click.option("--name", default="", help="Part of every key; change it to store the same lines again.")
@envelope.json_option
@envelope.reports_errors
def import_events(
    source: IO[bytes], concurrency: int, from_line: int, name: str, *, dry_run: bool, as_json: bool
) -> None:
    """Store many commits from SOURCE (JSON lines; standard input by default), each line one commit, all or none.

    A line is {"aggregate_type": "...", "aggregate_id": "...", "event": {...}}, or has "events" with a list of up to 97;
    an event is as in `append`. It may add "expected_version" (a number, "new", "exists" or "any", the default) and
    "idempotency_key".

    All lines are checked before the first is sent. Lines of one aggregate are stored in their order; when one of them
    is refused, those after it are held back.

    Run the same command again to resume: each line has an idempotency key, made of its content and of how many equal
    lines stand before it, so that what is stored is not stored twice, also when other lines were fixed, added or taken
    away. A line that equals one of an earlier import in everything counts as stored, unless --name differs.

    Exit codes: 0 every line is stored, 1 lines were refused by the store, 2 lines, arguments, settings or tables are
    wrong (nothing is stored), 3 DynamoDB is out of reach at the start, 4 stopped part-way: run it again to resume.
    """
    _check_name(name)
    runtime = SystemRuntime()
    with tempfile.TemporaryFile() as spool:
        again = _seekable(source, spool)
        start = again.tell()
        with progress.shown("checking", runtime) as tell:
            checked = import_lines.check(again, name, tell)
        if checked.bad:
            _refuse(checked, as_json=as_json)
        if dry_run:
            _report_dry_run(checked, as_json=as_json)
            return
        again.seek(start)
        store, stop = open_store(), runtime.flag()
        _stop_on_signals(stop)
        with progress.shown("storing", runtime, total=checked.lines) as tell:
            lines = (line for line in import_lines.plan(again, name) if _is_wanted(line, from_line))
            report = ImportRun(store, stop, tell).run(lines, concurrency)
    _report(report, getattr(source, "name", "-"), as_json=as_json)


def _check_name(name: str) -> None:
    try:
        fits = len(name.encode()) <= NAME_MAX_BYTES
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise click.BadParameter(f"is not a text of at most {NAME_MAX_BYTES} bytes", param_hint="--name")


def _seekable(source: IO[bytes], spool: IO[bytes]) -> IO[bytes]:
    """Return an input that can be read twice; a pipe is copied to a temporary file."""
    if source.seekable():
        return source
    shutil.copyfileobj(source, spool)
    spool.seek(0)
    return spool


def _is_wanted(line: Planned | InvalidInputError, from_line: int) -> bool:
    return isinstance(line, InvalidInputError) or line.number >= from_line


def _stop_on_signals(stop: Flag) -> None:
    """At SIGTERM or Ctrl-C, stop after the requests in flight; at the second signal, at once."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def _refuse(checked: Checked, *, as_json: bool) -> None:
    faults = list(_with_rest(checked.faults, checked.bad))
    if as_json:
        envelope.print_envelope(
            {"lines": checked.lines, "events": checked.events, "bad": checked.bad}, status="error", diagnostics=faults
        )
    for fault in faults:
        click.echo(f"error: {fault}", err=True)
    if not as_json:
        click.echo(
            f"Nothing is stored. Fix the lines; `--dry-run` checks them. {checked.lines:,} lines are fine.", err=True
        )
    raise SystemExit(int(envelope.ExitCode.USAGE))


def _report_dry_run(checked: Checked, *, as_json: bool) -> None:
    if as_json:
        envelope.print_envelope({"lines": checked.lines, "events": checked.events, "bad": 0, "dry_run": True})
        return
    click.echo(f"{checked.lines:,} lines with {checked.events:,} events can be sent. Nothing was.")


def _report(report: ImportReport, source: str, *, as_json: bool) -> None:
    status, code = ("failed", envelope.ExitCode.FOUND) if report.refused else ("ok", envelope.ExitCode.FINE)
    faults = list(_with_rest(report.faults, report.refused))
    if report.held_back:
        faults.append(f"held back, behind refused lines of their aggregates: {report.held_back:,}")
    advice = (
        ["Next: fix the refused lines and run the import again; nothing is stored twice."] if report.refused else []
    )
    if report.next_line is not None:
        status, code = "incomplete", envelope.ExitCode.PARTIAL
        faults.append(f"stopped before line {report.next_line}: {_one_line(report.reason)}")
        if not report.refused:
            resume = f"run the same command again with --from-line {report.next_line} ({_one_line(source)})"
            advice = [f"Next: {resume}; nothing is stored twice, also without --from-line."]
    if as_json:
        counts = ("stored", "already_stored", "events", "refused", "held_back", "next_line")
        data = {name: getattr(report, name) for name in counts}
        envelope.print_envelope(data, status=status, diagnostics=[*faults, *advice])
    else:
        known = f"; {report.already_stored:,} were there already" if report.already_stored else ""
        click.echo(f"{report.stored:,} commits with {report.events:,} events stored{known}.")
    for line in faults:
        click.echo(f"error: {line}", err=True)
    for line in advice:
        click.echo(line, err=True)
    raise SystemExit(int(code))


def _with_rest(faults: list[str] | tuple[str, ...], total: int) -> Iterator[str]:
    yield from map(_one_line, faults)
    if total > len(faults):
        yield f"and {total - len(faults):,} more"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))

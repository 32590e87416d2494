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
from eventstore.cli.input import import_lines, import_name
from eventstore.cli.input.import_lines import Checked, Planned
from eventstore.cli.input.old_times import old_times_option
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
@click.option(
    "--name",
    default=None,
    help="Name of this import, a part of the keys of its lines; the file's name when left out.",
)
@old_times_option
@envelope.json_option
@envelope.reports_errors
def import_events(
    source: IO[bytes],
    concurrency: int,
    from_line: int,
    name: str | None,
    *,
    dry_run: bool,
    old_times: bool,
    as_json: bool,
) -> None:
    """Store many commits from SOURCE (JSON lines; standard input by default), each line one commit, all or none.

    A line is {"aggregate_type": "...", "aggregate_id": "...", "event": {...}}, or has "events" with a list of up to 97;
    an event is as in `append`. It may add "expected_version" (a number, "new", "exists" or "any", the default) and
    "idempotency_key".

    All lines are checked before the first is sent. Lines of one aggregate are stored in their order; when one of them
    is refused, those after it are held back.

    Run the same command again to resume: each line has an idempotency key, made of the import's name, of its content
    and of how many equal lines stand before it, so that what is stored is not stored twice, also when other lines were
    fixed, added or taken away. A line that equals one of another import of the same name counts as stored; a run that
    meets such lines names them. Input from a pipe needs a --name, unless all lines have keys of their own.

    Exit codes: 0 every line is stored, 1 lines were refused by the store, 2 lines, arguments, settings or tables are
    wrong (nothing is stored), 3 DynamoDB is out of reach at the start, 4 stopped part-way: run it again to resume.
    """
    name = import_name.given(name)
    runtime = SystemRuntime()
    with tempfile.TemporaryFile() as spool:
        again = _seekable(source, spool)
        start = again.tell()
        with progress.shown("checking", runtime) as tell:
            checked = import_lines.check(again, name or "", tell, old_times=old_times)
        if checked.bad:
            _refuse(checked, as_json=as_json)
        if dry_run:
            _report_dry_run(checked, as_json=as_json)
            return
        if from_line > max(checked.last, 1):
            raise click.BadParameter(f"the input ends with line {checked.last}", param_hint="--from-line")
        if name is None and checked.without_key:
            name = import_name.of_file(source)
            if not as_json:
                click.echo(f"Name of this import: {printable(name)!r}, after the file; --name gives another.", err=True)
        again.seek(start)
        store, stop = open_store(), runtime.flag()
        _stop_on_signals(stop)
        with progress.shown("storing", runtime, total=checked.lines) as tell:
            lines = (line for line in import_lines.plan(again, name or "") if _is_wanted(line, from_line))
            report = ImportRun(store, stop, tell).run(lines, concurrency)
    _report(report, getattr(source, "name", "-"), name, as_json=as_json)


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


def _report(report: ImportReport, source: str, name: str | None, *, as_json: bool) -> None:
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
        data = {"name": name, **{each: getattr(report, each) for each in counts}}
        envelope.print_envelope(data, status=status, diagnostics=[*faults, *_already(report, name), *advice])
    else:
        known = f"; {report.already_stored:,} were there already" if report.already_stored else ""
        click.echo(f"{report.stored:,} commits with {report.events:,} events stored{known}.")
    for line in faults:
        click.echo(f"error: {line}", err=True)
    for line in _already(report, name) if not as_json else ():
        click.echo(f"warning: {line}", err=True)
    for line in advice:
        click.echo(line, err=True)
    raise SystemExit(int(code))


def _already(report: ImportReport, name: str | None) -> Iterator[str]:
    """Yield what to say of lines that were there already: on a first run they are lines that would be lost."""
    if not report.already_stored:
        return
    ranges = [f"{first}" if first == last else f"{first} to {last}" for first, last in report.already_at]
    shown = sum(last - first + 1 for first, last in report.already_at)
    rest = " and others" if shown < report.already_stored else ""
    import_ = "this import" if name is None else f"the import {printable(name)!r}"
    yield (
        f"{report.already_stored:,} lines were there already, and were not stored again: {', '.join(ranges)}{rest}."
        f" That is right if {import_} was run before. If it was not, they are lines of another import, and missing now:"
        " put them into a file of their own, and import it with a --name of its own"
    )


def _with_rest(faults: list[str] | tuple[str, ...], total: int) -> Iterator[str]:
    yield from map(_one_line, faults)
    if total > len(faults):
        yield f"and {total - len(faults):,} more"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))

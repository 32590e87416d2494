"""`relay demo`: the main job from end to end, checked from outside."""

import os
import signal
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from eventstore.cli.output import envelope
from eventstore.cli.output.streams import printable
from eventstore.ports import Runtime
from eventstore.system import SystemRuntime
from relay import logs
from relay.demo import retail, scenario
from relay.demo.main_job import Figures, MainJob
from relay.demo.planned import PlannedCommit
from relay.demo.world import EmbeddedWorld, World
from relay.testing.received import FoundEvent

_REFRESH_SECONDS = 0.2
_SAY_SECONDS = 15.0


@click.command()
@click.option("--stack", type=click.Choice(["embedded", "real"]), default="embedded", show_default=True)
@click.option(
    "--input", "source", type=click.Path(path_type=Path), help="CSV file in the format of the Online Retail data set."
)
@click.option(
    "--limit", type=click.IntRange(1), help="Maximum number of lines of the file, or of commits of the scenario."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the built-in warehouse scenario.")
@envelope.json_option
@envelope.reports_errors
def demo(stack: str, source: Path | None, limit: int | None, seed: int, *, as_json: bool) -> None:
    """Append, deliver, consume and search, and show what happened to every event.

    The embedded stack needs nothing but this process; the real one needs the servers of `make up`.

    Exit codes: 0 every event arrived, as it was written and in order, 1 an event is missing, changed, out of order or
    still owed, 2 input or settings, 3 a server is out of reach, 4 interrupted.
    """
    planned, name = _plan(source, limit, seed)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left behind then, as at Ctrl-C
    logs.configure("console", "warning")
    runtime = SystemRuntime()
    world: World = EmbeddedWorld(runtime) if stack == "embedded" else _real_world(runtime)
    job = MainJob(world, planned, name, runtime)
    try:
        console = envelope.console(stderr=True)
        figures, found = _run_with_bars(job, console, runtime)
        _report(figures, found, world.next_command(), as_json=as_json)
    finally:
        job.abort()
        world.close()
    raise SystemExit(0 if figures.is_clean else int(envelope.ExitCode.FOUND))


def _real_world(runtime: Runtime) -> World:
    from relay.demo.real_world import RealWorld  # noqa: PLC0415 - it loads the clients of real servers

    return RealWorld(runtime)


def _plan(source: Path | None, limit: int | None, seed: int) -> tuple[list[PlannedCommit], str]:
    if source is not None:
        return retail.commits(source, limit), printable(os.fspath(source))
    return list(scenario.commits(seed, limit or scenario.COMMITS_DEFAULT)), f"warehouse scenario, seed {seed}"


def _run_with_bars(job: MainJob, console: Console, runtime: Runtime) -> tuple[Figures, list[FoundEvent]]:
    """Run the job in a part of its own and draw its progress until it ends; without a terminal, say it now and then."""
    outcome: list[tuple[Figures, list[FoundEvent]]] = []
    part = runtime.spawn("main-job", lambda: outcome.append(job.run()))
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        appended = bars.add_task("commits appended", total=job.progress.planned)
        received = bars.add_task("events on the bus", total=None)
        indexed = bars.add_task("events in the index", total=None)
        said_at = runtime.monotonic()
        while not part.join(_REFRESH_SECONDS):
            progress = job.progress
            if not console.is_terminal and runtime.monotonic() - said_at >= _SAY_SECONDS:
                said_at = runtime.monotonic()
                said = f"{progress.appended:,} of {progress.planned:,} commits appended, {progress.received:,} events"
                console.print(f"{said} on the bus", markup=False)
            events = progress.events or None
            bars.update(appended, completed=progress.appended)
            bars.update(received, completed=progress.received, total=events)
            bars.update(indexed, completed=progress.indexed, total=events)
    if part.failure is not None:
        raise part.failure
    return outcome[0]


def _report(figures: Figures, found: list[FoundEvent], next_command: str, *, as_json: bool) -> None:
    if as_json:
        envelope.print_envelope(
            _as_dict(figures),
            status="ok" if figures.is_clean else "failed",
            diagnostics=[] if figures.is_clean else [str(each) for each in figures.verdict.broken],
        )
        return
    console = envelope.console()
    console.print(f"main job on the {figures.stack} stack: {figures.input}", markup=False)
    table = Table(show_header=False)
    for label, value in _rows(figures):
        table.add_row(label, value)
    console.print(table)
    console.print("search: the latest STOCK_REMOVED events")
    for event in found:
        console.print(f"  {event.aggregate_id} no. {event.sequence_number}: {event.data}", markup=False)
    if not figures.is_clean:
        console.print(str(figures.verdict), markup=False)
    verdict = "every event arrived, in order" if figures.is_clean else "NOT CLEAN: see the figures above"
    console.print(f"{verdict}. Next: {next_command}", markup=False)


def _rows(figures: Figures) -> list[tuple[str, str]]:
    counts = ("commits", "events", "published", "distinct_published", "indexed", "duplicates", "missing")
    rows = [(name.replace("_", " "), f"{getattr(figures, name):,}") for name in counts]
    delay = "-" if figures.delay_p50_ms is None else f"{figures.delay_p50_ms:,} ms / {figures.delay_p99_ms:,} ms"
    return [
        *rows,
        ("order breaks", f"{figures.order_breaks:,}"),
        ("left in the outbox", f"{figures.outbox_left:,}"),
        ("seconds", f"{figures.seconds:.1f}"),
        ("delay p50 / p99", delay),
    ]


def _as_dict(figures: Figures) -> dict[str, object]:
    return {
        "stack": figures.stack,
        "input": figures.input,
        "commits": figures.commits,
        "events": figures.events,
        "published": figures.published,
        "distinct_published": figures.distinct_published,
        "indexed": figures.indexed,
        "duplicates": figures.duplicates,
        "missing": figures.missing,
        "order_breaks": figures.order_breaks,
        "outbox_left": figures.outbox_left,
        "seconds": figures.seconds,
        "delay_ms": {"p50": figures.delay_p50_ms, "p99": figures.delay_p99_ms},
    }

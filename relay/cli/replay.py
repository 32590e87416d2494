"""`relay replay`: deliver what is owed, by hand."""

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from eventstore.cli import envelope
from eventstore.system import SystemRuntime
from relay import logs
from relay import replay as replays
from relay.cli.run import stop_on_signals
from relay.cli.servers import build_relay, load_settings, open_destinations, open_store


@click.command()
@envelope.json_option
@envelope.reports_errors
def replay(*, as_json: bool) -> None:
    """Deliver what the outbox still owes, in order, and settle it.

    Safe beside a running relay (a commit may then be delivered twice) and safe to interrupt: run it again to resume.

    Exit codes: 0 the outbox is empty, 2 settings or tables, 3 a server is out of reach, 4 something else is left.
    """
    runtime = SystemRuntime()
    stop = runtime.flag()
    stop_on_signals(stop)
    store_settings, settings = load_settings()
    logs.configure(settings.log_format, "warning")
    destinations = open_destinations(settings, runtime)
    store = open_store(store_settings)
    relay = build_relay(store, destinations, settings, runtime, by_hand=True)
    console = envelope.console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading the outbox")
        result = replays.replay(
            relay.sweep(source="replay"),
            relay.lanes,
            stop,
            lambda settled: progress.update(task, description=f"{settled:,} commits settled"),
        )
    _report(result, as_json=as_json)


def _report(result: replays.ReplayResult, *, as_json: bool) -> None:
    code = envelope.ExitCode.FINE
    if result.left or not result.complete:
        code = envelope.ExitCode.UNREACHABLE if result.trouble else envelope.ExitCode.PARTIAL
    diagnostics = [f"{name}: {reason}" for name, reason in result.trouble.items()]
    if as_json:
        data = {"settled": result.settled, "left": result.left}
        envelope.print_envelope(data, status="ok" if code == 0 else "incomplete", diagnostics=diagnostics)
    else:
        least = "" if result.complete else "at least "
        click.echo(f"{result.settled:,} commits settled, {least}{result.left:,} left in the outbox.")
        for line in diagnostics:
            click.echo(f"error: {line}", err=True)
        if code is not envelope.ExitCode.FINE:
            click.echo("Next: `relay status` shows what is left and why; run `relay replay` again to resume.", err=True)
    raise SystemExit(int(code))

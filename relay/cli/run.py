"""`relay run`: the daemon."""

import signal
from types import FrameType

import click

from eventstore.cli import envelope
from eventstore.ports import Flag
from eventstore.system import SystemRuntime
from relay import logs
from relay.cli.servers import build_relay, load_settings, open_destinations, open_store
from relay.daemon import PartDiedError


@click.command()
@envelope.reports_errors
def run() -> None:
    """Carry commits to the bus and the index until stopped.

    SIGTERM or Ctrl-C finishes the pages in flight and exits with 0. Killed at any moment, the next start goes on from
    the last checkpoint. Logs go to standard error; RELAY_LOG_FORMAT=json makes them machine-readable.

    Exit codes: 0 stopped as told, 2 settings or tables, 3 DynamoDB is out of reach at the start, 70 a part of the relay
    died: start it again.
    """
    runtime = SystemRuntime()
    stop = runtime.flag()
    stop_on_signals(stop)
    store_settings, settings = load_settings()
    logs.configure(settings.log_format, settings.log_level)
    destinations = open_destinations(settings, runtime)
    relay = build_relay(open_store(store_settings), destinations, settings, runtime)
    relay.directory.stream()  # a table without a stream is said now, not in a loop
    try:
        relay.daemon(stop).run()
    except PartDiedError as error:
        click.echo(f"error: a part of the relay died: {error}. Start it again; nothing is lost", err=True)
        raise SystemExit(int(envelope.ExitCode.DEFECT)) from None


def stop_on_signals(stop: Flag) -> None:
    """Raise a flag at SIGTERM and at Ctrl-C."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)

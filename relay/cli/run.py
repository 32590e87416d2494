"""`relay run`: the daemon."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import click
import structlog

from eventstore.backoff import Backoff
from eventstore.cli.output import envelope
from eventstore.dynamodb import store_record
from eventstore.dynamodb.caller import Caller
from eventstore.errors import CorruptRowError
from eventstore.ports import Runtime
from eventstore.settings import StoreSettings, meaningless
from eventstore.system import SystemRuntime
from relay import early_signals, logs
from relay.cli.destinations import open_bus_topology, open_destinations
from relay.cli.opened import load_settings, open_store
from relay.cli.servers import build_relay
from relay.cli.signals import stop_on_signals
from relay.daemon import Abandoned, PartDiedError
from relay.destinations.bus.routing import Routing
from relay.leases.errors import FleetSettingsError
from relay.lifecycle import Service
from relay.observing.http.endpoints import open_server
from relay.observing.http.health import Check
from relay.observing.queue_depths import QueueDepths
from relay.observing.recording import RecordingMeter
from relay.progress import Progress
from relay.settings import RelaySettings

_SERVER_END_SECONDS = 2.0

_log = structlog.get_logger()


@click.command()
@envelope.reports_errors
def run() -> None:
    """Deliver commits to the bus and the index until stopped.

    Several may run side by side: they share the shards of the feed, and take over from one that falls silent. SIGTERM
    (also SIGHUP, and Ctrl-C) finishes the commits that were begun, hands everything over and exits with 0; with 4 when
    something did not end in RELAY_DRAIN_SECONDS or was cut off, so that some messages may come again. A second signal
    lets go of what was begun. After a kill, the others, or
    the next start, continue from the last checkpoint. Logs go to standard error; RELAY_LOG_FORMAT=json makes them
    machine-readable. With RELAY_HTTP_PORT it answers /livez, /readyz and /metrics.

    Exit codes: 0 stopped as told, 2 settings or tables, or live workers have other settings, 3 DynamoDB is out of
    reach at the start, 4 stopped as told, but something was abandoned, 70 a part of the relay died: start it again.
    """
    early_signals.catch(["run"])  # nothing is begun yet, so that a signal ends it at once, whatever server hangs
    runtime = SystemRuntime()
    stop, hasten = runtime.flag(), runtime.flag()
    store_settings, settings = load_settings()
    logs.configure(settings.log_format, settings.log_level)
    for name in meaningless(RelaySettings, StoreSettings):
        _log.warning("settings.unknown", variable=name)
    destinations = open_destinations(settings, runtime)
    store = open_store(store_settings)
    # A relay table without the record belongs to something else.
    store_record.load(Caller(store.client, runtime, Backoff()), store.tables)
    meter, progress = RecordingMeter(runtime), Progress(runtime)
    relay = build_relay(store, destinations, settings, runtime, meter=meter, progress=progress)
    daemon = relay.daemon(stop, hasten)
    try:
        with (
            serving(settings, meter, progress, daemon.checks, runtime) as served,
            counting(settings, destinations.routing, meter, runtime) as counted,
        ):
            stop_on_signals(stop, hasten)
            daemon.run((*served, *counted))
        end_honestly(daemon.abandoned)
    except CorruptRowError as error:  # what all workers must agree on cannot be read
        envelope.fail(str(error), envelope.ExitCode.USAGE, as_json=False)
    except PartDiedError as error:
        if isinstance(error.__cause__, FleetSettingsError):  # they came into force while this process was away
            raise error.__cause__ from None
        click.echo(f"error: a part of the relay died: {error}. Start it again; nothing is lost", err=True)
        raise SystemExit(int(envelope.ExitCode.DEFECT)) from None


def end_honestly(abandoned: Abandoned) -> None:
    """End the command by code 4 when a stop left something behind; return otherwise."""
    if abandoned:
        click.echo(f"stopped, and left behind {abandoned}. Nothing is lost; some messages may come again", err=True)
        raise SystemExit(int(envelope.ExitCode.PARTIAL))


@contextmanager
def serving(
    settings: RelaySettings,
    meter: RecordingMeter,
    progress: Progress,
    checks: Callable[[], Sequence[Check]],
    runtime: Runtime,
) -> Iterator[tuple[Service, ...]]:
    """Serve health and metrics, if the settings say so, until the block ends; give the service that does.

    Raises:
        HttpAddressError: The address cannot be used.
    """
    if settings.http_port is None:
        yield ()
        return
    server = open_server(
        settings.http_host, settings.http_port, meter=meter, progress=progress, checks=checks, runtime=runtime
    )
    try:
        server.start()
        yield (server,)
    finally:
        server.stop()
        server.join(_SERVER_END_SECONDS)


@contextmanager
def counting(
    settings: RelaySettings, routing: Routing | None, meter: RecordingMeter, runtime: Runtime
) -> Iterator[tuple[Service, ...]]:
    """Count what lies in the bus's own queues until the block ends, when somebody wants to know; give the service."""
    if routing is None:
        yield ()
        return
    depths = QueueDepths(partial(routing.counted_by, open_bus_topology(settings).depths), runtime, meter)
    try:
        depths.start()
        yield (depths,)
    finally:
        depths.stop()  # not waited for: nothing is in flight there, and the bus may not answer

"""`relay status`: what is owed, which worker owns each shard, and any problems."""

import contextlib
import signal
from collections.abc import Callable

import click
from rich.live import Live

from eventstore.cli.output import envelope
from eventstore.dynamodb.caller import Caller
from eventstore.errors import AccessDeniedError, TryLaterError
from eventstore.ports import Flag, Runtime
from relay.cli import status_view
from relay.cli.opened import Desk, destination_names, open_desk
from relay.feed import unread
from relay.feed.directory import FeedDirectory, NoFeedError
from relay.feed.health import trouble_of
from relay.leases.fleet import Fleet
from relay.operating import overview as overviews
from relay.operating.overview import Overview
from relay.outbox import survey
from relay.outbox.debt import Survey

_ROWS_MAX_DEFAULT = 100_000
_WATCH_SECONDS_DEFAULT = 2.0
_WATCH_SECONDS_MIN = 0.2
_WATCH_SECONDS_MAX = 3_600.0
_UNREAD_SHARDS_MAX = 50
"""Shards that are looked into when no worker says how far they are; two calls each."""

_COUNT_SHARE = 10
"""While watching, the outbox is counted again after ten times the duration of the last count."""


def _seconds(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not _WATCH_SECONDS_MIN <= value <= _WATCH_SECONDS_MAX:  # as "nan" is not, either
        raise click.BadParameter(f"give {_WATCH_SECONDS_MIN:g} to {_WATCH_SECONDS_MAX:,g} seconds")
    return value


@click.command()
@click.option(
    "--rows-max",
    type=click.IntRange(1),
    default=_ROWS_MAX_DEFAULT,
    show_default=True,
    help="Count up to this many outbox rows; each 4 KB of them cost one read unit.",
)
@click.option(
    "--watch",
    "watch_seconds",
    type=float,
    callback=_seconds,
    is_flag=False,
    flag_value=_WATCH_SECONDS_DEFAULT,
    default=None,
    metavar="[SECONDS]",
    help=f"Refresh every SECONDS, {_WATCH_SECONDS_DEFAULT:g} by default, until Ctrl-C.",
)
@envelope.json_option
@envelope.reports_errors
def status(rows_max: int, watch_seconds: float | None, *, as_json: bool) -> None:
    """Show what is owed, which worker owns each shard, and any problems. Works with or without a running relay.

    What workers report about themselves is as old as their last heartbeat. With --watch and --json it prints one
    document per refresh.

    Exit codes: 0 the status was shown, also when --watch is interrupted, 2 settings or tables, 3 DynamoDB is
    out of reach.
    """
    desk = open_desk()
    look = _Looker(desk, rows_max).look
    if watch_seconds is None:
        _show(look(), desk, as_json=as_json)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the terminal is left as it was, as at Ctrl-C
    with contextlib.suppress(KeyboardInterrupt):
        _watch(look, desk, watch_seconds, as_json=as_json)


def _watch(look: Callable[[], Overview], desk: Desk, seconds: float, *, as_json: bool) -> None:
    stop = desk.runtime.flag()  # nobody raises it: Ctrl-C must end a look that waits for a server, too
    console = envelope.console()
    if as_json or not console.is_terminal:
        watch(look, lambda seen: _show(seen, desk, as_json=as_json), _complain, seconds, stop)
        return
    with Live(console=console, auto_refresh=False, screen=True) as live:

        def draw(seen: Overview) -> None:
            live.update(status_view.screen(seen, desk.store.tables.outbox), refresh=True)

        def complain(error: TryLaterError) -> None:
            live.update(status_view.out_of_reach(str(error)), refresh=True)

        watch(look, draw, complain, seconds, stop)


def watch(
    look: Callable[[], Overview],
    draw: Callable[[Overview], None],
    complain: Callable[[TryLaterError], None],
    seconds: float,
    stop: Flag,
) -> None:
    """Refresh until told to stop. A server that does not answer is shown as such, and asked again.

    The first look must succeed, so that a wrong address ends the command.

    Raises:
        EventStoreError: The first look failed, or a later one for good.
    """
    draw(look())
    while not stop.wait(seconds):
        try:
            draw(look())
        except TryLaterError as error:
            complain(error)


def _complain(error: TryLaterError) -> None:
    click.echo(f"error: {error}", err=True)


def _show(seen: Overview, desk: Desk, *, as_json: bool) -> None:
    if as_json:
        envelope.print_envelope(status_view.as_dict(seen, desk.store.tables.outbox))
        return
    envelope.console().print(status_view.whole(seen))


class _Looker:
    """Looks at everything; while watching it does not count the outbox at every refresh."""

    def __init__(self, desk: Desk, rows_max: int) -> None:
        self._desk = desk
        self._rows_max = rows_max
        self._directory = FeedDirectory(
            desk.store.client, desk.store.streams, desk.store.tables, desk.runtime, desk.backoff
        )
        self._survey: Survey | None = None
        self._count_again_at = 0.0

    def look(self) -> Overview:
        """Return the picture as it is now."""
        desk = self._desk
        fleet = desk.fleet_table.look()
        names = destination_names(fleet)
        try:
            stream = self._directory.stream()
            shards = self._directory.shards(stream)
        except (NoFeedError, AccessDeniedError) as error:  # everything else can be seen all the same
            return self._without_feed(fleet, names, error)
        found = self._count(names, desk.runtime)
        now_ms = desk.runtime.now_ms()
        unreported = overviews.unreported(fleet, stream.label, shards, now_ms)[:_UNREAD_SHARDS_MAX]
        behind = {
            shard.id: seen
            for shard in unreported
            for seen in [
                unread.look(
                    desk.store.streams,
                    Caller(desk.store.client, desk.runtime, desk.backoff),
                    stream,
                    shard.id,
                    overviews.position(fleet, stream.label, shard.id),
                )
            ]
            if seen is not None
        }
        return overviews.compose(fleet, found, stream.label, shards, behind, names, now_ms)

    def _without_feed(self, fleet: Fleet, names: tuple[str, ...], error: NoFeedError | AccessDeniedError) -> Overview:
        found = self._count(names, self._desk.runtime)
        label, shards, now_ms = overviews.newest_label(fleet), overviews.leased(fleet), self._desk.runtime.now_ms()
        return overviews.compose(fleet, found, label, shards, {}, names, now_ms, trouble=trouble_of(error))

    def _count(self, names: tuple[str, ...], runtime: Runtime) -> Survey:
        began_at = runtime.monotonic()
        if self._survey is None or began_at >= self._count_again_at:
            self._survey = survey.take(self._desk.reader, names, self._rows_max)
            now = runtime.monotonic()
            self._count_again_at = now + _COUNT_SHARE * (now - began_at)
        return self._survey

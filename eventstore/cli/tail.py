"""`eventstore tail`: the newest events of a day, and the ones that come."""

from datetime import UTC, datetime

import click
from rich.table import Table

from eventstore.cli import envelope
from eventstore.cli.event_view import as_dict, columns, row
from eventstore.cli.opened import open_store
from eventstore.event_row import day_of
from eventstore.model import RecordedEvent
from eventstore.ports import Runtime
from eventstore.store import EventStore
from eventstore.system import SystemRuntime

POLL_SECONDS = 1.0
OVERLAP_MS = 10_000
FOLLOW_LIMIT = 1000


@click.command()
@click.option("--day", default=None, help="UTC day, YYYY-MM-DD; today by default.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="So many events.")
@click.option("--follow", is_flag=True, help="Go on with new events until interrupted.")
@envelope.json_lines_option
@envelope.reports_errors
def tail(day: str | None, limit: int, *, follow: bool, as_json: bool) -> None:
    """Show the newest events of one day, in the order of their timestamps."""
    runtime = SystemRuntime()
    chosen = day or day_of(runtime.now_ms())
    try:
        datetime.strptime(chosen, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise click.BadParameter(f"{chosen!r} is no day of the form YYYY-MM-DD", param_hint="--day") from None
    store = open_store()
    events = store.latest_of_day(chosen, limit=limit)
    _print(events, as_json=as_json, heading=not follow)
    if not events and not as_json:
        click.echo(f"no events on {chosen} (UTC)", err=True)
    if follow:
        _follow(store, day, events, runtime, as_json=as_json)


def _follow(store: EventStore, day: str | None, shown: list[RecordedEvent], runtime: Runtime, *, as_json: bool) -> None:
    """Look again every second, a little into the past: the index lags and clocks differ."""
    while True:  # until the person at the terminal has seen enough
        try:
            runtime.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            return
        since_ms = max((event.timestamp_ms for event in shown), default=0) - OVERLAP_MS
        events = store.latest_of_day(day or day_of(runtime.now_ms()), limit=FOLLOW_LIMIT, since_ms=max(since_ms, 0))
        known = {event.event_id for event in shown}
        _print([event for event in events if event.event_id not in known], as_json=as_json, heading=False)
        shown = events or shown


def _print(events: list[RecordedEvent], *, as_json: bool, heading: bool) -> None:
    if as_json:
        for event in events:
            click.echo(envelope.dump(as_dict(event)))
        return
    if not events:
        return
    table = Table(*columns(with_aggregate=True), show_header=heading, box=None if not heading else Table().box)
    for event in events:
        table.add_row(*row(event, with_aggregate=True))
    envelope.console().print(table)

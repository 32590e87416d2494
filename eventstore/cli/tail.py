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
@click.option("-n", "--limit", type=click.IntRange(1, FOLLOW_LIMIT), default=20, show_default=True, help="So many.")
@click.option("--follow", is_flag=True, help="Go on with new events until interrupted.")
@envelope.json_lines_option
@envelope.reports_errors
def tail(day: str | None, limit: int, *, follow: bool, as_lines: bool) -> None:
    """Show the newest events of one day, in the order of their timestamps.

    --follow goes on with events of the last ten seconds and later; what is stored with an older timestamp is not seen.

    Exit codes: 0 also when the day has no events and when interrupted, 2 a bad day, settings or tables, 3 DynamoDB is
    out of reach.
    """
    runtime = SystemRuntime()
    wanted = None if day is None else _parse_day(day)
    store = open_store()
    shown_day = wanted or day_of(runtime.now_ms())
    if not follow:
        events = store.latest_of_day(shown_day, limit=limit)
        _print(events, as_lines=as_lines, heading=True)
        if not events and not as_lines:
            click.echo(f"no events on {shown_day} (UTC)", err=True)
        return
    try:
        seen = store.latest_of_day(shown_day, limit=FOLLOW_LIMIT)
        _print(seen[-limit:], as_lines=as_lines, heading=False)
        _follow(store, wanted, seen, runtime, as_lines=as_lines)
    except KeyboardInterrupt:
        return


def _parse_day(text: str) -> str:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day of the form YYYY-MM-DD", param_hint="--day") from None


def _follow(store: EventStore, day: str | None, seen: list[RecordedEvent], runtime: Runtime, *, as_lines: bool) -> None:
    """Look again every second, a little into the past: the index lags and clocks differ."""
    while True:  # until the person at the terminal has seen enough
        runtime.sleep(POLL_SECONDS)
        now_ms = runtime.now_ms()
        newest_ms = max((event.timestamp_ms for event in seen), default=0)
        since_ms = max(0, min(newest_ms, now_ms) - OVERLAP_MS)  # a timestamp may lie ahead: it is the writer's word
        events = store.latest_of_day(day or day_of(now_ms), limit=FOLLOW_LIMIT, since_ms=since_ms)
        known = {event.event_id for event in seen}
        _print([event for event in events if event.event_id not in known], as_lines=as_lines, heading=False)
        if len(events) == FOLLOW_LIMIT and events[0].event_id not in known:
            click.echo(f"only the newest {FOLLOW_LIMIT:,} events since the last look are shown", err=True)
        seen = events or seen


def _print(events: list[RecordedEvent], *, as_lines: bool, heading: bool) -> None:
    if as_lines:
        for event in events:
            envelope.print_line(as_dict(event))
        return
    if not events:
        return
    table = Table(*columns(with_aggregate=True), show_header=heading, box=None if not heading else Table().box)
    for event in events:
        table.add_row(*row(event, with_aggregate=True))
    envelope.console().print(table)

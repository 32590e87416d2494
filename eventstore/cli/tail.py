"""`eventstore tail`: the newest events, of a day or a type, and new ones as they come."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import click

from eventstore.cli.opened import open_store
from eventstore.cli.output import envelope
from eventstore.cli.output.event_list import EventList
from eventstore.cli.output.event_view import line
from eventstore.cli.output.streams import printable
from eventstore.errors import TryLaterError
from eventstore.event_codec import OnCorrupt
from eventstore.limits import FOLLOW_OVERLAP_SECONDS_DEFAULT
from eventstore.model import RecordedEvent
from eventstore.rows.event import day_of
from eventstore.store import EventStore
from eventstore.system import SystemRuntime
from eventstore.timeline.query import DAY_MS

FOLLOW_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class TailFilter:
    """Which events are shown.

    Attributes:
        event_type: Only this type; None for all.
        aggregate_type: Only aggregates of this type; None for all.
        from_ms: The first moment; None for the beginning.
        until_ms: The moment behind the last; None for no end.
    """

    event_type: str | None
    aggregate_type: str | None
    from_ms: int | None
    until_ms: int | None

    def takes(self, event: RecordedEvent) -> bool:
        """Tell whether an event has these types."""
        return self.event_type in (None, event.type) and self.aggregate_type in (None, event.aggregate_type)

    def newest(self, store: EventStore, limit: int, on_corrupt: OnCorrupt) -> list[RecordedEvent]:
        """Return the newest of these events, oldest first."""
        found = filter(self.takes, self._backwards(store, on_corrupt))
        return list(islice(found, limit))[::-1]

    def _backwards(self, store: EventStore, on_corrupt: OnCorrupt) -> Iterator[RecordedEvent]:
        from_ms, until_ms = self.from_ms, self.until_ms
        if self.event_type is not None:
            return store.read_type(
                self.event_type, from_ms=from_ms, until_ms=until_ms, backwards=True, on_corrupt=on_corrupt
            )
        if self.aggregate_type is not None:
            return store.read_aggregate_type(
                self.aggregate_type, from_ms=from_ms, until_ms=until_ms, backwards=True, on_corrupt=on_corrupt
            )
        assert from_ms is not None, "without a type a day is looked at"
        assert until_ms is not None, "as above"
        return store.read_between(from_ms, until_ms, backwards=True, on_corrupt=on_corrupt)


@click.command()
@click.option("--day", default=None, help="UTC day, YYYY-MM-DD. Default: today, or all days when a type is given.")
@click.option("--type", "event_type", default=None, help="Only events of this type.")
@click.option("--aggregate-type", default=None, help="Only events of aggregates of this type.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, FOLLOW_LIMIT),
    default=20,
    show_default=True,
    help="Maximum number of events to show.",
)
@click.option("--follow", is_flag=True, help="Keep showing new events until interrupted.")
@envelope.json_lines_option
@envelope.reports_errors
def tail(
    day: str | None,
    event_type: str | None,
    aggregate_type: str | None,
    limit: int,
    *,
    follow: bool,
    as_lines: bool,
) -> None:
    """Show the newest events in the order of their timestamps: of one day, or of a type, whenever they happened.

    With both types, events of one type are read until enough of them match the other.

    --follow continues with events of the last ten seconds and later; events with older timestamps are not shown. While
    DynamoDB is out of reach it says so on standard error, and tries again.

    A row that cannot be read is named on standard error, and its neighbours are shown.

    Exit codes: 0 also when there are no such events and when --follow is interrupted, 1 a row cannot be read, 2 a bad
    day, settings or tables, 3 DynamoDB is out of reach.
    """
    if follow and day is not None:
        raise click.UsageError("--follow continues from now, and --day is one day: give one of them")
    runtime = SystemRuntime()
    shown_day = None if day is None else _parse_day(day)
    if shown_day is None and event_type is None and aggregate_type is None:
        shown_day = day_of(runtime.now_ms())
    wanted = TailFilter(event_type, aggregate_type, *_span(shown_day))
    listed = EventList(as_lines=as_lines, with_aggregate=True)
    store = open_store()
    if not follow:
        count = listed.print(wanted.newest(store, limit, listed.on_corrupt))
        listed.end()
        if not count and not as_lines:
            click.echo("no such events" if shown_day is None else f"no events on {shown_day} (UTC)", err=True)
        return
    try:
        now_ms = runtime.now_ms()
        seen = wanted.newest(store, FOLLOW_LIMIT, listed.on_corrupt)
        _print(seen[-limit:], listed, as_lines=as_lines)
        since_ms = max(0, now_ms - round(FOLLOW_OVERLAP_SECONDS_DEFAULT * 1000))
        known = {event.event_id for event in seen}
        for event in store.stream_events(since_ms, follow=True, on_corrupt=listed.on_corrupt, on_trouble=_say):
            if wanted.takes(event) and event.event_id not in known:
                _print([event], listed, as_lines=as_lines)
    except KeyboardInterrupt:
        return


def _say(trouble: TryLaterError) -> None:
    """Tell that nothing can be seen for the moment; the follower continues by itself."""
    click.echo(f"note: {printable(' '.join(str(trouble).split()))}; trying again", err=True)


def _parse_day(text: str) -> str:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a day of the form YYYY-MM-DD", param_hint="--day") from None


def _span(day: str | None) -> tuple[int | None, int | None]:
    """Return the first moment of a day, and the first after it."""
    if day is None:
        return None, None
    start_ms = round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000
    if start_ms < 0:
        raise click.BadParameter(f"{day} is before 1970", param_hint="--day")
    return start_ms, start_ms + DAY_MS


def _print(events: list[RecordedEvent], listed: EventList, *, as_lines: bool) -> None:
    """Print events that come one by one, as lines: the widths of a table's columns cannot be known."""
    if as_lines:
        listed.print(events)
        return
    for event in events:
        click.echo(line(event))

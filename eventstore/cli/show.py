"""`eventstore show`: one aggregate's history, as of now or earlier, and what changed from event to event."""

from collections.abc import Iterator

import click

from eventstore.cli.input import moment
from eventstore.cli.input.moment import AsOf
from eventstore.cli.opened import open_store
from eventstore.cli.output import diff_view, envelope
from eventstore.cli.output.event_list import EventList
from eventstore.limits import SEQUENCE_NUMBER_MAX
from eventstore.model import RecordedEvent


@click.command()
@click.argument("aggregate_id")
@click.option(
    "--after",
    type=click.IntRange(0, SEQUENCE_NUMBER_MAX - 1),
    default=0,
    help="Only events after this sequence number.",
)
@click.option(
    "--as-of",
    type=moment.as_of,
    metavar="N|TIME",
    default=None,
    help="Only the history as of then: up to this sequence number, or before the first event later than this time"
    " (2025-01-31, 2025-01-31T12:30Z, 12h ago as `12h`).",
)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=None, help="Maximum number of events to show.")
@click.option("--diff", "as_diff", is_flag=True, help="Show what changed in each payload since the previous one.")
@envelope.json_lines_option
@envelope.reports_errors
def show(
    aggregate_id: str, after: int, as_of: AsOf | None, limit: int | None, *, as_diff: bool, as_lines: bool
) -> None:
    """Show the events of AGGREGATE_ID, oldest first, as they are stored.

    --diff compares the payload of each event with that of the event before it of the same type, path by path: + is new,
    ~ has changed, - is gone. With --json it is added to each line as "diff". The history is then read from its
    beginning, also with --after.

    A row that cannot be read is named on standard error, and its neighbours are shown.

    Exit codes: 0 events were shown, 1 it has none in that range, or a row cannot be read, 2 arguments, settings or
    tables, 3 DynamoDB is out of reach.
    """
    place = as_of or AsOf()
    if place.sequence is not None and place.sequence <= after:
        raise click.BadParameter(f"{place.sequence} is not above --after {after}", param_hint="--as-of")
    listed = EventList(as_lines=as_lines, with_aggregate=False, title=f"aggregate {aggregate_id}")
    from_number = 0 if as_diff else after
    stored = open_store().read(
        aggregate_id,
        after=from_number,
        until=place.sequence,
        limit=None if as_diff else limit,
        on_corrupt=listed.on_corrupt,
    )
    events = _until(stored, place.at_ms)
    if as_diff:
        count = diff_view.show(events, listed, after=after, limit=limit, as_lines=as_lines)
    else:
        count = listed.print(events)
    listed.end()
    if not count:
        after_text = f" after {after}" if after else ""
        at_text = " at that time" if place.at_ms is not None else ""
        message = f"aggregate {aggregate_id!r} has no events{after_text}{at_text}"
        envelope.fail(message, envelope.ExitCode.FOUND, as_json=False)


def _until(events: Iterator[RecordedEvent], at_ms: int | None) -> Iterator[RecordedEvent]:
    """Yield the events before the first one with a later timestamp, as `Repository.load` does."""
    for event in events:
        if at_ms is not None and event.timestamp_ms > at_ms:
            return
        yield event

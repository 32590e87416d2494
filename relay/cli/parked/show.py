"""`relay parked show`: one commit that waits for a person, from all sides."""

import shlex
from collections.abc import Iterator
from typing import Any

import click

from eventstore.cli.output import envelope
from eventstore.limits import SEQUENCE_NUMBER_MAX
from eventstore.model import RecordedEvent
from eventstore.validation import check_aggregate_id
from relay.cli import humanize
from relay.cli.opened import open_desk
from relay.destination import BUS
from relay.operating.parked.inspection import Before, Inspection, Inspector
from relay.operating.parked.mark import Mark

_EVENTS_SHOWN = 5


@click.command()
@click.argument("aggregate")
@click.argument("last", type=click.IntRange(1, SEQUENCE_NUMBER_MAX), required=False)
@click.option(
    "--head",
    type=click.IntRange(0, 100_000),
    default=200,
    show_default=True,
    help="Number of characters to show of each payload.",
)
@envelope.json_option
@envelope.reports_errors
def show(aggregate: str, last: int | None, head: int, *, as_json: bool) -> None:
    """Show the commit of AGGREGATE that ends at number LAST; without LAST, its lowest parked commit.

    Exit codes: 0 shown, 1 there is none, 2 settings or tables, 3 DynamoDB is out of reach.
    """
    check_aggregate_id(aggregate, "AGGREGATE")
    desk = open_desk()
    inspector = Inspector(desk.store.client, desk.store.tables, desk.runtime, desk.backoff)
    key = (aggregate, last) if last is not None else inspector.lowest_marked(aggregate)
    found = None if key is None else inspector.inspect(key)
    if found is None:
        what = "nothing of it is parked" if last is None else "there is no such row: every destination has it, or none"
        which = humanize.text(aggregate) if last is None else f"{humanize.text(aggregate)} {last}"
        advice = "`relay parked list` shows what is parked"
        envelope.fail(f"{which}: {what}; {advice}", envelope.ExitCode.FOUND, as_json=as_json)
    if as_json:
        envelope.print_envelope(_as_dict(found, head))
        return
    for line in _lines(found, head, desk.runtime.now_ms()):
        click.echo(line)


def _lines(found: Inspection, head: int, now_ms: int) -> Iterator[str]:
    row = found.row
    numbers = "?" if row.first is None else str(row.first)
    at_ms = row.committed_at_ms
    age = "" if at_ms is None else f", {humanize.age(max(0.0, (now_ms - at_ms) / 1000))} ago"
    yield f"commit {humanize.text(row.aggregate_id)} {numbers} to {row.last}, type {humanize.text(row.aggregate_type)}"
    yield f"  committed {humanize.moment(at_ms)} UTC{age}, commit id {humanize.text(found.commit_id or '?')}"
    yield f"  delivered to {', '.join(sorted(row.delivered)) or 'nobody'}"
    if not row.marks:
        yield "  not parked"
    for mark in row.marks.values():
        where = f"{humanize.text(mark.destination)}, {humanize.text(mark.error_class)}"
        yield f"  parked for {where}: {humanize.text(mark.reason, 2_000)}"
        failed = f"first {humanize.moment(mark.first_failed_at_ms)}, last {humanize.moment(mark.last_failed_at_ms)} UTC"
        yield f"    failed: {failed}; attempts {mark.attempts or '?'}"
    if row.released_at_ms is not None:
        yield f"  last released {humanize.moment(row.released_at_ms)} UTC"
    if found.defect is not None:
        yield f"  defect: {humanize.text(found.defect, 2_000)}"
    yield from _event_lines(found.events or (), head)
    if BUS in row.marks or found.waiting:
        yield f"  behind it: {humanize.commits(found.waiting)} of this aggregate wait for the bus"
    yield f"  below it: {_below(found)}"
    if row.marks:
        name = shlex.quote(humanize.text(row.aggregate_id))
        yield f"Next: when the cause is gone, `relay parked release --aggregate {name}`; to give it up permanently,"
        yield f"  `relay parked drop {name} {row.last} --reason ...`"
    elif row.is_newer:
        yield "Next: upgrade the relay; the row is sound, stays owed until then, and later commits wait behind it."
    elif row.first is None:
        told = "`eventstore verify` names what is wrong with it"
        yield f"Next: fix the row from the events, {told}; nothing else moves it."


def _event_lines(events: tuple[RecordedEvent, ...], head: int) -> Iterator[str]:
    for event in events[:_EVENTS_SHOWN]:
        size = len(event.data_json.encode())
        name = f"event {event.sequence_number} {humanize.text(event.type)}"
        yield f"  {name}, {size:,} bytes: {humanize.text(event.data_json, head)}"
    if len(events) > _EVENTS_SHOWN:
        yield f"  and {len(events) - _EVENTS_SHOWN:,} more events"


def _below(found: Inspection) -> str:
    match found.before:
        case Before.NOTHING:
            return "nothing, it is the first"
        case Before.ON_BUS:
            return "the commit before it is on the bus"
        case Before.OWED:
            return "the commit before it is still owed to the bus, so it cannot be dropped for the bus yet"
        case Before.UNKNOWN:
            return "unknown, the row does not say where it begins"


def _as_dict(found: Inspection, head: int) -> dict[str, Any]:
    row = found.row
    return {
        "aggregate_id": row.aggregate_id,
        "aggregate_type": row.aggregate_type,
        "first": row.first,
        "last": row.last,
        "commit_id": found.commit_id,
        "committed_at_ms": row.committed_at_ms,
        "released_at_ms": row.released_at_ms,
        "delivered": sorted(row.delivered),
        "parked": [_mark_as_dict(mark) for mark in row.marks.values()],
        "defect": found.defect,
        "events": [
            {
                "sequence_number": event.sequence_number,
                "type": event.type,
                "event_id": event.event_id,
                "size_bytes": len(event.data_json.encode()),
                "data_head": event.data_json[:head],
            }
            for event in found.events or ()
        ],
        "waiting": found.waiting,
        "before": found.before.value,
    }


def _mark_as_dict(mark: Mark) -> dict[str, Any]:
    return {
        "destination": mark.destination,
        "error_class": mark.error_class,
        "reason": mark.reason,
        "attempts": mark.attempts,
        "first_failed_at_ms": mark.first_failed_at_ms,
        "last_failed_at_ms": mark.last_failed_at_ms,
    }

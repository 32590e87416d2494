"""`eventstore append`: store the events of a file or of standard input as one commit."""

from typing import IO

import click

from eventstore.cli.input import event_lines
from eventstore.cli.input.event_lines import EventLine
from eventstore.cli.input.expected import expectation
from eventstore.cli.input.old_times import check_times, old_times_option
from eventstore.cli.opened import open_store
from eventstore.cli.output import envelope
from eventstore.cli.output.streams import printable
from eventstore.expectation import Expectation
from eventstore.limits import COMMIT_MAX_EVENTS
from eventstore.model import AggregateRef, NewEvent


@click.command()
@click.argument("aggregate_type")
@click.argument("aggregate_id")
@click.argument("source", type=click.File("rb"), default="-")
@click.option(
    "--expected-version",
    type=expectation,
    metavar="N|new|exists|any",
    required=True,
    help="Events the aggregate has now; `new` for none, `exists` for one or more, `any` to skip the version check.",
)
@click.option(
    "--idempotency-key",
    default=None,
    help="Makes it safe to repeat the command at any time; the key's scope is the aggregate.",
)
@old_times_option
@envelope.json_option
@envelope.reports_errors
def append(
    aggregate_type: str,
    aggregate_id: str,
    source: IO[bytes],
    expected_version: int | Expectation,
    idempotency_key: str | None,
    *,
    old_times: bool,
    as_json: bool,
) -> None:
    """Append the events in SOURCE (JSON lines; standard input by default) to one aggregate, all or none.

    A line is {"type": "...", "data": {...}} and may add "metadata", "schema_version" and "timestamp_ms".

    With an idempotency key the command can be repeated at any time: the events are stored once, and a repeat says so.

    Exit codes: 0 stored, now or by an earlier call with the same key, 1 another version or another type (decide again),
    2 bad input, or a key that stands for other events (nothing is stored), settings or tables, 3 DynamoDB is out of
    reach, 5 the outcome is unknown: with a key run it again, without one look with `eventstore show` first.
    """
    events = parse_lines(source)
    if not old_times:
        check_times(events)
    aggregate = AggregateRef(aggregate_type, aggregate_id)
    result = open_store().append(aggregate, events, expected_version=expected_version, idempotency_key=idempotency_key)
    if as_json:
        envelope.print_envelope(
            {
                "aggregate_type": aggregate_type,
                "aggregate_id": aggregate_id,
                "commit_id": result.commit_id,
                "first_sequence": result.first_sequence,
                "version": result.version,
                "already_stored": result.already_stored,
            },
        )
        return
    earlier = idempotency_key is not None and result.already_stored
    state = "was stored up to" if earlier else "is at"
    suffix = " under this key before" if earlier else ""
    click.echo(f"{printable(aggregate_id)} {state} version {result.version} (commit {result.commit_id}){suffix}.")


def parse_lines(source: IO[bytes]) -> list[NewEvent]:
    """Return the events of JSON lines; empty lines and a byte-order mark are passed over.

    Raises:
        InvalidInputError: A line is not an event; it names the line. Or the input is longer than a commit can be.
    """
    events: list[NewEvent] = []
    for number, line in event_lines.numbered(source, input_max_bytes=event_lines.LINE_MAX_BYTES):
        if len(events) > COMMIT_MAX_EVENTS:
            break  # one too many is enough to be refused; a file of any size is not read to its end
        events += event_lines.events_of([event_lines.decode(line, number, EventLine, "an event")], number)
    return events

"""`eventstore append`: store the events of a file or of standard input as one commit."""

from collections.abc import Iterator
from typing import IO, Any

import click
import msgspec

from eventstore.cli import envelope
from eventstore.cli.opened import open_store
from eventstore.cli.streams import printable
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.limits import COMMIT_MAX_EVENTS
from eventstore.model import AggregateRef, NewEvent

INPUT_MAX_BYTES = 32 * 1024 * 1024
"""A commit holds 4 MB; JSON text may spell it in up to six times as many bytes, and have some blank lines."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventLine(msgspec.Struct, forbid_unknown_fields=True):
    """One line of input: an event."""

    type: str
    data: dict[str, Any]
    metadata: dict[str, Any] = {}
    schema_version: int = 1
    timestamp_ms: int | None = None


@click.command()
@click.argument("aggregate_type")
@click.argument("aggregate_id")
@click.argument("source", type=click.File("rb"), default="-")
@click.option("--expected-version", type=int, required=True, help="Events the aggregate has now; 0 for a new one.")
@envelope.json_option
@envelope.reports_errors
def append(aggregate_type: str, aggregate_id: str, source: IO[bytes], expected_version: int, *, as_json: bool) -> None:
    """Append the events in SOURCE (JSON lines; standard input by default) to one aggregate, all or none.

    A line is {"type": "...", "data": {...}} and may add "metadata", "schema_version" and "timestamp_ms".

    Exit codes: 0 stored, 1 another version or another type (decide again), 2 bad input (nothing is stored), settings or
    tables, 3 DynamoDB is out of reach or the outcome is unknown.
    """
    events = parse_lines(source)
    result = open_store().append(AggregateRef(aggregate_type, aggregate_id), events, expected_version=expected_version)
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
    click.echo(f"{printable(aggregate_id)} is at version {result.version} (commit {result.commit_id}).")


def parse_lines(source: IO[bytes]) -> list[NewEvent]:
    """Return the events of JSON lines; empty lines and a byte-order mark are passed over.

    Raises:
        InvalidInputError: A line is no event; it names the line. Or the input is longer than a commit can be.
    """
    events: list[NewEvent] = []
    for number, line in _lines(source):
        if len(events) > COMMIT_MAX_EVENTS:
            break  # one too many is enough to be refused; a file of any size is not read to its end
        try:
            parsed = msgspec.json.decode(line, type=EventLine)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"line {number}", f"is no event: {error}") from error
        except RecursionError as error:
            raise InvalidInputError(f"line {number}", "is no event: it is nested too deeply") from error
        events.append(
            NewEvent(parsed.type, parsed.data, parsed.metadata, parsed.schema_version, parsed.timestamp_ms),
        )
    return events


def _lines(source: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers; never more than the bound in memory."""
    left = INPUT_MAX_BYTES
    number = 0
    while line := source.readline(left + 1):
        number += 1
        left -= len(line)
        if left < 0:
            raise LimitExceededError("input", limit=INPUT_MAX_BYTES, actual=INPUT_MAX_BYTES - left, unit="bytes")
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)  # some editors write one
        if line.strip():
            yield number, line

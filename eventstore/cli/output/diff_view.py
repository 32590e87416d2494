"""How the differences between payloads look to a person, and as JSON."""

from collections.abc import Iterable
from typing import Any

import click
import msgspec

from eventstore.cli.output import envelope
from eventstore.cli.output.event_list import EventList
from eventstore.cli.output.event_view import as_dict, shortened
from eventstore.cli.output.payload_diff import PayloadDiff, PayloadDiffs
from eventstore.cli.output.streams import printable
from eventstore.cli.output.timestamps import as_text
from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent


def show(
    events: Iterable[RecordedEvent],
    listed: EventList,
    *,
    after: int,
    limit: int | None,
    as_lines: bool,
) -> int:
    """Print events with what changed in their payloads, and return how many were printed.

    Args:
        events: From the aggregate's first one on, so that each has its predecessor.
        listed: Told of payloads that cannot be read.
        after: Events up to this number are compared with and not shown.
        limit: Events shown at most.
        as_lines: JSON lines in place of text.
    """
    diffs, count = PayloadDiffs(), 0
    for event in events:
        try:
            line = as_dict(event)
            diff = diffs.take(event)
        except CorruptRowError as error:
            listed.on_corrupt(error)
            continue
        if event.sequence_number <= after:
            continue
        if as_lines:
            envelope.print_line({**line, "diff": _as_dict(diff)})
        else:
            click.echo("\n".join(_text(event, diff)))
        count += 1
        if count == limit:
            break
    return count


def _as_dict(diff: PayloadDiff) -> dict[str, Any]:
    return {
        "against": diff.against,
        "added": diff.added,
        "changed": {path: {"from": old, "to": new} for path, (old, new) in diff.changed.items()},
        "removed": diff.removed,
    }


def _text(event: RecordedEvent, diff: PayloadDiff) -> list[str]:
    against = "the first of its type" if diff.against is None else f"against {diff.against}"
    lines = [f"{event.sequence_number}  {as_text(event.timestamp_ms)}  {event.type}  ({against})"]
    lines += [f"    + {path}: {_value(value)}" for path, value in diff.added.items()]
    lines += [f"    ~ {path}: {_value(old)} -> {_value(new)}" for path, (old, new) in diff.changed.items()]
    lines += [f"    - {path}: {_value(value)}" for path, value in diff.removed.items()]
    if len(lines) == 1:
        lines.append("    = as before" if diff.against is not None else "    = an empty payload")
    return [printable(line) for line in lines]


def _value(value: Any) -> str:
    return shortened(msgspec.json.encode(value).decode())

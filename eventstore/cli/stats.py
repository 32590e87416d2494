"""`eventstore stats`: the store counted by type and day."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import click
from rich.table import Column, Table
from rich.text import Text

from eventstore.cli.opened import open_store
from eventstore.cli.output import envelope, progress
from eventstore.cli.output.streams import printable
from eventstore.system import SystemRuntime
from eventstore.verify.counts import EventCount, StoreStats

ROWS_SHOWN = 20
_KIBI = 1024


@click.command()
@click.option(
    "--rows",
    type=click.IntRange(1, 100_000),
    default=ROWS_SHOWN,
    show_default=True,
    help="Show up to this many types, and this many of the newest days; --json has all.",
)
@envelope.json_option
@envelope.reports_errors
def stats(rows: int, *, as_json: bool) -> None:
    """Count events by type, aggregate type and day, with their sizes, and what is owed.

    It reads the tables once, at half a read unit per 4 KB that they hold. Sizes are those of the rows, without indexes.

    Exit codes: 0 counted, 2 settings or tables, 3 DynamoDB is out of reach, 4 interrupted: count again.
    """
    store = open_store()
    with progress.shown("counting", SystemRuntime()) as tell:
        found = store.stats(progress=lambda walked: tell(walked.events, f"{walked.events:,} events counted"))
    if as_json:
        envelope.print_envelope(_as_dict(found))
        return
    _print(found, rows)


def _print(found: StoreStats, rows: int) -> None:
    console = envelope.console()
    summary = Table(show_header=False)
    for label, value in (
        ("events", f"{found.total.events:,}"),
        ("size of the events", _size(found.total.size_bytes)),
        ("largest event", _size(found.largest_bytes)),
        ("aggregates", f"{found.aggregates:,}"),
        ("commits", f"{found.commits:,}"),
        ("owed commits", f"{found.outbox_rows:,}"),
        ("idempotency keys", f"{found.idempotency_rows:,}"),
        ("rows that cannot be read", f"{found.corrupt_rows:,}"),
    ):
        summary.add_row(label, value)
    console.print(summary)
    console.print(_table("event type", found.by_type, rows, "types"))
    console.print(_table("aggregate type", found.by_aggregate_type, rows, "types"))
    newest_first = dict(sorted(found.by_day.items(), reverse=True))
    console.print(_table("day (UTC)", newest_first, rows, "earlier days"))
    if found.corrupt_rows:
        click.echo("Next: `eventstore verify` names the rows that cannot be read.")


def _table(name: str, counts: Mapping[str, EventCount], rows: int, rest: str) -> Table:
    table = Table(Column(name, overflow="fold"), Column("events", justify="right"), Column("size", justify="right"))
    for value, count in islice(counts.items(), rows):
        table.add_row(Text(printable(value)), f"{count.events:,}", _size(count.size_bytes))
    left = list(islice(counts.values(), rows, None))
    if left:
        events, size = sum(each.events for each in left), sum(each.size_bytes for each in left)
        table.add_row(f"({len(left):,} {rest})", f"{events:,}", _size(size))
    return table


def _size(size_bytes: int) -> str:
    amount, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < _KIBI:
            break
        amount, unit = amount / _KIBI, larger
    return f"{size_bytes:,} B" if unit == "B" else f"{amount:,.1f} {unit}"


def _as_dict(found: StoreStats) -> dict[str, Any]:
    return {
        **_count(found.total),
        "aggregates": found.aggregates,
        "commits": found.commits,
        "corrupt_rows": found.corrupt_rows,
        "largest_bytes": found.largest_bytes,
        "outbox_rows": found.outbox_rows,
        "idempotency_rows": found.idempotency_rows,
        "by_type": {name: _count(each) for name, each in found.by_type.items()},
        "by_aggregate_type": {name: _count(each) for name, each in found.by_aggregate_type.items()},
        "by_day": {name: _count(each) for name, each in found.by_day.items()},
    }


def _count(count: EventCount) -> dict[str, int]:
    return {"events": count.events, "size_bytes": count.size_bytes}

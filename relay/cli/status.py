"""`relay status`: what is owed, and how far the feed was dealt with."""

from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Column, Table

from eventstore import settings as store_settings
from eventstore.backoff import Backoff
from eventstore.cli import envelope
from eventstore.system import SystemRuntime
from relay import survey
from relay.checkpoints import Checkpoint, Checkpoints
from relay.cli.servers import Store, open_store
from relay.destination import BUS, INDEX
from relay.feed.directory import FeedDirectory
from relay.feed.lineage import Shard
from relay.outbox_reader import OutboxReader

_ROWS_MAX_DEFAULT = 100_000


@click.command()
@click.option(
    "--rows-max",
    type=click.IntRange(1),
    default=_ROWS_MAX_DEFAULT,
    show_default=True,
    help="Count at most so many outbox rows; each 4 KB of them cost one read unit.",
)
@envelope.json_option
@envelope.reports_errors
def status(rows_max: int, *, as_json: bool) -> None:
    """Show what is owed, and how far each shard of the feed was dealt with. Works with or without a running relay.

    Exit codes: 0 it could look, whatever it saw, 2 settings or tables, 3 DynamoDB is out of reach.
    """
    store = open_store(store_settings.load())
    runtime = SystemRuntime()
    backoff = Backoff(attempts_max=4)
    directory = FeedDirectory(store.client, store.streams, store.tables, runtime, backoff)
    stream = directory.stream()
    shards = directory.shards(stream)
    known = Checkpoints(store.client, store.tables, runtime, backoff).load(stream)
    found = survey.take(OutboxReader(store.client, store.tables, runtime, backoff), (BUS, INDEX), rows_max)
    now_ms = runtime.now_ms()
    if as_json:
        envelope.print_envelope(_as_dict(store, found, shards, known, now_ms))
        return
    _print(found, shards, known, now_ms)


def _oldest_age_seconds(found: survey.Survey, now_ms: int) -> float | None:
    oldest = found.oldest_committed_at_ms
    return None if oldest is None else max(0.0, (now_ms - oldest) / 1000)


def _as_dict(
    store: Store,
    found: survey.Survey,
    shards: list[Shard],
    known: dict[str, Checkpoint],
    now_ms: int,
) -> dict[str, Any]:
    return {
        "table": store.tables.outbox,
        "outbox": {
            "rows": found.rows,
            "complete": found.complete,
            "owed_to_bus": found.owed_to_bus,
            "owed_to_index_only": found.owed_to_others_only,
            "parked": found.parked,
            "unreadable": found.unreadable,
            "oldest_age_seconds": _oldest_age_seconds(found, now_ms),
        },
        "shards": [
            {
                "shard": shard.id,
                "parent": shard.parent,
                "state": _state(known.get(shard.id)),
                "checkpoint_at_ms": known[shard.id].updated_at_ms if shard.id in known else None,
            }
            for shard in shards
        ],
    }


def _print(found: survey.Survey, shards: list[Shard], known: dict[str, Checkpoint], now_ms: int) -> None:
    console = envelope.console()
    age = _oldest_age_seconds(found, now_ms)
    owed = Table("outbox", "commits", title_justify="left")
    owed.add_row("owed to the bus", f"{found.owed_to_bus:,}")
    owed.add_row("owed to the index only", f"{found.owed_to_others_only:,}")
    owed.add_row("parked", f"{found.parked:,}")
    if found.unreadable:
        owed.add_row("unreadable", f"{found.unreadable:,}")
    owed.add_row("oldest owed", "-" if age is None else f"{age:,.0f} s")
    if not found.complete:
        owed.caption = f"the first {found.rows:,} rows only"
    console.print(owed)
    feed = Table(Column("shard", overflow="fold"), "state", "last checkpoint (UTC)")
    for shard in shards:
        checkpoint = known.get(shard.id)
        feed.add_row(shard.id, _state(checkpoint), "-" if checkpoint is None else _time(checkpoint.updated_at_ms))
    console.print(feed)
    if found.owed_to_bus or found.owed_to_others_only:
        click.echo("Next: `relay run` delivers what is owed; with no relay running, `relay replay` does it by hand.")


def _state(checkpoint: Checkpoint | None) -> str:
    if checkpoint is None:
        return "unread"
    return "finished" if checkpoint.finished else "reading"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")

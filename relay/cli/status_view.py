"""Shows the relay at a glance: as tables for a person, as a document for a program."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from relay.cli import humanize
from relay.feed.trouble import FeedState
from relay.observing.remedies import remedy
from relay.operating import heartbeats, overview
from relay.operating.overview import HeldUpView, Overview, ShardView, WorkerView

_URGENT_SECONDS = 4 * 3600.0
"""With less time than this until the feed trims what is unread, a warning is shown."""

_SHARDS_SHOWN = 40
_HELD_UP_SHOWN = 20
_REASON_CHARACTERS = 1_000

_FEED_ADVICE = {
    FeedState.ABSENT.value: "give the outbox a stream with the view NEW_IMAGE",
    FeedState.DENIED.value: "give the relay's role the rights to read the outbox's streams",
    FeedState.OUTAGE.value: "see that the workers can reach DynamoDB Streams, which has an address of its own",
}


def whole(seen: Overview) -> RenderableType:
    """Return everything, for a person."""
    parts: list[RenderableType] = []
    if seen.fleet.pause is not None:
        pause = seen.fleet.pause
        said = (
            f"PAUSED by {humanize.text(pause.by)} at {humanize.moment(pause.at_ms)} UTC: {humanize.text(pause.reason)}"
        )
        parts.append(Text(said, style="bold"))
    parts += [
        _outbox(seen),
        _destinations(seen),
        *_feed(seen),
        *_held_up(seen),
        _workers(seen),
        _shards(seen),
        *_sweep(seen),
    ]
    parts += [Text(f"Next: {line}") for line in advice(seen)]
    return Group(*parts)


def screen(seen: Overview, table: str) -> RenderableType:
    """Return everything under a line that says when it was refreshed."""
    head = f"{humanize.text(table)} at {humanize.moment(seen.at_ms)} UTC; Ctrl-C ends"
    return Group(Text(head, style="dim"), whole(seen))


def out_of_reach(reason: str) -> RenderableType:
    """Return what is shown when DynamoDB does not answer."""
    return Text(f"error: {humanize.text(reason, 2_000)}; asking again. Ctrl-C ends")


def advice(seen: Overview) -> list[str]:
    """Return what an operator does next, the most urgent first; nothing when all is well."""
    found = seen.survey
    lines = []
    if seen.fleet.pause is not None:
        lines.append("delivery is paused; `relay resume` continues it.")
    if not seen.live_workers and (found.owed_to_bus or found.owed_to_others_only):
        then = "" if seen.fleet.pause is None else "once it is resumed, "
        lines.append(f"no relay runs: {then}`relay run` delivers what is owed, or `relay replay` by hand.")
    if seen.shards_waiting:
        lines.append(
            f"{seen.shards_waiting:,} shards are read by nobody, since no worker has room, and the sweep delivers"
            f" later: raise RELAY_SHARDS_MAX ({seen.shards_max:,} now), or start another worker."
        )
    if seen.feed.state in _FEED_ADVICE:
        lines.append(f"the feed is not read, and the sweep delivers later: {_FEED_ADVICE[seen.feed.state]}.")
    lines += [
        f"{humanize.text(each.name)} is misconfigured and does not recover by itself: see its reason, and what"
        " `relay topology check` finds."
        for each in seen.destinations
        if each.state == "misconfigured"
    ]
    lines += [
        f"{humanize.text(each.name)} has lost what it had taken: see its reason."
        for each in seen.destinations
        if each.state == "lost"
    ]
    lines += [
        f"{humanize.text(each.name)} is out of reach or too slow: fix the server; the relay continues by itself."
        for each in seen.destinations
        if each.state == "outage"
    ]
    lines += [
        f"{humanize.text(each.name)} takes everything, and yet: {humanize.text(each.reason, 2_000)}."
        for each in seen.destinations
        if each.state == overview.UP and each.reason
    ]
    lines += [
        f"aggregates wait alone ({humanize.text(reason)}), since {_cause(reason)}: {remedy(reason).action}."
        for reason in dict.fromkeys((*(each.report.reason for each in seen.held_up), *sorted(found.refusal_reasons)))
    ]
    if any(shard.trim_seconds is not None and shard.trim_seconds < _URGENT_SECONDS for shard in seen.shards):
        lines.append("the feed trims unread records soon; the sweep still delivers them, later: see what holds it up.")
    if found.newer:
        lines.append(
            f"upgrade the relay: a later release wrote {humanize.commits(found.newer)}, which wait for it unharmed."
        )
    if found.parked_rows or found.unreadable > found.newer:
        lines.append("`relay parked list` shows what waits for a person.")
    return lines


def _outbox(seen: Overview) -> Table:
    found = seen.survey
    table = Table("outbox", Column("commits", justify="right"))
    table.add_row("total", f"{found.rows:,}")
    for name, count in _bus_first(found.owed, seen):
        table.add_row(Text(f"owed to the {humanize.text(name)}"), f"{count:,}")
        if found.refused.get(name):
            table.add_row("of these, refused", f"{found.refused[name]:,}")
    table.add_row("owed to others only", f"{found.owed_to_others_only:,}")
    for name, count in sorted(found.parked.items()):
        if count:
            table.add_row(Text(f"parked for the {humanize.text(name)}"), f"{count:,}")
    table.add_row("parked", f"{found.parked_rows:,}")
    if found.unreadable:
        table.add_row("unreadable", f"{found.unreadable:,}")
    if found.newer:
        table.add_row("of these, of a later release", f"{found.newer:,}")
    if found.complete_rows:
        table.add_row("settled, row not deleted", f"{found.complete_rows:,}")
    table.add_row("oldest owed", humanize.age(seen.oldest_age_seconds))
    if not found.complete:
        table.caption = f"the first {found.rows:,} rows only"
    return table


def _destinations(seen: Overview) -> Table:
    table = Table("destination", "state", Column("why", overflow="fold"))
    for each in seen.destinations:
        state = Text(humanize.text(each.state), style="" if each.state in ("up", "unknown") else "bold")
        reason = each.reason or ("no live worker reports it" if each.state == "unknown" else "")
        table.add_row(Text(humanize.text(each.name)), state, Text(humanize.text(reason)))
    return table


def _feed(seen: Overview) -> list[Table]:
    """Return how the feed is, when it is not well."""
    if seen.feed.state == overview.UP:
        return []
    table = Table("feed", Column("why", overflow="fold"))
    table.add_row(
        Text(humanize.text(seen.feed.state), style="bold"), Text(humanize.text(seen.feed.reason, _REASON_CHARACTERS))
    )
    return [table]


def _held_up(seen: Overview) -> list[Table]:
    """Return the aggregates that wait alone, when there are some."""
    if not seen.held_up_count:
        return []
    table = Table(Column("waits alone", overflow="fold"), "at", "why", "attempts", "for", "next in")
    for each in seen.held_up[:_HELD_UP_SHOWN]:
        table.add_row(
            Text(humanize.text(each.report.aggregate_id)),
            f"{each.report.last}",
            Text(humanize.text(each.report.reason)),
            f"{each.report.attempts:,}",
            humanize.age(each.since_seconds),
            humanize.age(each.next_seconds) if each.next_seconds else "now",
        )
    left = seen.held_up_count - min(len(seen.held_up), _HELD_UP_SHOWN)
    table.caption = f"{left:,} more" if left else None
    return [table]


def _workers(seen: Overview) -> Table:
    columns = (Column("worker", overflow="fold"), Column("host", overflow="fold"), "pid", "release", "leases")
    table = Table(*columns, "heartbeat")
    for worker in seen.workers:
        record = worker.record
        table.add_row(
            Text(humanize.text(record.worker_id)),
            Text(humanize.text(record.host)),
            str(record.pid),
            Text(humanize.text(record.release)),
            f"{worker.leases:,}",
            _heartbeat(worker),
        )
    if not seen.workers:
        table.add_row("none", "-", "-", "-", "-", "-")
    return table


def _heartbeat(worker: WorkerView) -> Text:
    age = f"{humanize.age(worker.silent_seconds)} ago"
    return Text(f"{age}, SILENT", style="bold") if worker.is_silent else Text(age)


def _shards(seen: Overview) -> Table:
    columns = (Column("shard", overflow="fold"), "state", Column("owner", overflow="fold"), "lag", "until trimmed")
    table = Table(*columns, Column("in flight", justify="right"), "last checkpoint (UTC)")
    finished = [shard for shard in seen.shards if shard.state == "finished"]
    open_ones = [shard for shard in seen.shards if shard.state != "finished"]
    for shard in open_ones[:_SHARDS_SHOWN]:
        table.add_row(
            Text(humanize.text(shard.shard)),
            shard.state,
            _owner(shard),
            humanize.age(shard.lag_seconds),
            humanize.age(shard.trim_seconds),
            "-" if shard.in_flight is None else f"{shard.in_flight:,}",
            humanize.moment(shard.checkpoint_at_ms),
        )
    notes = [f"{len(finished):,} finished"] if finished else []
    if len(open_ones) > _SHARDS_SHOWN:
        notes.append(f"{len(open_ones) - _SHARDS_SHOWN:,} more")
    table.caption = "; ".join(notes) or None
    return table


def _owner(shard: ShardView) -> Text:
    if shard.owner is None:
        return Text("-")
    name = humanize.text(shard.owner)
    return Text(f"{name} (SILENT)", style="bold") if shard.owner_is_silent else Text(name)


def _sweep(seen: Overview) -> list[RenderableType]:
    if seen.sweep is None:
        return []
    walk = seen.sweep
    ago = humanize.age(max(0.0, (seen.at_ms - walk.walked_at_ms) / 1000))
    taken = ", ".join(f"{count:,} that the {humanize.text(name)} lacked" for name, count in sorted(walk.taken.items()))
    found = f"took {taken} and settled {walk.settled:,}" if taken else "found nothing to take"
    return [Text(f"sweep: {ago} ago it saw {walk.seen:,} rows, {found}")]


def _cause(reason: str) -> str:
    return humanize.text(remedy(reason).cause)  # of a reason that is unknown here it holds what is stored


def _bus_first(counts: Any, seen: Overview) -> list[tuple[str, int]]:
    order = {each.name: place for place, each in enumerate(seen.destinations)}
    return sorted(counts.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))


def as_dict(seen: Overview, table: str) -> dict[str, Any]:
    """Return everything, for a program."""
    found, pause = seen.survey, seen.fleet.pause
    return {
        "table": table,
        "at_ms": seen.at_ms,
        "outbox": {
            "rows": found.rows,
            "complete": found.complete,
            "owed": dict(found.owed),
            "owed_to_bus": found.owed_to_bus,
            "owed_to_others_only": found.owed_to_others_only,
            "parked": found.parked_rows,
            "parked_for": dict(found.parked),
            "refused_by": dict(found.refused),
            "refusals": [
                {"reason": reason, "commits": count, "cause": remedy(reason).cause, "remedy": remedy(reason).action}
                for reason, count in sorted(found.refusal_reasons.items())
            ],
            "unreadable": found.unreadable,
            "newer": found.newer,
            "settled_rows": found.complete_rows,
            "oldest_age_seconds": seen.oldest_age_seconds,
        },
        "destinations": [
            {"name": each.name, "state": each.state, "reason": each.reason, "workers": list(each.workers)}
            for each in seen.destinations
        ],
        "feed": {"state": seen.feed.state, "reason": seen.feed.reason, "workers": list(seen.feed.workers)},
        "shards_waiting": seen.shards_waiting,
        "held_up": [_held_up_as_dict(each) for each in seen.held_up],
        "held_up_count": seen.held_up_count,
        "pause": None if pause is None else {"by": pause.by, "at_ms": pause.at_ms, "reason": pause.reason},
        "workers": [_worker_as_dict(worker) for worker in seen.workers],
        "live_workers": seen.live_workers,
        "lease_seconds": heartbeats.lease_seconds(seen.fleet),
        "shards": [_shard_as_dict(shard) for shard in seen.shards],
        "sweep": {
            "owner": seen.sweep_owner,
            "walked_at_ms": seen.sweep.walked_at_ms if seen.sweep else None,
            "seen": seen.sweep.seen if seen.sweep else None,
            "taken": seen.sweep.taken if seen.sweep else None,
            "settled": seen.sweep.settled if seen.sweep else None,
        },
    }


def _held_up_as_dict(view: HeldUpView) -> dict[str, Any]:
    found, known = view.report, remedy(view.report.reason)
    return {
        "aggregate_id": found.aggregate_id,
        "last": found.last,
        "reason": found.reason,
        "cause": known.cause,
        "remedy": known.action,
        "attempts": found.attempts,
        "since_seconds": view.since_seconds,
        "next_seconds": view.next_seconds,
        "worker": view.worker,
    }


def _worker_as_dict(worker: WorkerView) -> dict[str, Any]:
    record = worker.record
    return {
        "worker": record.worker_id,
        "host": record.host,
        "pid": record.pid,
        "release": record.release,
        "started_at_ms": record.started_at_ms,
        "silent_seconds": worker.silent_seconds,
        "is_silent": worker.is_silent,
        "leases": worker.leases,
        "report_readable": record.report is not None,
    }


def _shard_as_dict(shard: ShardView) -> dict[str, Any]:
    return {
        "shard": shard.shard,
        "parent": shard.parent,
        "state": shard.state,
        "owner": shard.owner,
        "owner_is_silent": shard.owner_is_silent,
        "lag_seconds": shard.lag_seconds,
        "trim_seconds": shard.trim_seconds,
        "in_flight": shard.in_flight,
        "checkpoint_at_ms": shard.checkpoint_at_ms,
    }

"""`relay pause` and `relay resume`: stop and start delivery of all workers."""

from typing import Any

import click

from eventstore.cli.output import envelope
from relay.cli import humanize, operator
from relay.cli.opened import Desk, open_desk
from relay.leases.fleet import Fleet, Pause, WorkerRecord
from relay.operating.audit_trail import AuditRecord, AuditTrail, new_record

_NOTICED_SECONDS = 2
"""Workers look at the fleet every second; the look itself takes a moment."""


@click.command()
@click.option(
    "--reason",
    required=True,
    callback=operator.reason,
    help="Reason, shown to other operators and kept in the audit log.",
)
@operator.by_option
@envelope.json_option
@envelope.reports_errors
def pause(reason: str, by: str, *, as_json: bool) -> None:
    """Stop delivery by all workers, including those that start later, until `relay resume`.

    Workers keep running and keep their shards. Deliveries in progress end, nothing new is started. Appends continue;
    their commits stay owed, and the feed keeps what is unread for 24 hours (what is older is delivered from the
    outbox). `relay replay` delivers nothing either.

    Exit codes: 0 delivery is paused, also when it was before, 2 arguments, settings or tables, 3 DynamoDB is out of
    reach.
    """
    desk = open_desk()
    fleet = desk.fleet_table.look()
    there, record = fleet.pause, None
    if there is None:
        record = new_record(desk.runtime, "pause", by, reason, _about(fleet))
        _trail(desk).write(record)
        there = desk.fleet_table.pause(Pause(by, record.at_ms, reason))
    now = there or Pause(by, desk.runtime.now_ms(), reason)
    if as_json:
        envelope.print_envelope({**_data(fleet, record, desk), **_pause_data(now), "was_paused": there is not None})
        return
    if there is None:
        click.echo(f"delivery is paused; workers begin nothing new within about {_NOTICED_SECONDS} s.")
    else:
        click.echo(f"delivery was paused already, {_sentence(now)}; nothing was changed.")
    _print_affected(fleet, desk, "; workers that start later will find delivery paused")
    _print_audit(record)
    click.echo("Next: `relay resume` continues delivery; `relay status` shows what is owed meanwhile.")


@click.command()
@click.option("--reason", callback=operator.reason, help="Reason, kept in the audit log.")
@operator.by_option
@envelope.json_option
@envelope.reports_errors
def resume(reason: str | None, by: str, *, as_json: bool) -> None:
    """Resume delivery by all workers after `relay pause`.

    Exit codes: 0 delivery is not paused, also when it was not before, 2 arguments, settings or tables, 3 DynamoDB is
    out of reach.
    """
    desk = open_desk()
    fleet = desk.fleet_table.look()
    record = None
    if fleet.pause is not None:
        record = new_record(
            desk.runtime, "resume", by, reason or "", {**_about(fleet), "pause": _sentence(fleet.pause)}
        )
        _trail(desk).write(record)
        desk.fleet_table.resume()
    if as_json:
        envelope.print_envelope({**_data(fleet, record, desk), "was_paused": fleet.pause is not None})
        return
    if fleet.pause is None:
        click.echo("delivery was not paused; nothing was changed.")
        return
    click.echo(f"delivery continues within about {_NOTICED_SECONDS} s; it was paused {_sentence(fleet.pause)}.")
    _print_affected(fleet, desk, ": `relay run` delivers what is owed")
    _print_audit(record)
    click.echo("Next: `relay status` shows what is owed, and whether it gets less.")


def _trail(desk: Desk) -> AuditTrail:
    return AuditTrail(desk.store.client, desk.store.tables, desk.runtime, desk.backoff)


def _about(fleet: Fleet) -> dict[str, str]:
    return {"workers": ", ".join(sorted(fleet.workers)) or "none"}


def _sentence(pause: Pause) -> str:
    since = f" at {humanize.moment(pause.at_ms)}" if pause.at_ms else ""
    return humanize.text(f"by {pause.by}{since}: {pause.reason}")


def _heartbeat_age_seconds(worker: WorkerRecord, desk: Desk) -> float:
    return max(0.0, (desk.runtime.now_ms() - worker.updated_at_ms) / 1000)


def _print_affected(fleet: Fleet, desk: Desk, nobody: str) -> None:
    if not fleet.workers:
        click.echo(f"no worker is running{nobody}.")
    for worker_id, worker in sorted(fleet.workers.items()):
        shards = sum(1 for lease in fleet.leases.values() if lease.owner == worker_id and lease.shard_id is not None)
        carries = "1 shard" if shards == 1 else f"{shards} shards"
        where = f"{humanize.text(worker.host)}, process {worker.pid}"
        heartbeat = f"last heartbeat {humanize.age(_heartbeat_age_seconds(worker, desk))} ago"
        click.echo(f"  worker {humanize.text(worker_id)} on {where}, {worker.state.value}, {carries}, {heartbeat}")


def _print_audit(record: AuditRecord | None) -> None:
    if record is not None:
        click.echo(f"audit record {record.record_id}: `relay audit list` shows it.")


def _pause_data(pause: Pause) -> dict[str, Any]:
    return {"by": pause.by, "at_ms": pause.at_ms, "reason": pause.reason}


def _data(fleet: Fleet, record: AuditRecord | None, desk: Desk) -> dict[str, Any]:
    return {
        "workers": [
            {
                "worker": worker_id,
                "host": worker.host,
                "pid": worker.pid,
                "state": worker.state.value,
                "last_heartbeat_seconds": _heartbeat_age_seconds(worker, desk),
            }
            for worker_id, worker in sorted(fleet.workers.items())
        ],
        "audit_id": None if record is None else record.record_id,
    }

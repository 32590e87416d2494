"""`relay parked release`: release parked commits once the cause is gone, and watch them arrive."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from eventstore.cli.input import moment
from eventstore.cli.output import envelope, progress
from eventstore.validation import check_aggregate_id
from relay.cli import humanize, operator
from relay.cli.opened import Desk, open_desk
from relay.cli.signals import stop_on_signals
from relay.destination import BUS
from relay.operating import audit_trail
from relay.operating.audit_trail import AuditTrail
from relay.operating.heartbeats import HeartbeatWatch
from relay.operating.parked.follow import CHAINS_MAX, End, Followed, FollowedChain, Follower, ParkedAgain, chains_of
from relay.operating.parked.release import Released, ReleaseFate, Releaser
from relay.operating.parked.selection import Selection

_SHOWN = 20


@dataclass(slots=True)
class _Tally:
    """What a release did, in bounded memory: chains beyond `CHAINS_MAX` are counted, not followed."""

    commits: int = 0
    changed: int = 0
    unfollowed: int = 0
    chains: list[FollowedChain] = field(default_factory=list)
    examples: list[Released] = field(default_factory=list)

    def add(self, released: Released) -> None:
        if released.fate is ReleaseFate.CHANGED:
            self.changed += 1
            return
        self.commits += 1
        if len(self.examples) < _SHOWN:
            self.examples.append(released)
        for chain in chains_of([released]):
            if len(self.chains) < CHAINS_MAX:
                self.chains.append(chain)
            else:
                self.unfollowed += 1


@click.command()
@click.option("--aggregate", metavar="ID", help="Only commits of this aggregate.")
@click.option("--destination", metavar="NAME", callback=operator.name, help="Only commits parked for this destination.")
@click.option(
    "--error-class",
    metavar="CLASS",
    callback=operator.name,
    help="Only commits with this error class, as `relay parked list` shows it.",
)
@click.option("--all", "is_all", is_flag=True, help="All parked commits.")
@click.option("--dry-run", is_flag=True, help="Only show what would be released.")
@click.option(
    "--wait",
    "wait_seconds",
    type=moment.duration,
    default="2m",
    show_default=True,
    metavar="TIME",
    help="How long to wait for delivery; 0 does not wait.",
)
@click.option("--reason", callback=operator.reason, help="Reason, kept in the audit log.")
@operator.by_option
@envelope.json_option
@envelope.reports_errors
def release(
    aggregate: str | None,
    destination: str | None,
    error_class: str | None,
    wait_seconds: float,
    reason: str | None,
    by: str,
    *,
    is_all: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Un-park the commits that match all options, so that the relay tries them again.

    Released for the bus, a commit goes at once and what waited behind it within a walk of the sweep, in order. The
    command waits until they have arrived, and reports those that were parked again. With no relay running,
    `relay replay` delivers what was released.

    Exit codes: 0 everything released has arrived (--dry-run, --wait 0: always), or nothing was parked,
    1 something was parked again, 2 arguments, settings or tables, 3 DynamoDB is out of reach, 4 not everything has
    arrived: no relay runs, delivery is paused, or the wait timed out, 5 outcome unknown: release again.
    """
    if is_all == any(option is not None for option in (aggregate, destination, error_class)):
        raise click.UsageError("select what to release: --aggregate, --destination, --error-class, or else --all")
    if aggregate is not None:
        check_aggregate_id(aggregate, "--aggregate")
    desk = open_desk()
    selection = Selection(aggregate, destination, error_class)
    tally = _release(desk, selection, audit_by=by, reason=reason or "", dry_run=dry_run)
    if dry_run or not tally.chains or wait_seconds == 0:
        _report(tally, None, dry_run=dry_run, as_json=as_json)
        return
    _report(tally, _follow(desk, tally.chains, wait_seconds), dry_run=False, as_json=as_json)


def _release(desk: Desk, selection: Selection, *, audit_by: str, reason: str, dry_run: bool) -> _Tally:
    """Remove the marks; the audit record is kept before the first of them goes."""
    store, tally = desk.store, _Tally()
    releaser = Releaser(store.client, store.tables, desk.runtime, desk.backoff)
    if not dry_run:
        record = audit_trail.new_record(desk.runtime, "release", audit_by, reason, selection.words())
        if next(releaser.release(selection, dry_run=True), None) is None:
            return tally  # nothing is done, so there is nothing to keep a record of
        AuditTrail(store.client, store.tables, desk.runtime, desk.backoff).write(record)
    for released in releaser.release(selection, dry_run=dry_run):
        tally.add(released)
    return tally


def _follow(desk: Desk, chains: Sequence[FollowedChain], wait_seconds: float) -> Followed:
    stop = desk.runtime.flag()
    stop_on_signals(stop)
    heartbeats = HeartbeatWatch(desk.fleet_table.look, desk.runtime)
    with progress.shown("following", desk.runtime, total=len(chains)) as tell:
        follower = Follower(desk.reader, heartbeats, desk.runtime)
        return follower.follow(
            chains, wait_seconds, stop, lambda done: tell(done, f"{done:,} of {len(chains):,} chains decided")
        )


def _report(tally: _Tally, followed: Followed | None, *, dry_run: bool, as_json: bool) -> None:
    code = _exit_code(tally, followed)
    if as_json:
        status = "ok" if code is envelope.ExitCode.FINE else "incomplete"
        envelope.print_envelope(_as_dict(tally, followed, dry_run=dry_run), status=status)
        raise SystemExit(int(code))
    if not tally.commits and not tally.changed:
        click.echo("nothing that is selected is parked. Next: `relay parked list` shows what is.")
        return
    click.echo(f"{'would release' if dry_run else 'released'} {humanize.commits(tally.commits)}.")
    if tally.changed:
        click.echo(f"{humanize.commits(tally.changed)} left alone: changed by somebody else in the meantime.")
    if followed is None:
        for each in tally.examples:
            click.echo(
                f"  {humanize.text(each.key[0])} {each.key[1]}, {', '.join(map(humanize.text, each.destinations))}"
            )
        if tally.commits > len(tally.examples):
            click.echo(f"  and {tally.commits - len(tally.examples):,} more")
    else:
        _tell(followed)
    if tally.unfollowed:
        click.echo(f"{tally.unfollowed:,} more were released and not followed: see `relay status`.")
    raise SystemExit(int(code))


def _tell(followed: Followed) -> None:
    for chain in followed.arrived[:_SHOWN]:
        click.echo(f"  {_name(chain)}: {_arrived(chain)}")
    if len(followed.arrived) > _SHOWN:
        click.echo(f"  and {len(followed.arrived) - _SHOWN:,} more have arrived")
    for again in followed.parked_again[:_SHOWN]:
        where = f"{humanize.text(again.chain.aggregate_id)} {again.last}"
        click.echo(
            f"  {where} was parked again for {humanize.text(again.chain.destination)}: {humanize.text(again.reason)}"
        )
    if len(followed.parked_again) > _SHOWN:
        click.echo(f"  and {len(followed.parked_again) - _SHOWN:,} more were parked again")
    for chain in followed.pending[:_SHOWN]:
        click.echo(f"  {_name(chain)}: not there yet")
    if len(followed.pending) > _SHOWN:
        click.echo(f"  and {len(followed.pending) - _SHOWN:,} more are not there yet")
    advice = _ADVICE[followed.end]
    if advice:
        click.echo(f"Next: {advice}")
    elif followed.parked_again:
        click.echo("Next: `relay parked show` of those; remove the cause, then release again, or `relay parked drop`.")


_ADVICE = {
    End.ARRIVED: "",
    End.PAUSED: "delivery is paused: `relay resume`, and the relay takes them.",
    End.NOBODY: "no relay runs: start `relay run`, or deliver with `relay replay`.",
    End.TOO_LONG: "timed out; the relay carries on: `relay status` and `relay gaps` show how far it is.",
    End.STOPPED: "interrupted; what was released stays released: `relay status` and `relay gaps` show how far it is.",
}


def _name(chain: FollowedChain) -> str:
    return f"{humanize.text(chain.aggregate_id)} {chain.released}"


def _arrived(chain: FollowedChain) -> str:
    if chain.destination != BUS or chain.up_to == chain.released:
        return f"{humanize.text(chain.destination)} has it"
    return f"the bus has it and all behind it, up to number {chain.up_to}, in order"


def _exit_code(tally: _Tally, followed: Followed | None) -> envelope.ExitCode:
    if followed is None:
        return envelope.ExitCode.FINE
    if followed.parked_again:
        return envelope.ExitCode.FOUND
    done = followed.end is End.ARRIVED and not tally.unfollowed
    return envelope.ExitCode.FINE if done else envelope.ExitCode.PARTIAL


def _as_dict(tally: _Tally, followed: Followed | None, *, dry_run: bool) -> dict[str, Any]:
    data: dict[str, Any] = {
        "dry_run": dry_run,
        "released": tally.commits,
        "changed_meanwhile": tally.changed,
        "not_followed": tally.unfollowed,
        "examples": [
            {"aggregate_id": each.key[0], "last": each.key[1], "destinations": list(each.destinations)}
            for each in tally.examples
        ],
    }
    if followed is not None:
        data["followed"] = {
            "end": followed.end.value,
            "arrived": len(followed.arrived),
            "parked_again": [_again_as_dict(again) for again in followed.parked_again],
            "pending": len(followed.pending),
        }
    return data


def _again_as_dict(again: ParkedAgain) -> dict[str, Any]:
    return {
        "aggregate_id": again.chain.aggregate_id,
        "destination": again.chain.destination,
        "last": again.last,
        "reason": again.reason,
    }

"""`relay replay`: deliver what is owed, by hand."""

import re
from collections.abc import Sequence

import click

from eventstore.backoff import Backoff
from eventstore.cli.input import moment
from eventstore.cli.output import envelope, progress
from eventstore.errors import SetUpError
from eventstore.system import SystemRuntime
from eventstore.validation import check_aggregate_id
from relay import logs
from relay.cli import humanize
from relay.cli.destinations import bus_nodes, open_destinations
from relay.cli.opened import in_order, load_settings, open_store
from relay.cli.servers import build_relay
from relay.cli.signals import stop_on_signals
from relay.daemon import PartDiedError
from relay.leases import rules
from relay.leases.fleet import Fleet, FleetSettings
from relay.leases.fleet_table import FleetTable
from relay.operating import replay as replays
from relay.operating.heartbeats import HeartbeatWatch
from relay.operating.replay import Replay, ReplayPreview, ReplayProgress, ReplayRequest, ReplayResult
from relay.outbox.debt import Meant

_ATTEMPTS = 6
_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(?:/s)?")


def _rate(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    found = _RATE.fullmatch(value.strip())
    if found is None or float(found[1]) <= 0:
        raise click.BadParameter(f"{value!r} is not a rate; write 50/s, or 0.5/s for one in two seconds")
    return float(found[1])


@click.command()
@click.option("--aggregate", default=None, metavar="ID", help="Only commits of this aggregate.")
@click.option(
    "--since",
    "since_ms",
    type=moment.moment,
    metavar="TIME",
    help=f"Only commits made at or after this time: {moment.FORMS}.",
)
@click.option(
    "--older-than", type=moment.duration, metavar="TIME", help=f"Only commits at least this old: {moment.DURATIONS}."
)
@click.option("--limit", type=click.IntRange(1), help="Deliver up to this many commits, then stop.")
@click.option("--rate", callback=_rate, metavar="N/s", help="Deliver up to this many commits per second.")
@click.option("--dry-run", is_flag=True, help="Only show what would be delivered.")
@envelope.json_option
@envelope.reports_errors
def replay(
    aggregate: str | None,
    since_ms: int | None,
    older_than: float | None,
    limit: int | None,
    rate: float | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Deliver what is still owed, in order, and settle it.

    Safe beside a running relay (a commit may then be delivered twice) and safe to interrupt: run it again to resume.
    Earlier commits of an aggregate that the bus lacks go first, even when the options exclude them. Parked commits
    stay parked: use `relay parked release`.

    Exit codes: 0 nothing that was selected is left (--dry-run: always), 1 delivery is paused, 2 settings, tables, or
    other destinations than those in force, 3 rows are left and a destination is in trouble, or DynamoDB is out of
    reach, 4 rows are left for another reason, 70 a part died.
    """
    if aggregate is not None:
        check_aggregate_id(aggregate, "--aggregate")
    runtime = SystemRuntime()
    stop = runtime.flag()
    store_settings, settings = load_settings()
    logs.configure(settings.log_format, "warning")
    destinations = open_destinations(settings, runtime)
    store = open_store(store_settings)
    relay = build_relay(store, destinations, settings, runtime, by_hand=True)
    table = FleetTable(store.client, store.tables, runtime, Backoff(attempts_max=_ATTEMPTS))
    heartbeats = HeartbeatWatch(table.look, runtime)
    heartbeats.look()
    moved_from = bus_nodes(settings.bus_moved_from) or frozenset()
    _check_agreement(heartbeats.fleet, relay.fleet_settings, [pump.name for pump in relay.pumps], moved_from)
    request = ReplayRequest(Meant(aggregate, since_ms, older_than), limit, rate)
    if dry_run:
        names = [pump.name for pump in relay.pumps]
        _show(replays.preview(relay.outbox, names, request, runtime), runtime.now_ms(), as_json=as_json)
        return
    stop_on_signals(stop)
    writer = relay.guarded_writer(heartbeats.fleet.settings)
    with progress.shown("reading the outbox", runtime) as tell:
        run = Replay(
            reader=relay.outbox,
            flow=relay.flow,
            pumps=relay.pumps,
            services=relay.scribes(lambda: writer.fault is None, writer),
            runtime=runtime,
            request=request,
            hold=lambda: writer.fault or _paused(heartbeats),
            progress=lambda now: tell(now.settled, _so_far(now)),
        )
        try:
            result = run.run(stop)
        except PartDiedError as error:
            message = f"a part of the replay died: {error}. Run it again; nothing is lost"
            envelope.fail(message, envelope.ExitCode.DEFECT, as_json=as_json)
    _report(result, request.meant, as_json=as_json)


def _paused(heartbeats: HeartbeatWatch) -> str | None:
    """Return why nothing may be delivered now, None when it may; checked about once a second."""
    heartbeats.look()
    pause = heartbeats.fleet.pause
    if pause is None:
        return None
    since = f"{humanize.text(pause.by)} paused delivery at {humanize.moment(pause.at_ms)} UTC"
    return f"{since}: {humanize.text(pause.reason)}. `relay resume` ends it"


def _check_agreement(fleet: Fleet, here: FleetSettings, names: Sequence[str], moved_from: frozenset[str]) -> None:
    """Refuse to deliver for other destinations than the workers': rows still owed to one of theirs would be deleted.

    Raises:
        SetUpError: Names what is in force and what this process would do.
    """
    there = fleet.settings
    if there is None:
        return
    differences = []
    if there.destinations != frozenset(names):
        in_force = ", ".join(in_order(there.destinations))
        differences.append(f"the destinations in force are {in_force}, and those here are {', '.join(names)}")
    if there.name_prefix != here.name_prefix:
        differences.append(f"RELAY_NAME_PREFIX in force is {there.name_prefix}, and here it is {here.name_prefix}")
    bus = rules.differences(there, here).get("bus")
    if bus is not None and moved_from.isdisjoint(there.bus or ()):
        differences.append(
            f"the bus in force is {bus[0]}, and here it is {bus[1]} (if it is meant, name the former in"
            " RELAY_BUS_MOVED_FROM)"
        )
    if differences:
        advice = "give this command the workers' settings; `relay run` puts others in force"
        raise SetUpError(f"{'; '.join(differences)}: {advice}")


def _so_far(now: ReplayProgress) -> str:
    rate = now.settled / now.seconds if now.seconds > 0 else 0.0
    return f"{humanize.commits(now.settled)} settled, {now.handed_over:,} handed over, {rate:,.0f}/s"


def _show(found: ReplayPreview, now_ms: int, *, as_json: bool) -> None:
    oldest = found.oldest_committed_at_ms
    oldest_seconds = None if oldest is None else max(0.0, (now_ms - oldest) / 1000)
    if as_json:
        data = {
            "would_hand_over": found.handed_over,
            "aggregates": found.aggregates,
            "lacking": found.lacking,
            "oldest_age_seconds": oldest_seconds,
            "parked": found.parked,
            "waiting": found.waiting,
        }
        envelope.print_envelope(data)
        return
    lacking = ", ".join(f"{count:,} for {name}" for name, count in found.lacking.items())
    what = f"{humanize.commits(found.handed_over)} of {humanize.aggregates(found.aggregates)}"
    if found.handed_over:
        click.echo(f"would hand over {what} ({lacking}), the oldest {humanize.age(oldest_seconds)} old.")
    else:
        click.echo("would hand over nothing.")
    if found.parked:
        click.echo(f"{humanize.commits(found.parked)} parked, {found.waiting:,} wait behind: `relay parked list`.")


def _report(result: ReplayResult, meant: Meant, *, as_json: bool) -> None:
    code = _exit_code(result)
    diagnostics = [f"{name}: {reason}" for name, reason in result.trouble.items()]
    if result.held is not None:
        diagnostics.append(result.held)
    if as_json:
        data = {
            "settled": result.settled,
            "handed_over": result.handed_over,
            "left": result.left,
            "parked": result.parked,
            "waiting": result.waiting,
            "complete": result.complete,
        }
        envelope.print_envelope(
            data, status="ok" if code is envelope.ExitCode.FINE else "incomplete", diagnostics=diagnostics
        )
        raise SystemExit(int(code))
    least = "" if result.complete else "at least "  # its last walk did not come to its end
    where = "left in the outbox" if meant == Meant() else "left of what was selected"
    left = f", {least}{result.left:,} {where}" if result.complete or result.left else ""
    click.echo(f"{humanize.commits(result.settled)} settled{left}.")
    for line in diagnostics:
        click.echo(f"error: {humanize.text(line, 2_000)}", err=True)
    if result.parked or result.waiting:
        click.echo(
            f"{humanize.commits(result.parked)} parked, {result.waiting:,} wait behind: `relay parked list`.",
            err=True,
        )
    if code is not envelope.ExitCode.FINE:
        click.echo(f"Next: {_advice(result)}", err=True)
    raise SystemExit(int(code))


def _exit_code(result: ReplayResult) -> envelope.ExitCode:
    if result.held is not None:
        return envelope.ExitCode.FOUND
    if not result.left and result.complete:
        return envelope.ExitCode.FINE
    return envelope.ExitCode.UNREACHABLE if result.trouble else envelope.ExitCode.PARTIAL


def _advice(result: ReplayResult) -> str:
    if result.held is not None:
        return "`relay status` shows the pause."
    if result.limit_reached:
        return "the limit was reached; run `relay replay` again to continue."
    if result.complete and result.left <= result.parked + result.waiting:
        return "what is left waits for a person: `relay parked list` shows why."
    return "`relay status` shows what is left and why; run `relay replay` again to resume."

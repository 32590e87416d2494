"""`relay gaps`: what has been owed for too long and is not in flight."""

from typing import Any

import click
from rich.table import Column, Table
from rich.text import Text

from eventstore.cli.input import moment
from eventstore.cli.output import envelope
from eventstore.rows.refused import RefusedMark
from relay.cli import humanize
from relay.cli.opened import destination_names, open_desk
from relay.observing.remedies import remedy
from relay.operating import gap_reasons, heartbeats, overview
from relay.operating import gaps as gap_walks
from relay.operating.gap_reasons import Conditions
from relay.operating.gaps import Gap, Gaps

_SHOWN_DEFAULT = 50
_REASON_MAX = 300


@click.command()
@click.option(
    "--older-than",
    type=moment.duration,
    default="60s",
    show_default=True,
    metavar="TIME",
    help=f"Owed for at least this long: {moment.DURATIONS}.",
)
@click.option(
    "--rows",
    type=click.IntRange(1, 10_000),
    default=_SHOWN_DEFAULT,
    show_default=True,
    help="Show up to this many aggregates, those with the oldest commits; all are counted.",
)
@envelope.json_option
@envelope.reports_errors
def gaps(older_than: float, rows: int, *, as_json: bool) -> None:
    """List what has been owed for too long, by aggregate, oldest first.

    Each comes with the reason: what its rows say, or what is the matter with the destination that lacks them.
    What a live worker reports as in flight is excluded. Parked commits, those that wait behind them, and aggregates
    that wait alone since the bus does not take their next event, are gaps: a live worker says so, or the row.
    It reads the outbox once and changes nothing.

    Exit codes: 0 there is no gap, 1 there are gaps, 2 settings or tables, 3 DynamoDB is out of reach.
    """
    desk = open_desk()
    fleet = desk.fleet_table.look()
    now_ms = desk.runtime.now_ms()
    reports = [fleet.workers[name].report for name in heartbeats.seemingly_alive(fleet, now_ms)]
    in_flight = {key for report in reports if report is not None for key in report.in_flight}
    held_up = {view.report.aggregate_id: view.report.reason for view in overview.held_up(fleet, now_ms)}
    names = destination_names(fleet)
    found = gap_walks.find(desk.reader, names, in_flight, older_than, rows, desk.runtime, held_up)
    why = gap_reasons.conditions(fleet, names, now_ms)
    if as_json:
        envelope.print_envelope(_as_dict(found, why, now_ms))
    else:
        _print(found, why, older_than, now_ms)
    if found.aggregates:
        raise SystemExit(int(envelope.ExitCode.FOUND))


def _print(found: Gaps, why: Conditions, older_than: float, now_ms: int) -> None:
    if not found.aggregates and not found.in_flight:
        click.echo(f"no gap: nothing has been owed for {humanize.age(older_than)} or longer.")
        return
    if not found.aggregates:
        flying = f"{humanize.commits(found.in_flight)} owed for {humanize.age(older_than)} or longer"
        click.echo(f"no gap: {flying}, but in flight at a live worker.")
        click.echo("Next: `relay status` shows whether the destinations take them.")
        return
    flying = f"; {humanize.commits(found.in_flight)} more in flight" if found.in_flight else ""
    table = Table(Column("aggregate", overflow="fold"), "commits", "numbers", "oldest", Column("why", overflow="fold"))
    for gap in found.oldest:
        table.add_row(
            Text(humanize.text(gap.aggregate_id)),
            f"{gap.commits:,}",
            f"{gap.first}" if gap.first == gap.last else f"{gap.first} to {gap.last}",
            humanize.age(_age_seconds(gap, now_ms)),
            Text("; ".join(humanize.text(each, _REASON_MAX) for each in gap_reasons.reasons(gap, why))),
        )
    envelope.console().print(table)
    what = f"{humanize.commits(found.commits)} of {humanize.aggregates(found.aggregates)}"
    shown = "" if found.aggregates == len(found.oldest) else f", the oldest {len(found.oldest):,} shown"
    click.echo(f"{what} owed for {humanize.age(older_than)} or longer{shown}{flying}.")
    click.echo(f"Next: {_advice(found)}")


def _advice(found: Gaps) -> str:
    if any(gap.newer for gap in found.oldest):
        return "upgrade the relay: a later release wrote some of these rows, which wait for it unharmed."
    reasons = dict.fromkeys(gap.held_up for gap in found.oldest if gap.held_up)
    if reasons:
        todo = "; ".join(remedy(reason).action for reason in reasons)
        return f"{todo}; the relay tries again by itself. `relay status` shows when."
    if any(gap.parked or gap.unreadable for gap in found.oldest):
        return "`relay parked list` shows what waits for a person; `relay status` shows whether a relay runs."
    return "`relay status` shows whether a relay runs, and any problems; with none running, `relay replay`."


def _age_seconds(gap: Gap, now_ms: int) -> float | None:
    return None if gap.oldest_committed_at_ms is None else max(0.0, (now_ms - gap.oldest_committed_at_ms) / 1000)


def _as_dict(found: Gaps, why: Conditions, now_ms: int) -> dict[str, Any]:
    return {
        "aggregates": found.aggregates,
        "commits": found.commits,
        "in_flight": found.in_flight,
        "rows": found.rows,
        "oldest": [
            {
                "aggregate_id": gap.aggregate_id,
                "commits": gap.commits,
                "first": gap.first,
                "last": gap.last,
                "oldest_age_seconds": _age_seconds(gap, now_ms),
                "reasons": gap_reasons.reasons(gap, why),
                "lacking": gap.lacking,
                "parked": gap.parked,
                "waiting": gap.waiting,
                "unreadable": gap.unreadable,
                "newer": gap.newer,
                "fault": gap.fault,
                "settled": gap.settled,
                "held_up": gap.held_up,
                "cause": remedy(gap.held_up).cause if gap.held_up else None,
                "remedy": remedy(gap.held_up).action if gap.held_up else None,
                "refused": {name: _mark_as_dict(mark, now_ms) for name, mark in gap.refused.items()},
            }
            for gap in found.oldest
        ],
    }


def _mark_as_dict(mark: RefusedMark, now_ms: int) -> dict[str, Any]:
    return {
        "reason": mark.reason,
        "attempts": mark.attempts,
        "since_seconds": max(0.0, (now_ms - mark.since_ms) / 1000),
        "next_seconds": max(0.0, (mark.until_ms - now_ms) / 1000),
    }

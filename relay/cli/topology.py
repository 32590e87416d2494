"""`relay topology`: compares the exchanges, queues, template and indices of the servers with what the settings want."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from eventstore.cli.output import envelope
from eventstore.cli.output.streams import printable
from eventstore.errors import EventStoreError
from relay import settings as relay_settings
from relay.cli import operator
from relay.cli.destinations import open_topologies
from relay.cli.opened import open_desk
from relay.destinations.index.elasticsearch_topology import ElasticsearchTopology
from relay.destinations.topology import Difference, Examination, Topology
from relay.operating.audit_trail import REASON_MAX_CHARACTERS, AuditTrail, new_record


@dataclass(frozen=True, slots=True)
class _Look:
    """The result of looking at one destination: an examination, or why there is none."""

    topology: Topology
    examination: Examination | None = None
    error: EventStoreError | None = None

    @property
    def differences(self) -> tuple[Difference, ...]:
        return self.examination.differences if self.examination else ()

    @property
    def state(self) -> str:
        if self.error is not None:
            return "unknown"
        return "differs" if self.differences else "as wanted"


@click.group()
def topology() -> None:
    """Compare the destinations with the settings, and create what is missing.

    Exit codes: 0 fine, others as each command says.
    """


@topology.command()
@envelope.json_option
@envelope.reports_errors
def check(*, as_json: bool) -> None:
    """Show what differs, and change nothing.

    Exit codes: 0 everything is as wanted, 1 something differs, 2 settings, or a server refuses the credentials,
    3 a server is out of reach.
    """
    looks = [_examine(each) for each in open_topologies(relay_settings.load())]
    _tell(looks, [], as_json=as_json)


@topology.command()
@click.option(
    "--accept-losses",
    is_flag=True,
    help="Accept that indices have lost what they held: it is no difference any more. Kept in the audit log.",
)
@operator.by_option
@envelope.json_option
@envelope.reports_errors
def apply(*, accept_losses: bool, by: str, as_json: bool) -> None:
    """Create what is missing and change what may be changed. Nothing is deleted; what is left needs a person.

    Exit codes: 0 everything is as wanted now, 1 something is left, 2 settings, or a server refuses the credentials,
    3 a server is out of reach.
    """
    looks, deeds = [], []
    for each in open_topologies(relay_settings.load()):
        if accept_losses and isinstance(each, ElasticsearchTopology):
            deeds += _accept(each, by)
        look, words = _apply(each)
        looks.append(look)
        deeds += words
    _tell(looks, deeds, as_json=as_json)


def _accept(index: ElasticsearchTopology, by: str) -> list[str]:
    """Accept what the index has lost, if anything; the deed is kept."""
    desk = open_desk()
    trail = AuditTrail(desk.store.client, desk.store.tables, desk.runtime, desk.backoff)

    def keep(deeds: list[str]) -> None:
        about = {"losses": "; ".join(deeds)[:REASON_MAX_CHARACTERS]}
        trail.write(new_record(desk.runtime, "accept-losses", by, "", about))

    return index.accept_losses(keep)


def _examine(each: Topology) -> _Look:
    try:
        return _Look(each, each.examine())
    except EventStoreError as error:
        return _Look(each, error=error)


def _apply(each: Topology) -> tuple[_Look, list[str]]:
    """Fix one destination; return how it looks afterwards, and sentences about what was done and what was refused."""
    before = _examine(each)
    if before.error is not None:
        return before, []
    try:
        refused = each.make(before.differences)
    except EventStoreError as error:
        return _Look(each, error=error), []
    after = _examine(each)
    left = {(difference.thing, difference.problem) for difference in after.differences}
    made = [
        f"made: {difference.thing} ({difference.problem})"
        for difference in before.differences
        if after.error is None and (difference.thing, difference.problem) not in left
    ]
    return after, made + [f"refused: {sentence}" for sentence in refused]


def _tell(looks: Sequence[_Look], deeds: Sequence[str], *, as_json: bool) -> None:
    """Print what was found and end with the exit code it stands for."""
    errors = [look.error for look in looks if look.error is not None]
    differ = any(look.differences for look in looks)
    code = max((envelope.exit_code_of(error) for error in errors), default=envelope.ExitCode.FINE)
    if not errors and differ:
        code = envelope.ExitCode.FOUND
    if as_json:
        status = "error" if errors else "differs" if differ else "ok"
        diagnostics = [_sentence(error) for error in errors]
        envelope.print_envelope(_as_dict(looks, deeds), status=status, diagnostics=diagnostics)
    else:
        for deed in deeds:
            click.echo(printable(deed))
        for look in looks:
            _print(look)
    for error in errors:
        click.echo(f"error: {printable(_sentence(error))}", err=True)
    raise SystemExit(int(code))


def _sentence(error: EventStoreError) -> str:
    """Return what went wrong in one line, with the next step where the error itself cannot know it."""
    words = " ".join(str(error).split())
    if envelope.exit_code_of(error) is not envelope.ExitCode.UNREACHABLE:
        return words
    return f"{words}; see that the server is up, and that `relay config show` has its address"


def _print(look: _Look) -> None:
    click.echo(printable(f"{look.topology.name} at {look.topology.place}: {look.state}"))
    for difference in look.differences:
        click.echo(printable(f"  {difference.thing} {difference.problem}"))
        click.echo(printable(f"    -> {difference.advice}"))
    for note in look.examination.notes if look.examination else ():
        click.echo(printable(f"  note: {note}"))


def _as_dict(looks: Sequence[_Look], deeds: Sequence[str]) -> dict[str, Any]:
    return {
        "destinations": [
            {
                "destination": look.topology.name,
                "place": look.topology.place,
                "state": look.state,
                "differences": [
                    {
                        "thing": difference.thing,
                        "problem": difference.problem,
                        "advice": difference.advice,
                        "mended_by": "apply" if difference.remedy is not None else "person",
                    }
                    for difference in look.differences
                ],
                "notes": list(look.examination.notes) if look.examination else [],
            }
            for look in looks
        ],
        "deeds": list(deeds),
    }

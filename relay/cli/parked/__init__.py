"""`relay parked`: commits that wait for a person."""

import click

from eventstore.cli.lazy_group import Lazy, LazyGroup

_COMMANDS = {
    "drop": Lazy(
        "relay.cli.parked.drop:drop",
        "Count the commit of AGGREGATE that ends at number LAST as delivered where it is parked.",
    ),
    "list": Lazy(
        "relay.cli.parked.listing:list_",
        "List what is parked, by destination and error class, with counts and examples.",
    ),
    "release": Lazy(
        "relay.cli.parked.release:release",
        "Un-park the commits that match all options, so that the relay tries them again.",
    ),
    "show": Lazy(
        "relay.cli.parked.show:show",
        "Show the commit of AGGREGATE that ends at number LAST; without LAST, its lowest parked commit.",
    ),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def parked() -> None:
    """Show, release or drop parked commits.

    A commit is parked when a destination can never take it as it is. Parked for the bus, later commits of its aggregate
    wait behind it; parked for another destination, nothing waits.

    Exit codes: 0 fine, others as each command says.
    """

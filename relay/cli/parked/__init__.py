"""`relay parked`: commits that wait for a person."""

import click

from relay.cli.parked.drop import drop
from relay.cli.parked.listing import list_
from relay.cli.parked.release import release
from relay.cli.parked.show import show


@click.group()
def parked() -> None:
    """Look at parked commits, release them, or drop them.

    A commit is parked when a destination can never take it as it is. Parked for the bus, later commits of its aggregate
    wait behind it; parked for another destination, nothing waits.

    Exit codes: 0 fine, others as each command says.
    """


parked.add_command(list_)
parked.add_command(show)
parked.add_command(release)
parked.add_command(drop)

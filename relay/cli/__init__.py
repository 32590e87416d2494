"""The command `relay`: run the daemon, see what is owed, and deliver it by hand."""

import click

from eventstore.cli.program import Program
from relay.cli.audit import audit
from relay.cli.config import config
from relay.cli.demo import demo
from relay.cli.gaps import gaps
from relay.cli.parked import parked
from relay.cli.pause import pause, resume
from relay.cli.replay import replay
from relay.cli.run import run
from relay.cli.status import status
from relay.cli.topology import topology


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dynamo-eventstore")
def main() -> None:
    """Carry committed events from the outbox to RabbitMQ and Elasticsearch.

    Settings come from the environment (EVENTSTORE_..., RELAY_...), from .local/env, which `make up` writes, and from
    the TOML file that RELAY_CONFIG_FILE names; `relay config show` shows them all.

    Exit codes: 0 fine, 1 found what it looks for, 2 usage or settings, 3 a server is out of reach, 4 stopped part-way
    and can resume, 5 a write has happened or not, 70 a part of the relay died.
    """


main.add_command(run)
main.add_command(status)
main.add_command(gaps)
main.add_command(parked)
main.add_command(replay)
main.add_command(pause)
main.add_command(resume)
main.add_command(audit)
main.add_command(topology)
main.add_command(config)
main.add_command(demo)

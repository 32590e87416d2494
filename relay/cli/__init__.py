"""The command `relay`: run the daemon, see what is owed, and deliver it by hand."""

import sys

from relay import early_signals

if early_signals.is_program(sys.argv[0]):
    early_signals.catch(sys.argv[1:])

try:
    import click

    from eventstore.cli.lazy_group import Lazy
    from eventstore.cli.program import Program
except KeyboardInterrupt:  # Ctrl-C before there is anything that could handle it
    sys.stderr.write("error: interrupted\n")
    sys.exit(4)

_COMMANDS = {
    "audit": Lazy(
        "relay.cli.audit:audit",
        "Show what operators did to the relay: release, drop, pause, resume.",
    ),
    "config": Lazy(
        "relay.cli.config:config",
        "Show the settings.",
    ),
    "demo": Lazy(
        "relay.cli.demo:demo",
        "Append, deliver, consume and search, and show what happened to every event.",
    ),
    "gaps": Lazy(
        "relay.cli.gaps:gaps",
        "List what has been owed for too long, by aggregate, oldest first.",
    ),
    "parked": Lazy(
        "relay.cli.parked:parked",
        "Show, release or drop parked commits.",
    ),
    "pause": Lazy(
        "relay.cli.pause:pause",
        "Stop delivery by all workers, including those that start later, until `relay resume`.",
    ),
    "replay": Lazy(
        "relay.cli.replay:replay",
        "Deliver what is still owed, in order, and settle it.",
    ),
    "resume": Lazy(
        "relay.cli.pause:resume",
        "Resume delivery by all workers after `relay pause`.",
    ),
    "run": Lazy(
        "relay.cli.run:run",
        "Deliver commits to the bus and the index until stopped.",
    ),
    "status": Lazy(
        "relay.cli.status:status",
        "Show what is owed, which worker owns each shard, and any problems.",
    ),
    "topology": Lazy(
        "relay.cli.topology:topology",
        "Compare the destinations with the settings, and create what is missing.",
    ),
}


@click.group(
    cls=Program, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="dynamo-eventstore")
def main() -> None:
    """Deliver committed events from the outbox to RabbitMQ and Elasticsearch.

    Settings come from the environment (EVENTSTORE_..., RELAY_...), from .local/env, which `make up` writes, and from
    the TOML file that RELAY_CONFIG_FILE names; `relay config show` shows them all.

    Exit codes: 0 fine, 1 found what it looks for, 2 usage or settings, 3 a server is out of reach, 4 stopped part-way
    and can resume, 5 a write has happened or not, 70 a part of the relay died.
    """

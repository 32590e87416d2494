"""The command `eventstore`: set tables up, append and import, look at what is stored, and check it."""

import sys

try:
    import click

    from eventstore.cli.lazy_group import Lazy
    from eventstore.cli.program import Program
except KeyboardInterrupt:  # Ctrl-C before there is anything that could handle it
    sys.stderr.write("error: interrupted\n")
    sys.exit(4)

_COMMANDS = {
    "append": Lazy(
        "eventstore.cli.append:append",
        "Append the events in SOURCE (JSON lines; standard input by default) to one aggregate, all or none.",
    ),
    "dev-server": Lazy(
        "eventstore.cli.dev_server:dev_server",
        "Serve an in-memory DynamoDB, with streams, to any AWS client, until interrupted.",
    ),
    "import": Lazy(
        "eventstore.cli.import_events:import_events",
        "Store many commits from SOURCE (JSON lines; standard input by default), each line one commit, all or none.",
    ),
    "init": Lazy(
        "eventstore.cli.init:init",
        "Create missing tables and check existing ones.",
    ),
    "schema": Lazy(
        "eventstore.cli.schema:schema",
        "Event types: what is stored, and what a program can read.",
    ),
    "search": Lazy(
        "eventstore.cli.search:search",
        "Search the index that `relay run` fills, newest events first.",
    ),
    "show": Lazy(
        "eventstore.cli.show:show",
        "Show the events of AGGREGATE_ID, oldest first, as they are stored.",
    ),
    "stats": Lazy(
        "eventstore.cli.stats:stats",
        "Count events by type, aggregate type and day, with their sizes, and what is owed.",
    ),
    "tail": Lazy(
        "eventstore.cli.tail:tail",
        "Show the newest events in the order of their timestamps: of one day, or of a type, whenever they happened.",
    ),
    "verify": Lazy(
        "eventstore.cli.verify:verify",
        "Check that numbers are contiguous, commits complete, types and event ids unique, and outbox and keys correct.",
    ),
}


@click.group(
    cls=Program, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="dynamo-eventstore")
def main() -> None:
    """Event store on DynamoDB.

    Settings come from the environment (EVENTSTORE_...) and from .local/env, which `make up` writes.

    Exit codes: 0 fine, 1 found what it looks for or refused because of another writer, 2 usage, input or settings,
    3 a server is out of reach, 4 stopped part-way and can resume, 5 a write has happened or not, 70 a defect.
    """

"""The command `eventstore`: set tables up, append and import, look at what is stored, and check it."""

import click

from eventstore.cli.append import append
from eventstore.cli.dev_server import dev_server
from eventstore.cli.import_events import import_events
from eventstore.cli.init import init
from eventstore.cli.program import Program
from eventstore.cli.schema import schema
from eventstore.cli.search import search
from eventstore.cli.show import show
from eventstore.cli.stats import stats
from eventstore.cli.tail import tail
from eventstore.cli.verify import verify


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dynamo-eventstore")
def main() -> None:
    """Event store on DynamoDB.

    Settings come from the environment (EVENTSTORE_...) and from .local/env, which `make up` writes.

    Exit codes: 0 fine, 1 found what it looks for or refused by another writer, 2 usage, input or settings,
    3 a server is out of reach, 4 stopped part-way and can resume, 5 a write has happened or not, 70 a defect.
    """


for command in (init, append, import_events, show, tail, search, stats, verify, schema, dev_server):
    main.add_command(command)

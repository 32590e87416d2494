"""`eventstore dev-server`: the in-memory DynamoDB over HTTP, also in rough weather."""

import signal
from types import FrameType
from typing import NoReturn

import click

from eventstore.cli.output import envelope
from eventstore.cli.output.streams import printable
from eventstore.errors import EndpointError

PORT_DEFAULT = 8000
SHARDS_MAX = 64
CONNECTIONS_DEFAULT, CONNECTIONS_LIMIT = 1024, 16_384


@click.command("dev-server")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT_DEFAULT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on. There is no authentication."
)
@click.option("--rough", is_flag=True, help="Inject, at random, the faults that AWS permits.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the injected faults, with --rough."
)
@click.option(
    "--shards",
    type=click.IntRange(1, SHARDS_MAX),
    default=1,
    show_default=True,
    help="Number of shards a stream starts with.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, CONNECTIONS_LIMIT),
    default=CONNECTIONS_DEFAULT,
    show_default=True,
    help="Number of connections at a time; each has a thread.",
)
@envelope.reports_errors
def dev_server(port: int, host: str, seed: int, shards: int, connections: int, *, rough: bool) -> None:
    """Serve an in-memory DynamoDB, with streams, to any AWS client, until interrupted.

    Every access key id has its own database in each region; any secret is accepted. Nothing is kept when it ends.

    Exit codes: 0 stopped by Ctrl-C or SIGTERM, 2 the address is in use or does not belong to this machine.
    """
    from eventstore.testing.dynamodb import Weather  # noqa: PLC0415 - what serves tests is loaded by this command alone
    from eventstore.testing.http import DevServer  # noqa: PLC0415 - as above

    try:
        weather = Weather.rough() if rough else None
        server = DevServer(port, host=host, weather=weather, seed=seed, shard_count=shards, connections_max=connections)
    except OSError as error:
        reason = printable(str(error))
        raise EndpointError(f"cannot listen on {host}, port {port}: {reason}; choose another --port") from error
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        click.echo(server.url)
        if not server.is_on_loopback:
            click.echo(f"warning: anyone who can reach {host} can read and change everything", err=True)
        server.serve()
    except KeyboardInterrupt:
        return
    finally:
        server.close()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt

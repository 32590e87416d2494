"""The command line: verbs, options, exit codes.

Exit codes: 0 fine; 1 `status`, and not all servers are up; 2 the command line is wrong; 3 something could not be
started or asked, and the message says what is missing and how to get it.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from servers.engine import choose
from servers.errors import EXIT_CANNOT_START, EXIT_FINE, EXIT_NOT_ALL_UP, ServersError
from servers.install.cache import locked
from servers.layout import layout_for
from servers.progress import Progress
from servers.prune import leftovers, prune
from servers.services.catalogue import NAMES, select
from servers.status import as_json, as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.layout import Layout

LOCK_TIMEOUT_SECONDS = 900.0
UMASK = 0o022


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    ours, theirs = _split(arguments)
    options = parser().parse_args(ours)
    options.arguments = theirs
    # Other users must be able to read what is unpacked and written for them.
    os.umask(UMASK)
    try:
        return run(options)
    except ServersError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CANNOT_START
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; `make down` ends what has been started\n")
        return EXIT_CANNOT_START


def run(options: argparse.Namespace) -> int:
    """Do what the parsed command line says, and return the exit code.

    Raises:
        ServersError: It could not be done.
    """
    layout = layout_for(options.state_dir)
    progress = Progress()
    if options.verb == "status":
        statuses = choose(layout, progress).status(select(options.servers))
        sys.stdout.write(as_json(statuses) if options.json else as_text(statuses))
        return EXIT_FINE if all(status.up for status in statuses) else EXIT_NOT_ALL_UP
    if options.verb == "rabbitmqctl":
        sys.stdout.write(choose(layout, progress).rabbitmqctl(options.arguments))
        return EXIT_FINE
    if options.verb == "prune":
        sys.stdout.write(f"removed what {prune(layout, progress)} deleted clones had left\n")
        return EXIT_FINE
    with locked(
        layout.lock_file,
        timeout_seconds=LOCK_TIMEOUT_SECONDS,
        on_wait=lambda: progress.say("lock", "another command works on these servers; waiting for it"),
    ):
        change(options, layout, progress)
    return EXIT_FINE


def change(options: argparse.Namespace, layout: Layout, progress: Progress) -> None:
    """Carry out a verb that starts or ends something; the clone's lock is held.

    Raises:
        ServersError: It could not be done.
    """
    services = select(options.servers)
    engine = choose(layout, progress)
    if options.verb == "down":
        engine.down(services, wipe=options.wipe)
    if options.verb in {"stop", "restart"}:
        engine.stop(services, kill=options.kill)
    if options.verb in {"up", "start", "restart"}:
        engine.up(services, everything=not options.servers)
        sys.stdout.write("".join(f"{name}={value}\n" for name, value in engine.env().items()))
        progress.say("env", f"addresses are in {layout.env_file}")
        if gone := leftovers(layout):
            progress.say("prune", f"{len(gone)} deleted clones left something here: python3 infra/local prune")


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    plain = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="python3 infra/local", description=__doc__, formatter_class=plain)
    top.add_argument(
        "--state-dir", type=Path, help="instead of the clone's .local: another, independent set of servers"
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    listed = ", ".join(sorted(NAMES))

    up = verbs.add_parser(
        "up", help="install what is missing, start what is down, wait until all work, write the env file"
    )
    down = verbs.add_parser("down", help="end the servers and remove the env file")
    down.add_argument("--wipe", action="store_true", help="delete their data and logs too")
    status = verbs.add_parser("status", help="say what is up")
    status.add_argument("--json", action="store_true", help="for programs")
    for command in (up, down, status):
        command.add_argument(
            "--only", dest="servers", type=_names, default=[], metavar="A,B", help=f"these instead of all of {listed}"
        )

    start = verbs.add_parser("start", help="start named servers again, on the same ports")
    stop = verbs.add_parser("stop", help="end named servers and keep their addresses in the env file")
    restart = verbs.add_parser("restart", help="end named servers and start them again, on the same ports")
    for command in (start, stop, restart):
        command.add_argument("servers", nargs="+", metavar="SERVER", help=listed)
    for command in (stop, restart):
        command.add_argument("--kill", action="store_true", help="end with SIGKILL, as a crash does")

    verbs.add_parser("rabbitmqctl", help="run the broker's own tool, with what follows, against this clone's broker")
    verbs.add_parser("prune", help="end and delete what deleted clones have left on this machine")
    return top


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part our own arguments from those of `rabbitmqctl`, whose options are none of ours."""
    end = arguments.index("rabbitmqctl") + 1 if "rabbitmqctl" in arguments else len(arguments)
    return list(arguments[:end]), list(arguments[end:])


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]

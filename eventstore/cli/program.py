"""The frame around all commands: usable streams, and one line with an exit code for whatever ends them early."""

import contextlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from eventstore.cli.lazy_group import LazyGroup
from eventstore.cli.output import envelope, streams


class Program(LazyGroup):
    """A group of commands that shows no traceback for what a terminal, a pipe, a disk or a typing error can do."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run the command that the arguments name, and exit."""
        streams.make_sound()
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(given, prog_name, **{**extra, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(int(envelope.ExitCode.USAGE))
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            envelope.fail(_advised(error, context), envelope.ExitCode.USAGE, as_json=_wants_envelope(context, given))
        except click.Abort:
            with contextlib.suppress(OSError):
                click.echo("error: interrupted", err=True)
            sys.exit(int(envelope.ExitCode.PARTIAL))
        except OSError as error:
            with contextlib.suppress(OSError):
                click.echo(f"error: {streams.printable(str(error))}", err=True)
            streams.abandon()
            sys.exit(int(envelope.ExitCode.PARTIAL))
        except Exception as defect:  # noqa: BLE001 - a person at a terminal is shown no traceback, whatever it is
            with contextlib.suppress(OSError):
                click.echo(f"error: {_reported(defect)}", err=True)
            streams.abandon()
            sys.exit(int(envelope.ExitCode.DEFECT))
        sys.exit(code if isinstance(code, int) else int(envelope.ExitCode.FINE))


def _reported(defect: Exception) -> str:
    """Return what a report of a defect needs: what happened, and where."""
    frames = traceback.extract_tb(defect.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    words = streams.printable(" ".join(str(defect).split()))
    return f"a defect of this software; please report it: {type(defect).__name__}: {words}{place}"


def _advised(error: click.ClickException, context: click.Context | None) -> str:
    message = error.format_message().rstrip(".")
    return message if context is None else f"{message}. Try `{context.command_path} --help`"


def _wants_envelope(context: click.Context | None, given: Sequence[str]) -> bool:
    """Tell whether the command prints an envelope and was asked to; its arguments could not be parsed completely."""
    return context is not None and "--json" in given and any(each.name == "as_json" for each in context.command.params)

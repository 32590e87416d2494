"""The frame around all commands: usable streams, and one line with an exit code for whatever ends them early."""

import contextlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from eventstore.cli.lazy_group import LazyGroup
from eventstore.cli.output import envelope, streams


class _ReaderGoneError(Exception):
    """Nobody reads the output any more. A `BrokenPipeError` would be ended by click, with a code of its own."""


@contextlib.contextmanager
def _kept_from_click() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderGoneError(str(error)) from error


class Program(LazyGroup):
    """A group of commands that shows no traceback for what a terminal, a pipe, a disk or a typing error can do."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run the command that the arguments name, and exit."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            streams.make_sound()
            code = super().main(given, prog_name, **{**extra, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(int(envelope.ExitCode.USAGE))
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            envelope.fail(_advised(error, context), envelope.ExitCode.USAGE, as_json=_wants_envelope(context, given))
        except (click.Abort, KeyboardInterrupt):
            self._end("interrupted", envelope.ExitCode.PARTIAL, given)
        except (BrokenPipeError, _ReaderGoneError):  # `| head` has seen enough: there is nothing to complain of
            streams.abandon()
            sys.exit(int(envelope.ExitCode.PARTIAL))
        except OSError as error:
            self._end(str(error), envelope.ExitCode.PARTIAL, given)
        except Exception as defect:  # noqa: BLE001 - a person at a terminal is shown no traceback, whatever it is
            self._end(_reported(defect), envelope.ExitCode.DEFECT, given)
        sys.exit(code if isinstance(code, int) else int(envelope.ExitCode.FINE))

    def make_context(self, *given: Any, **named: Any) -> click.Context:
        """Read the arguments; see click."""
        with _kept_from_click():
            return super().make_context(*given, **named)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see click."""
        with _kept_from_click():
            return super().invoke(ctx)

    def _end(self, message: str, code: envelope.ExitCode, given: Sequence[str]) -> NoReturn:
        """End with a message, also when nobody can read it, and with a document where one was asked for."""
        message = streams.printable(" ".join(message.split()))
        as_document = False
        with contextlib.suppress(KeyboardInterrupt):  # of somebody who is impatient
            as_document = "--json" in given and self._prints_documents(given)
        if as_document:
            with contextlib.suppress(OSError):
                envelope.print_envelope(None, status="error", diagnostics=[message])
        with contextlib.suppress(OSError):
            click.echo(f"error: {message}", err=True)
        streams.abandon()
        sys.exit(int(code))

    def _prints_documents(self, given: Sequence[str]) -> bool:
        """Tell whether the command that the arguments begin with prints one document with `--json`."""
        found: click.Command | None = self
        for word in given:
            if isinstance(found, LazyGroup):
                found = found.named(word)
        return found is not None and any(each.name == "as_json" for each in found.params)


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

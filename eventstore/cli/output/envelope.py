"""What every command prints and exits with: a JSON envelope or text for people, and documented exit codes."""

import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click
import msgspec

from eventstore.cli.output.streams import printable
from eventstore.errors import (
    CorruptRowError,
    DecideAgainError,
    EventStoreError,
    InvalidInputError,
    OutcomeUnknownError,
    ParkedError,
    SetUpError,
    TryLaterError,
)

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")
R = TypeVar("R")

ENVELOPE_VERSION = 1
_UNWRAPPED_WIDTH = 10_000


class ExitCode(IntEnum):
    """How a command ended."""

    FINE = 0
    FOUND = 1
    """It found what it looks for: a gap, a conflict, a difference."""
    USAGE = 2
    """Arguments, input or settings are wrong; nothing was done."""
    UNREACHABLE = 3
    """A server is out of reach or refuses for load."""
    PARTIAL = 4
    """Stopped part-way; run it again to resume."""
    UNKNOWN = 5
    """A write has happened or not: look before doing it again."""
    DEFECT = 70
    """A defect of this software (EX_SOFTWARE of sysexits.h); please report what was printed."""


def print_line(value: object) -> None:
    """Print compact JSON on one line, in UTF-8 whatever the locale is."""
    click.echo(msgspec.json.encode(value))


def print_envelope(data: object, *, status: str = "ok", diagnostics: Sequence[str] = ()) -> None:
    """Print one result as a JSON document."""
    print_line({"version": ENVELOPE_VERSION, "status": status, "data": data, "diagnostics": list(diagnostics)})


def console(*, stderr: bool = False) -> "Console":
    """Return a console for people; it does not wrap when the output is not a terminal, or has no width."""
    from rich.console import Console  # noqa: PLC0415 - commands that print JSON, or lines alone, do without

    class Piped(Console):
        """A console that raises `BrokenPipeError`; rich would end the process with a code of its own."""

        def on_broken_pipe(self) -> None:
            """Raise what was caught."""
            raise  # noqa: PLE0704 - rich calls it where it has caught the error

    stream = sys.stderr if stderr else sys.stdout
    made = Piped(file=stream, highlight=False)
    if not stream.isatty() or made.width < 1:
        made.width = _UNWRAPPED_WIDTH
    return made


def exit_code_of(error: EventStoreError) -> ExitCode:
    """Return the exit code an error stands for."""
    match error:
        case DecideAgainError():
            return ExitCode.FOUND
        case InvalidInputError() | SetUpError():
            return ExitCode.USAGE
        case TryLaterError():
            return ExitCode.UNREACHABLE
        case OutcomeUnknownError():
            return ExitCode.UNKNOWN
        case CorruptRowError() | ParkedError():
            return ExitCode.FOUND
        case _:
            return ExitCode.DEFECT


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command: an error of ours is one line on stderr (an envelope with `--json`) and an exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except EventStoreError as error:
            fail(str(error), exit_code_of(error), as_json=bool(kwargs.get("as_json")))

    return run


def fail(message: str, code: ExitCode, *, as_json: bool, data: Any = None) -> NoReturn:
    """End the command with a message, on one line, and an exit code."""
    message = printable(" ".join(message.split()))
    if as_json:
        print_envelope(data, status="error", diagnostics=[message])
    click.echo(f"error: {message}", err=True)
    raise SystemExit(int(code))


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
json_lines_option = click.option("--json", "as_lines", is_flag=True, help="Print JSON lines instead of a table.")
"""Under another name than `as_json`: standard output then holds events alone, and an error goes to standard error."""

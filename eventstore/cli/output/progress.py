"""The progress of a long command: a bar on a terminal, a line now and then elsewhere, always on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from eventstore.cli.output import envelope
from eventstore.ports import Clock

SAY_SECONDS = 15.0
"""Between two lines where no bar can be drawn; a command that is done sooner says none."""

Tell = Callable[[int, str], None]
"""Takes how much is done, and words for it."""


@contextmanager
def shown(words: str, clock: Clock, *, total: int | None = None) -> Iterator[Tell]:
    """Yield the function that a command reports its progress to.

    Args:
        words: What is said before anything is done.
        clock: Says when the next line is due.
        total: How much there is; None when nobody knows.
    """
    console = envelope.console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    said_at = clock.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(words, total=total)

        def tell(done: int, words: str) -> None:
            nonlocal said_at
            bars.update(task, completed=done, description=words)
            if not console.is_terminal and clock.monotonic() - said_at >= SAY_SECONDS:
                said_at = clock.monotonic()
                click.echo(words, err=True)

        yield tell

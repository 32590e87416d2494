"""Prints events: JSON lines, or tables of bounded length; a row that cannot be read never hides its neighbours."""

from collections.abc import Iterable

import click
from rich.table import Table
from rich.text import Text

from eventstore.cli.output import envelope
from eventstore.cli.output.event_view import as_dict, columns, row
from eventstore.cli.output.streams import printable
from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent

TABLE_ROWS = 500
"""Rows of one table; more events are shown in several, so that memory stays small and the first come soon."""


class EventList:
    """Prints events, and counts what it could not.

    Args:
        as_lines: JSON lines in place of tables.
        with_aggregate: Whether a table says which aggregate an event is of.
        title: Above the table.
    """

    def __init__(self, *, as_lines: bool, with_aggregate: bool, title: str | None = None) -> None:
        self._as_lines = as_lines
        self._with_aggregate = with_aggregate
        self._title = title
        self._corrupt = 0

    def on_corrupt(self, error: CorruptRowError) -> None:
        """Report that a row cannot be read; the command continues, and ends with another exit code."""
        self._corrupt += 1
        click.echo(f"error: {printable(' '.join(str(error).split()))}", err=True)

    def print(self, events: Iterable[RecordedEvent]) -> int:
        """Print events and return how many there were."""
        count = 0
        table = self._table()
        for count, event in enumerate(events, start=1):  # noqa: B007 - the count is wanted after the loop
            if self._as_lines:
                self._print_line(event)
                continue
            table.add_row(*row(event, with_aggregate=self._with_aggregate))
            if table.row_count == TABLE_ROWS:
                envelope.console().print(table)
                table = self._table()
        if table.row_count:
            envelope.console().print(table)
        return count

    def end(self) -> None:
        """End the command with 1 when a row could not be read."""
        if self._corrupt:
            raise SystemExit(int(envelope.ExitCode.FOUND))

    def _print_line(self, event: RecordedEvent) -> None:
        try:
            line = as_dict(event)
        except CorruptRowError as error:
            self.on_corrupt(error)
            return
        envelope.print_line(line)

    def _table(self) -> Table:
        title = None if self._title is None else Text(printable(self._title))
        return Table(*columns(with_aggregate=self._with_aggregate), title=title, title_justify="left")

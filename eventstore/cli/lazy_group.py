"""Groups of commands that are imported when they run: help and completion of a program need none of them."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

_COMPLETION_WIDTH = 45
"""What click shows of a command's help beside a completion."""


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command that is not imported yet.

    Attributes:
        place: Where it is, `package.module:attribute`.
        help: The first sentence of its help; a test compares the two.
    """

    place: str
    help: str

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class LazyCommands(MutableMapping[str, click.Command]):
    """Commands by name, each imported when it is looked up."""

    def __init__(self, lazy: Mapping[str, Lazy]) -> None:
        self._commands: dict[str, click.Command | Lazy] = dict(lazy)

    def __getitem__(self, name: str) -> click.Command:
        found = self._commands[name]
        if isinstance(found, Lazy):
            self._commands[name] = found = found.load()
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)

    def __contains__(self, name: object) -> bool:
        return name in self._commands  # inherited, it would import the command

    def short_help(self, name: str, characters_max: int) -> str:
        """Return a command's line in a list of commands, as click cuts it, without importing the command."""
        found = self._commands[name]
        listed = click.Command(name, help=found.help) if isinstance(found, Lazy) else found
        return listed.get_short_help_str(characters_max)


class LazyGroup(click.Group):
    """A group whose commands are imported when they run."""

    def __init__(self, *, lazy: Mapping[str, Lazy], **extra: Any) -> None:
        self._lazy = LazyCommands(lazy)
        super().__init__(commands=self._lazy, **extra)

    def named(self, name: str) -> click.Command | None:
        """Return a command of the group, imported now if it was not; None for any other word."""
        return self._lazy.get(name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))  # as click has it: three times the space between columns
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lazy.short_help(name, room)) for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands, and then the options, that begin with what was typed."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=self._lazy.short_help(name, _COMPLETION_WIDTH)) for name in names]
        return [*commands, *super(click.Group, self).shell_complete(ctx, incomplete)]

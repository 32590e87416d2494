"""What can go wrong, grouped by who must act; each class carries the exit code of the command.

ServersError
├── UsageError        2  the caller: the command line asks for something that does not exist
├── MissingError      3  the caller: something must be installed first; `get` is the command that does it
├── DigestError       3  nobody can use this download; try again, then ask why it changed
├── CommandError      3  the caller: a tool that was started for an installation failed
├── LockedError       3  wait: another command works on this clone's servers
└── StartError        3  the caller: a server did not come up; its log says why
"""

from __future__ import annotations

EXIT_FINE = 0
EXIT_NOT_ALL_UP = 1
EXIT_USAGE = 2
EXIT_CANNOT_START = 3


class ServersError(Exception):
    """Base of all errors that end a command with a message instead of a traceback."""

    exit_code = EXIT_CANNOT_START


class UsageError(ServersError):
    """The command line asks for something that does not exist."""

    exit_code = EXIT_USAGE


class MissingError(ServersError):
    """Something is not on this machine and cannot be fetched from here.

    Attributes:
        what: What is missing, with its version.
        get: The command that a person runs to get it.
    """

    def __init__(self, what: str, *, get: str) -> None:
        """Keep both facts and say them in one message."""
        super().__init__(f"{what}\n  get it with: {get}")
        self.what = what
        self.get = get


class DigestError(ServersError):
    """A download is not the file that was pinned; it has been removed."""

    def __init__(self, file_name: str, *, expected: str, actual: str) -> None:
        """Keep both digests (sha256, hex)."""
        super().__init__(
            f"{file_name} is not the file that was pinned, and was removed"
            f"\n  expected sha256 {expected}\n  got      sha256 {actual}"
            "\n  run the command again; if this stays, find out why the file changed"
        )
        self.expected = expected
        self.actual = actual


class CommandError(ServersError):
    """A tool that was started for an installation failed or took too long."""

    def __init__(self, command: str, *, reason: str, output: str = "") -> None:
        """Say the command, why it counts as failed, and the end of what it printed."""
        detail = "".join(f"\n  | {line}" for line in output.strip().splitlines()[-15:])
        super().__init__(f"{command}\n  {reason}{detail}")


class LockedError(ServersError):
    """Another command works on the same servers and did not finish in time."""


class StartError(ServersError):
    """A server did not come up.

    Attributes:
        service: Its name.
        reason: What was waited for, or how the process ended.
    """

    def __init__(self, service: str, *, reason: str, log_tail: str = "", log_file: str = "") -> None:
        """Show the end of the server's log next to the reason."""
        shown = "".join(f"\n  | {line}" for line in log_tail.splitlines())
        where = f"\n  its log: {log_file}" if log_file else ""
        super().__init__(f"{service} did not come up: {reason}{shown}{where}")
        self.service = service
        self.reason = reason

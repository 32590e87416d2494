"""What the supervisor must know about a server, whichever it is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from servers.layout import Layout
    from servers.process import ProcessRecord
    from servers.progress import Progress

# Kept from the caller's environment; the rest stays out, so that a server behaves the same whoever starts it.
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True)
class Start:
    """What a server is started with.

    Attributes:
        layout: The folders.
        ports: Port by name, for the names in `Service.port_names`.
        progress: For lines that people read.
        record: Called with each process as soon as it runs, so that it is known even if we are stopped now.
    """

    layout: Layout
    ports: Mapping[str, int]
    progress: Progress
    record: Callable[[ProcessRecord], None]


class Service(Protocol):
    """One server."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def version(self) -> str:
        """The pinned version."""

    @property
    def port_names(self) -> Sequence[str]:
        """Names of the ports it needs; the first is the one that clients use."""

    @property
    def ready_timeout_seconds(self) -> float:
        """How long a start may take."""

    @property
    def grace_seconds(self) -> float:
        """How long a polite end may take."""

    def missing_packages(self, layout: Layout) -> list[str]:
        """Return the Debian packages that must be installed before `install` and `start` can work."""

    def install(self, layout: Layout, progress: Progress) -> None:
        """Fetch what is not on the machine yet; nothing to do when it is.

        Raises:
            ServersError: It cannot be had; says how a person gets it.
        """

    def start(self, start: Start) -> None:
        """Start its processes and record each of them."""

    def unready(self, port: int) -> str | None:
        """Ask it for real work; None when it answers well, else the reason."""

    def confirm(self, start: Start) -> None:
        """Ask the server's own tools once more after a fresh start; nothing to do for most.

        Raises:
            ServersError: They do not agree that it is up.
        """

    def env(self, port: int) -> dict[str, str]:
        """Return the lines that it adds to the env file."""


def base_environment(home: Path) -> dict[str, str]:
    """Return the variables that every server gets."""
    kept = {name: value for name in KEPT_VARIABLES if (value := os.environ.get(name))}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **kept, "HOME": str(home)}

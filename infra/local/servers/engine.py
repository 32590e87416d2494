"""Who runs the servers: a container engine where one answers, else this machine itself."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from servers import state
from servers.compose import ENGINES, Compose
from servers.errors import CommandError, MissingError, UsageError
from servers.install.command import find, run
from servers.native import Native

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.layout import Layout
    from servers.progress import Progress
    from servers.services.service import Service
    from servers.status import ServiceStatus

CHOICE_VARIABLE = "EVENTSTORE_SERVERS_ENGINE"
NATIVE = "native"
ANSWER_TIMEOUT_SECONDS = 5.0


class Engine(Protocol):
    """What the command line needs from either kind."""

    def up(self, services: Sequence[Service], *, everything: bool) -> None:
        """Bring servers up and wait until they work; `everything` means that none were named."""

    def down(self, services: Sequence[Service], *, wipe: bool) -> None:
        """End servers; with `wipe` their data goes too."""

    def stop(self, services: Sequence[Service], *, kill: bool) -> None:
        """End servers but keep their addresses, as an outage does."""

    def status(self, services: Sequence[Service]) -> list[ServiceStatus]:
        """Look at servers without changing anything."""

    def env(self) -> dict[str, str]:
        """Return the lines of the env file."""

    def rabbitmqctl(self, arguments: Sequence[str]) -> str:
        """Run the broker's own tool and return what it printed."""


def choose(layout: Layout, progress: Progress) -> Engine:
    """Return what runs this clone's servers, or will run them.

    What has been brought up stays with the engine that did it. Otherwise `EVENTSTORE_SERVERS_ENGINE` decides, and
    without it the first engine that answers.

    Raises:
        UsageError: The variable names something unknown.
        MissingError: The variable names an engine that does not answer.
    """
    in_use = state.load(layout).engine
    wanted = in_use or os.environ.get(CHOICE_VARIABLE, "")
    if wanted == NATIVE:
        return Native(layout, progress)
    if wanted and wanted not in ENGINES:
        message = f"{CHOICE_VARIABLE}={wanted}: there are {NATIVE}, {', '.join(ENGINES)}"
        raise UsageError(message)
    if in_use:
        return Compose(layout, progress, in_use)
    answering = first_answering([wanted] if wanted else ENGINES)
    if answering is not None:
        return Compose(layout, progress, answering)
    if wanted:
        raise MissingError(
            f"{wanted} with its compose command, running", get=f"start {wanted}, or unset {CHOICE_VARIABLE}"
        )
    return Native(layout, progress)


def first_answering(engines: Sequence[str]) -> str | None:
    """Return the first engine whose service answers in time and that has its compose command."""
    for engine in engines:
        if find(engine) is None:
            continue
        with suppress(CommandError):
            run([engine, "info"], timeout_seconds=ANSWER_TIMEOUT_SECONDS)
            run([engine, "compose", "version"], timeout_seconds=ANSWER_TIMEOUT_SECONDS)
            return engine
    return None

"""The servers as containers: the same verbs, carried out by `docker compose`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from servers import envfile, ports, state
from servers.install.command import run
from servers.layout import CLONE
from servers.services.catalogue import SERVICES
from servers.status import ServiceStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from servers.layout import Layout
    from servers.progress import Progress
    from servers.services.service import Service

ENGINES = ("docker", "podman")
FILE = CLONE / "docker-compose.yml"
WAIT_SECONDS = 300
# Images are pulled and built within it, over a line that may be slow.
UP_TIMEOUT_SECONDS = 1800.0
END_TIMEOUT_SECONDS = 120.0


@dataclass
class Compose:
    """The servers of one clone in one compose project.

    Callers hold the clone's lock while they change anything.
    """

    layout: Layout
    progress: Progress
    engine: str

    def __post_init__(self) -> None:
        """Read what an earlier command left."""
        self._state = state.load(self.layout)

    def up(self, services: Sequence[Service], *, everything: bool) -> None:
        """Start containers and wait until they are healthy; for all servers the tables are created too.

        Raises:
            CommandError: The engine refused, or something did not become healthy in time.
        """
        if not self._state.engine:
            names = [service.port_names[0] for service in SERVICES]
            self._state.ports |= ports.assign(names, self._state.ports)
            self._state.engine = self.engine
            state.save(self.layout, self._state)
        self.progress.say(self.engine, "pulling, building and starting; the first time takes minutes")
        began = self.progress.clock()
        self._run(up_arguments([] if everything else [service.name for service in services]), UP_TIMEOUT_SECONDS)
        envfile.write(self.layout.env_file, self.env())
        self.progress.say(self.engine, f"healthy after {self.progress.clock() - began:.1f} s")

    def down(self, services: Sequence[Service], *, wipe: bool) -> None:
        """Remove the named containers, or all of them with their network."""
        if len(services) < len(SERVICES):
            names = [service.name for service in services]
            self._run(["rm", "--stop", "--force", *(["--volumes"] if wipe else []), *names], END_TIMEOUT_SECONDS)
            return
        self._run(["--profile", "relay", "down", *(["--volumes"] if wipe else [])], END_TIMEOUT_SECONDS)
        self._state.engine = ""
        state.save(self.layout, self._state)
        self.layout.env_file.unlink(missing_ok=True)

    def stop(self, services: Sequence[Service], *, kill: bool) -> None:
        """Stop containers, or kill them as a crash does."""
        self._run(["kill" if kill else "stop", *(service.name for service in services)], END_TIMEOUT_SECONDS)

    def status(self, services: Sequence[Service]) -> list[ServiceStatus]:
        """Ask the servers themselves, through their published ports."""
        return [self._look(service) for service in services]

    def env(self) -> dict[str, str]:
        """Return the env file's lines."""
        lines: dict[str, str] = {}
        for service in SERVICES:
            lines |= service.env(self._state.ports[service.port_names[0]])
        return lines

    def rabbitmqctl(self, arguments: Sequence[str]) -> str:
        """Run the broker's own tool in its container."""
        return self._run(["exec", "-T", "rabbitmq", "rabbitmqctl", *arguments], END_TIMEOUT_SECONDS)

    def _look(self, service: Service) -> ServiceStatus:
        port = self._state.ports.get(service.port_names[0])
        if not self._state.engine or port is None:
            return ServiceStatus(service.name, service.version, up=False, reason="not started")
        unready = service.unready(port) or ""
        address = next(iter(service.env(port).values()))
        return ServiceStatus(service.name, service.version, up=not unready, reason=unready, address=address)

    def _run(self, arguments: Sequence[str], timeout_seconds: float) -> str:
        command = [*command_start(self.engine, self.layout.clone_id, FILE), *arguments]
        return run(command, timeout_seconds=timeout_seconds, env=port_variables(self._state.ports), cwd=CLONE)


def command_start(engine: str, clone_id: str, file: Path) -> list[str]:
    """Return the part that all compose commands of a clone share; each clone is a project of its own."""
    return [engine, "compose", "--project-name", f"eventstore-{clone_id}", "--file", str(file)]


def up_arguments(names: Sequence[str]) -> list[str]:
    """Return the arguments of `up`; named servers come without those that they wait for."""
    arguments = ["up", "--detach", "--wait", "--wait-timeout", str(WAIT_SECONDS)]
    return [*arguments, "--no-deps", *names] if names else [*arguments, "--build"]


def port_variables(chosen: Mapping[str, int]) -> dict[str, str]:
    """Return the variables from which docker-compose.yml takes the published ports."""
    return {
        f"EVENTSTORE_{service.name.upper()}_PORT": str(chosen[service.port_names[0]])
        for service in SERVICES
        if service.port_names[0] in chosen
    }

"""The servers as ordinary processes of this machine: brought up, looked at, ended."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servers import envfile, ports, state
from servers.errors import MissingError, ServersError, StartError
from servers.install import debian
from servers.process import end, is_alive
from servers.ready import Waiting, wait_ready
from servers.services.catalogue import SERVICES
from servers.services.rabbitmq import RabbitMQ, control
from servers.services.service import Start
from servers.status import ServiceStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from servers.layout import Layout
    from servers.process import ProcessRecord
    from servers.progress import Progress
from servers.services.service import Service

SLOW_ANSWER_SECONDS = 20.0
LOG_LINES = 15
LOG_BYTES_MAX = 64 * 1024


@dataclass
class Native:
    """The servers of one clone, started by us.

    Callers hold the clone's lock while they change anything.
    """

    layout: Layout
    progress: Progress

    def __post_init__(self) -> None:
        """Read what an earlier command left."""
        self._state = state.load(self.layout)

    def up(self, services: Sequence[Service], *, everything: bool = True) -> None:
        """Bring servers up: those that work are left alone, the others are installed and started.

        A clone that was made again where another has been starts with empty servers.

        Raises:
            ServersError: One of them cannot be had or did not start; the others are left as they are.
        """
        if not sys.platform.startswith("linux"):
            what = f"a container engine: without one the servers run only on Linux, and this is {sys.platform}"
            raise MissingError(what, get="install Docker or Podman and start it, then `make up`")
        del everything
        if self.layout.state_copy.exists() and not self.layout.state_file.exists():
            self.progress.say("data", "left by an earlier clone at this place; ending its servers and starting afresh")
            self.down(SERVICES, wipe=True)
        down = [service for service in services if not self._settle(service)]
        self._install_packages(down)
        began: dict[str, float] = {}
        try:
            for service in down:
                service.install(self.layout, self.progress)
                began[service.name] = self.progress.clock()
                self._start(service)
            self._await(down, began)
        finally:
            self._write_env()

    def down(self, services: Sequence[Service], *, wipe: bool = False) -> None:
        """End servers; those that do not run are passed over. With `wipe` their data and logs go too."""
        for service in reversed(services):
            self._forget(service, kill=False)
            if wipe:
                shutil.rmtree(self.layout.service_dir(service.name), ignore_errors=True)
        if not self._state.processes:
            self._state.engine = ""
            state.save(self.layout, self._state)
            if wipe and len(services) == len(SERVICES):
                shutil.rmtree(self.layout.data_dir)
        self._write_env()

    def end_all(self, services: Sequence[Service]) -> None:
        """End servers and write nothing down: the folder that would remember it is gone."""
        for service in reversed(services):
            self._end_processes(service, kill=False)

    def stop(self, services: Sequence[Service], *, kill: bool = False) -> None:
        """End servers but leave their addresses in the env file, as an outage does."""
        for service in reversed(services):
            self._end(service, kill=kill)

    def status(self, services: Sequence[Service]) -> list[ServiceStatus]:
        """Look at servers without changing anything."""
        return [self._look(service) for service in services]

    def env(self) -> dict[str, str]:
        """Return the env file's lines: the servers that were brought up, those that are stopped at present included."""
        lines: dict[str, str] = {}
        for service in SERVICES:
            if service.name in self._state.processes:
                lines |= service.env(self._port(service))
        return lines

    def rabbitmqctl(self, arguments: Sequence[str]) -> str:
        """Run the broker's own tool against this clone's broker.

        Raises:
            StartError: The broker has never been started.
            CommandError: The tool failed.
        """
        if RabbitMQ.name not in self._state.processes:
            raise StartError(RabbitMQ.name, reason="it has not been brought up")
        return control(self.layout, self._state.ports, arguments)

    def start_of(self, service: Service) -> Start:
        """Return what a server is, or would be, started with."""
        chosen = {name: self._state.ports[name] for name in service.port_names}
        return Start(self.layout, chosen, self.progress, lambda record: self._record(service, record))

    def _settle(self, service: Service) -> bool:
        """Return whether a server works already; one that runs but does not answer in time is ended."""
        if not self._records(service):
            return False
        if self._all_alive(service):
            ((_, unready),) = wait_ready({service.name: self._waiting(service, SLOW_ANSWER_SECONDS)})
            if not unready:
                self.progress.say(service.name, f"already up on port {self._port(service)}")
                return True
            self.progress.say(service.name, f"runs but does not answer: {unready}")
        else:
            self.progress.say(service.name, "its process is gone; starting it again")
        self._end(service, kill=False)
        return False

    def _install_packages(self, services: Sequence[Service]) -> None:
        packages = list(
            dict.fromkeys(package for service in services for package in service.missing_packages(self.layout))
        )
        if packages:
            debian.install(packages, self.progress)

    def _start(self, service: Service) -> None:
        self._state.engine = "native"
        self._state.ports |= ports.assign(service.port_names, self._state.ports)
        log_file = self.layout.log_file(service.name)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_file.unlink(missing_ok=True)
        self.progress.say(service.name, f"starting {service.version} on port {self._port(service)}")
        try:
            service.start(self.start_of(service))
        except OSError as error:
            self._forget(service, kill=True)
            raise StartError(service.name, reason=str(error)) from error

    def _await(self, services: Sequence[Service], began: Mapping[str, float]) -> None:
        failure: ServersError | None = None
        by_name = {service.name: service for service in services}
        waiting = {name: self._waiting(service, service.ready_timeout_seconds) for name, service in by_name.items()}
        for name, unready in wait_ready(waiting):
            service = by_name[name]
            try:
                self._confirm(service, unready)
            except ServersError as error:
                self._forget(service, kill=True)
                # The others are waited for all the same: they may well come up, and the next `up` finds them.
                failure = failure or error
            else:
                self.progress.say(name, f"ready after {self.progress.clock() - began[name]:.1f} s")
        if failure is not None:
            raise failure

    def _confirm(self, service: Service, unready: str) -> None:
        if unready:
            log_file = self.layout.log_file(service.name)
            raise StartError(service.name, reason=unready, log_tail=tail(log_file), log_file=str(log_file))
        service.confirm(self.start_of(service))

    def _waiting(self, service: Service, timeout_seconds: float) -> Waiting:
        port = self._port(service)
        return Waiting(lambda: service.unready(port), lambda: self._all_alive(service), timeout_seconds)

    def _end(self, service: Service, *, kill: bool) -> None:
        if self._end_processes(service, kill=kill):
            self._state.processes[service.name] = []
            state.save(self.layout, self._state)

    def _end_processes(self, service: Service, *, kill: bool) -> bool:
        records = self._records(service)
        began = self.progress.clock()
        # The last one started goes first: a server before the helper that it needs.
        endings = [end(record, grace_seconds=service.grace_seconds, kill=kill) for record in reversed(records)]
        if any(ending != "gone" for ending in endings):
            how = "killed" if "killed" in endings else "ended"
            self.progress.say(service.name, f"{how} after {self.progress.clock() - began:.1f} s")
        return bool(records)

    def _forget(self, service: Service, *, kill: bool) -> None:
        self._end(service, kill=kill)
        if self._state.processes.pop(service.name, None) is not None:
            state.save(self.layout, self._state)

    def _look(self, service: Service) -> ServiceStatus:
        port = self._state.ports.get(service.port_names[0])
        records = self._records(service)
        pids = [record.pid for record in records if is_alive(record)]
        unready = (
            "its process is gone" if records else "stopped" if service.name in self._state.processes else "not started"
        )
        if port is not None and records and len(pids) == len(records):
            unready = service.unready(port) or ""
        address = next(iter(service.env(port).values())) if port is not None else ""
        log_file = str(self.layout.log_file(service.name)) if records else ""
        return ServiceStatus(service.name, service.version, not unready, unready, address, pids, log_file)

    def _record(self, service: Service, record: ProcessRecord) -> None:
        self._state.processes.setdefault(service.name, []).append(record)
        state.save(self.layout, self._state)

    def _records(self, service: Service) -> list[ProcessRecord]:
        return self._state.processes.get(service.name, [])

    def _all_alive(self, service: Service) -> bool:
        records = self._records(service)
        return bool(records) and all(is_alive(record) for record in records)

    def _port(self, service: Service) -> int:
        return self._state.ports[service.port_names[0]]

    def _write_env(self) -> None:
        if lines := self.env():
            envfile.write(self.layout.env_file, lines)
        else:
            self.layout.env_file.unlink(missing_ok=True)


def tail(log_file: Path) -> str:
    """Return the last lines of a log, the empty string when there is none."""
    try:
        with log_file.open("rb") as stream:
            stream.seek(max(0, log_file.stat().st_size - LOG_BYTES_MAX))
            text = stream.read(LOG_BYTES_MAX).decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-LOG_LINES:])

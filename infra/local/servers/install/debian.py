"""Debian packages: what is missing, and its installation in one go when we are root."""

from __future__ import annotations

import os
import shlex
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from servers.errors import CommandError, MissingError
from servers.install.command import find, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from servers.progress import Progress

INSTALL_TIMEOUT_SECONDS = 900.0
UPDATE_TIMEOUT_SECONDS = 180.0
QUERY_TIMEOUT_SECONDS = 20.0
LOCK_TIMEOUT_SECONDS = 300
UNIT_LINKS = Path("/etc/systemd/system")
UNITS_KEPT_OFF = frozenset({"rabbitmq-server.service", "epmd.service", "epmd.socket"})
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# Made by infra/local for one installation: no service starts by being installed.\nexit 101\n"


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, None when it is not installed or this is no Debian."""
    try:
        answer = run(
            ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package],
            timeout_seconds=QUERY_TIMEOUT_SECONDS,
        )
    except CommandError:
        return None
    status, _, version = answer.strip().partition(" ")
    return version if status == "installed" else None


def command_to_get(packages: Sequence[str]) -> str:
    """Return what a person types to install packages."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install --no-install-recommends {shlex.join(packages)}"


def install(packages: Sequence[str], progress: Progress) -> None:
    """Install packages with apt, without starting or enabling any service they bring.

    Raises:
        MissingError: We are not root, or this is no Debian; names the command that gets them.
        CommandError: apt failed.
    """
    if os.geteuid() != 0 or find("apt-get") is None:
        raise MissingError(
            f"not installed, and only root on Debian can have it installed from here: {' '.join(packages)}",
            get=f"{command_to_get(packages)}   # or start Docker or Podman, and everything runs in containers",
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    options = ["-q", "-y", "-o", f"DPkg::Lock::Timeout={LOCK_TIMEOUT_SECONDS}", "-o", "Acquire::Retries=3"]
    progress.say("apt", f"installing {' '.join(packages)}")
    began = progress.clock()
    run(["apt-get", *options, "update"], timeout_seconds=UPDATE_TIMEOUT_SECONDS, env=quiet)
    with no_service_starts(), units_kept_off():
        command = ["apt-get", *options, "install", "--no-install-recommends", *packages]
        run(command, timeout_seconds=INSTALL_TIMEOUT_SECONDS, env=quiet)
    progress.say("apt", f"installed after {progress.clock() - began:.1f} s")


@contextmanager
def no_service_starts(policy: Path = POLICY) -> Iterator[None]:
    """Tell the package system to start no service meanwhile; a policy that is already there stays in force."""
    try:
        with policy.open("x", encoding="ascii") as file:
            file.write(POLICY_TEXT)
    except FileExistsError:
        yield
        return
    policy.chmod(0o755)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            if policy.read_text(encoding="ascii") == POLICY_TEXT:
                policy.unlink()


@contextmanager
def units_kept_off(folder: Path = UNIT_LINKS) -> Iterator[None]:
    """Undo it when a service of the broker's packages is set to start with the machine; ours is a process of its own.

    What was enabled before is somebody's wish, and stays.
    """
    before = _enabled(folder)
    try:
        yield
    finally:
        for link in _enabled(folder) - before:
            if link.name in UNITS_KEPT_OFF:
                link.unlink(missing_ok=True)


def _enabled(folder: Path) -> set[Path]:
    return set(folder.glob("*.wants/*"))

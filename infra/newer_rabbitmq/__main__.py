"""Runs a command on a newer RabbitMQ: `python3 infra/newer_rabbitmq COMMAND …`, as root on Debian.

The broker of a later Debian release is unpacked into a folder of its own, with the libraries it needs, and started
there by chroot on free loopback ports; nothing of this system is changed. `RELAY_RABBITMQ_URL` tells the command where
it is. The exit code is the command's; 2 says that the broker cannot be had here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RELEASE = "trixie"
PACKAGES = ("rabbitmq-server", "bash", "coreutils", "dash", "sed", "grep", "gawk")
FOLDER = Path(__file__).parents[2] / ".local" / "newer-rabbitmq"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LOOPBACK = "127.0.0.1"
INSTALL_SECONDS, READY_SECONDS, STOP_SECONDS = 600, 120, 30
DEVICES = {"null": (1, 3), "random": (1, 8), "urandom": (1, 9)}


class UnavailableError(Exception):
    """The broker cannot be had here; the message says why."""


def main(command: Sequence[str]) -> int:
    """Run a command beside the broker; return its exit code."""
    if not command:
        raise UnavailableError("name a command to run")
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise UnavailableError("it needs root on a Debian system; or name any broker yourself in RELAY_RABBITMQ_URL")
    root = FOLDER / "root"
    if not (FOLDER / "complete").exists():
        unpack(root)
        (FOLDER / "complete").touch()
    with broker(root) as url:
        return subprocess.run(command, env={**os.environ, "RELAY_RABBITMQ_URL": url}, check=False).returncode


def unpack(root: Path) -> None:
    """Download the packages with all that they depend on, and unpack them."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial", "root"):
        (FOLDER / name).mkdir(parents=True)
    (FOLDER / "status").touch()
    (FOLDER / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {RELEASE} main\n")
    options = {
        "Dir::Etc::sourcelist": FOLDER / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": FOLDER / "lists",
        "Dir::State::status": FOLDER / "status",
        "Dir::Cache": FOLDER / "cache",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    run([*apt, "update"])
    run([*apt, "install", "--download-only", "--yes", "--no-install-recommends", *PACKAGES])
    for package in sorted((FOLDER / "cache/archives").glob("*.deb")):
        run(["dpkg", "--extract", str(package), str(root)])
    shutil.rmtree(FOLDER / "cache")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/hosts").write_text(f"{LOOPBACK} localhost\n")
    for name, (major, minor) in DEVICES.items():
        os.mknod(root / "dev" / name, 0o666 | 0o020000, os.makedev(major, minor))
        (root / "dev" / name).chmod(0o666)
    for link, target in (("sh", "dash"), ("awk", "gawk")):
        if not (root / "usr/bin" / link).is_symlink():
            (root / "usr/bin" / link).symlink_to(target)


def mirror() -> str:
    """Return where this system gets its packages from."""
    found = run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]).split()
    sites = [site for site in dict.fromkeys(found) if not site.endswith("-security")]
    if not sites:
        raise UnavailableError("this system names no place to get packages from: run `apt-get update`")
    return sites[0]


@contextlib.contextmanager
def broker(root: Path) -> Iterator[str]:
    """Give the address of a broker that runs meanwhile, with nothing from a former run."""
    port, distribution, epmd = free_ports(3)
    home = root / "srv/broker"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / "rabbitmq.conf").write_text(
        f"listeners.tcp.local = {LOOPBACK}:{port}\nloopback_users.guest = true\n"
        "vm_memory_high_watermark.absolute = 1GiB\nlog.console = false\n"
    )
    (home / "enabled_plugins").write_text("[].\n")
    (home / "env.conf").touch()
    environment = settings(distribution, epmd)
    log = (FOLDER / "log").open("w")
    mapper = spawn(root, ["/usr/bin/epmd", "-address", LOOPBACK], environment, log)
    server = spawn(root, ["/usr/lib/rabbitmq/bin/rabbitmq-server"], environment, log)
    try:
        await_port(server, port)
        yield f"amqp://guest:guest@{LOOPBACK}:{port}//"
    finally:
        for process in (server, mapper):
            end(process)
        log.close()


def settings(distribution: int, epmd: int) -> dict[str, str]:
    """Return the variables that keep the broker within its folder and its ports."""
    at = "/srv/broker"
    loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
    return {
        "PATH": "/usr/bin:/usr/sbin",
        "HOME": at,
        "LANG": "C.UTF-8",
        "RABBITMQ_NODENAME": f"newer-{epmd}@localhost",
        "RABBITMQ_CONF_ENV_FILE": f"{at}/env.conf",
        "RABBITMQ_CONFIG_FILE": f"{at}/rabbitmq.conf",
        "RABBITMQ_ADVANCED_CONFIG_FILE": f"{at}/advanced.config",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{at}/enabled_plugins",
        "RABBITMQ_MNESIA_BASE": f"{at}/data",
        "RABBITMQ_LOG_BASE": f"{at}/logs",
        "RABBITMQ_PID_FILE": f"{at}/pid",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "RUNNING_UNDER_SYSTEMD": "true",  # one process, one pid
    }


def spawn(root: Path, command: Sequence[str], environment: dict[str, str], log: object) -> subprocess.Popen[bytes]:
    """Start a program of the broker's own system, in a group of its own."""
    arguments = ["chroot", str(root), *command]
    return subprocess.Popen(arguments, env=environment, stdout=log, stderr=log, start_new_session=True)  # type: ignore[call-overload,no-any-return]


def await_port(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the broker takes connections."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
            return
        time.sleep(0.2)
    raise UnavailableError(f"the broker did not start; see {FOLDER / 'log'}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End what was started, and everything that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def run(command: Sequence[str]) -> str:
    """Run a tool to its end and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UnavailableError as error:
        sys.stderr.write(f"no newer RabbitMQ: {error}\n")
        sys.exit(2)

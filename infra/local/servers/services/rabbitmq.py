"""RabbitMQ: a broker of our own beside the one that the Debian package would run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from servers.account import account, own
from servers.amqp import rabbitmq_unready
from servers.errors import MissingError
from servers.install.command import run
from servers.install.debian import command_to_get, installed_version
from servers.ports import LOOPBACK
from servers.process import spawn
from servers.services.service import Start, base_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from servers.layout import Layout
    from servers.progress import Progress

VERSION = "3.10.8"
PACKAGE = "rabbitmq-server"
USER = "rabbitmq"
# Not the wrappers of /usr/sbin: they insist on root or rabbitmq, and on the folders of the system's own broker.
PROGRAMS = Path("/usr/lib/rabbitmq/bin")
EPMD = Path("/usr/bin/epmd")
# In Erlang's notation, as every address below must be.
ERLANG_LOOPBACK = "{127,0,0,1}"
MEMORY_LIMIT = "1GiB"
AWAIT_TIMEOUT_SECONDS = 60.0


class RabbitMQ:
    """RabbitMQ from Debian's package, with node name, ports and folders of its own."""

    name = "rabbitmq"
    version = VERSION
    port_names = ("rabbitmq", "rabbitmq_epmd", "rabbitmq_distribution")
    ready_timeout_seconds = 90.0
    grace_seconds = 30.0

    def missing_packages(self, layout: Layout) -> list[str]:
        """Return the broker, pinned, unless some version of it is installed."""
        del layout
        return [] if installed_version(PACKAGE) else [f"{PACKAGE}={VERSION}*"]

    def install(self, layout: Layout, progress: Progress) -> None:
        """Check the version of what is installed."""
        del layout, progress
        version = installed_version(PACKAGE)
        if version is None or not version.startswith(f"{VERSION}-"):
            what = f"{PACKAGE} {VERSION} (installed: {version or 'none'})"
            raise MissingError(what, get=command_to_get([f"{PACKAGE}={VERSION}*"]))

    def start(self, start: Start) -> None:
        """Start Erlang's port mapper in the foreground, so that it is ours to end, then the broker."""
        who = account(USER)
        home = start.layout.service_dir(self.name)
        for name in ("home", "mnesia", "logs"):
            own(home / name, who)
        (home / "rabbitmq.conf").write_text(settings(start.ports), encoding="utf-8")
        (home / "enabled_plugins").write_text("[].\n", encoding="utf-8")
        (home / "rabbitmq-env.conf").write_text("# Nothing from /etc/rabbitmq.\n", encoding="utf-8")
        env = environment(home, start.ports, start.layout.clone_id)
        log_file = start.layout.log_file(self.name)
        for command in ([str(EPMD), "-address", LOOPBACK], [str(PROGRAMS / "rabbitmq-server")]):
            start.record(spawn(command, env=env, cwd=home, log_file=log_file, account=who))

    def unready(self, port: int) -> str | None:
        """Log in as guest."""
        return rabbitmq_unready(port)

    def confirm(self, start: Start) -> None:
        """Let the broker's own tool say that every part of it has started."""
        control(start.layout, start.ports, ["await_startup"])

    def env(self, port: int) -> dict[str, str]:
        """Return the address, with the guest account and the default virtual host."""
        return {"RELAY_RABBITMQ_URL": f"amqp://guest:guest@{LOOPBACK}:{port}//"}


def control(layout: Layout, ports: Mapping[str, int], arguments: Sequence[str]) -> str:
    """Run `rabbitmqctl` against our node and return what it printed.

    Raises:
        CommandError: It failed or took too long.
    """
    who = account(USER)
    home = layout.service_dir(RabbitMQ.name)
    env = environment(home, ports, layout.clone_id)
    command = [str(PROGRAMS / "rabbitmqctl"), *arguments]
    return run(command, timeout_seconds=AWAIT_TIMEOUT_SECONDS, env=env, cwd=home, user=who)


def node_name(clone_id: str) -> str:
    """Return a name that no other clone's broker has, on a host name that resolves everywhere."""
    return f"eventstore-{clone_id}@localhost"


def settings(ports: Mapping[str, int]) -> str:
    """Return `rabbitmq.conf`."""
    return f"""\
listeners.tcp.local = {LOOPBACK}:{ports["rabbitmq"]}
loopback_users.guest = true
vm_memory_high_watermark.absolute = {MEMORY_LIMIT}
log.console = false
log.file.level = info
"""


def environment(home: Path, ports: Mapping[str, int], clone_id: str) -> dict[str, str]:
    """Return the variables that keep our broker apart from the system's and from other clones'."""
    loopback = f"-kernel inet_dist_use_interface {ERLANG_LOOPBACK}"
    return base_environment(home / "home") | {
        "RABBITMQ_NODENAME": node_name(clone_id),
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "logs"),
        "RABBITMQ_PID_FILE": str(home / "home/pid"),
        "RABBITMQ_DIST_PORT": str(ports["rabbitmq_distribution"]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
        "RABBITMQ_CTL_ERL_ARGS": loopback,
        "ERL_EPMD_PORT": str(ports["rabbitmq_epmd"]),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        # Makes the start script become the broker instead of watching over it: one process, one pid.
        "RUNNING_UNDER_SYSTEMD": "true",
    }

"""Where everything lies: the clone's own `.local`, the servers' data, and the downloads.

`.local` belongs to the clone and may lie where only root can enter. Data and logs must be reachable by the
servers' users, and downloads must survive the clone, so both lie elsewhere: machine-wide for root, below the
home folder for everybody else, below `/var/tmp` for somebody whose home cannot be written.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from servers.errors import MissingError

NAME = "eventstore-servers"
COPY_NAME = "servers.json"
CLONE = Path(__file__).resolve().parents[3]
PRIVATE_MODE = 0o700


@dataclass(frozen=True)
class Layout:
    """The folders of one clone's servers.

    Attributes:
        state_dir: `.local` of the clone: env file, record of processes, lock.
        data_dir: Data, logs and settings of this clone's servers; one folder per server below it.
        cache_dir: Unpacked downloads, shared by all clones.
        clone_id: Short name that differs between two clones on one machine.
    """

    state_dir: Path
    data_dir: Path
    cache_dir: Path
    clone_id: str

    @property
    def env_file(self) -> Path:
        """What command lines and tests read."""
        return self.state_dir / "env"

    @property
    def state_file(self) -> Path:
        """Ports and processes of this clone."""
        return self.state_dir / "servers.json"

    @property
    def state_copy(self) -> Path:
        """The same beside the data, for a clone that was deleted and made again at the same place."""
        return self.data_dir / COPY_NAME

    @property
    def lock_file(self) -> Path:
        """Held while a command changes something."""
        return self.state_dir / "lock"

    def service_dir(self, service: str) -> Path:
        """Return the data folder of one server."""
        return self.data_dir / service

    def log_file(self, service: str) -> Path:
        """Return where a server's standard output and error go."""
        return self.service_dir(service) / "console.log"


def clone_id_for(state_dir: Path) -> str:
    """Return a name that is readable and differs between two state folders on one machine."""
    real = state_dir.resolve()
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:10]
    readable = re.sub(r"[^a-z0-9]+", "-", real.parent.name.lower()).strip("-")[:20]
    return f"{readable}-{digest}" if readable else digest


def layout_for(state_dir: Path | None = None) -> Layout:
    """Find the folders for a clone.

    Args:
        state_dir: Instead of the clone's `.local`; another folder is another, independent set of servers.
    """
    state = (state_dir or CLONE / ".local").resolve()
    clone_id = clone_id_for(state)
    data_root = _root("EVENTSTORE_SERVERS_DATA", Path("/var/lib"), "XDG_STATE_HOME", ".local/state")
    cache_root = _root("EVENTSTORE_SERVERS_CACHE", Path("/var/cache"), "XDG_CACHE_HOME", ".cache")
    return Layout(state_dir=state, data_dir=data_root / clone_id, cache_dir=cache_root, clone_id=clone_id)


def _root(override: str, machine_wide: Path, xdg: str, below_home: str) -> Path:
    if named := os.environ.get(override):
        return Path(named).resolve()
    if os.geteuid() == 0:
        return machine_wide / NAME
    if named := os.environ.get(xdg):
        return Path(named) / NAME
    home = Path(os.environ.get("HOME", "/nonexistent"))
    if os.access(home, os.W_OK | os.X_OK):
        return home / below_home / NAME
    return _private(Path("/var/tmp") / f"{NAME}-{os.geteuid()}") / below_home.lstrip(".")  # noqa: S108 - made private below


def _private(folder: Path) -> Path:
    """Make a folder in a place that all users share, and refuse one that somebody else made."""
    folder.mkdir(mode=PRIVATE_MODE, exist_ok=True)
    facts = folder.lstat()
    if facts.st_uid != os.geteuid() or folder.is_symlink():
        raise MissingError(
            f"a folder of your own: {folder} belongs to somebody else", get="export HOME=… (a folder you can write)"
        )
    return folder

"""System users: root starts no server as root."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from servers.install.command import run

SERVERS_USER = "eventstore-servers"
USERADD_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Account:
    """A system user that a server runs as."""

    name: str
    uid: int
    gid: int


def account(name: str) -> Account | None:
    """Return the user, made if absent; None when we are not root and servers run as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        add = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        run([*add, "--shell", "/usr/sbin/nologin", name], timeout_seconds=USERADD_TIMEOUT_SECONDS)
        entry = pwd.getpwnam(name)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def fresh(folder: Path) -> Path:
    """Empty a folder that a server fills again at each start, so that what a crash left does not pile up."""
    if folder.is_dir():
        shutil.rmtree(folder)
    return folder


def own(folder: Path, who: Account | None) -> Path:
    """Make a folder, its parents open to all, itself owned by the server's user."""
    folder.mkdir(parents=True, exist_ok=True)
    if who is not None:
        os.chown(folder, who.uid, who.gid)
    return folder

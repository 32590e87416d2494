"""Processes: start one that outlives us, recognise it later, end it and nothing else.

A pid alone proves nothing, since the kernel uses pids again. A process is ours if pid, start time and boot are the
recorded ones; what it started is ours if it inherited our token in its environment, wherever it has moved since
(Erlang's helpers, for one, leave the session of the broker).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from servers.account import Account

TOKEN_VARIABLE = "EVENTSTORE_SERVERS_TOKEN"  # noqa: S105 - marks our processes, opens nothing
KILL_WAIT_SECONDS = 10.0
POLL_SECONDS = 0.05
PROC = Path("/proc")

Ending = Literal["gone", "ended", "killed"]

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """What must be known to recognise a process later.

    Attributes:
        pid: Its id, which another process may have by now.
        started_ticks: Start, in clock ticks since boot.
        boot_id: Which boot these ticks count from.
        token: Value of `TOKEN_VARIABLE` in its environment and in that of its children.
        command: For people only.
    """

    pid: int
    started_ticks: int
    boot_id: str
    token: str
    command: str


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of `/proc/PID/stat` that matter here."""

    state: str
    started_ticks: int


def parse_stat(text: str) -> Stat:
    """Read one `/proc/PID/stat` line; the name in its parentheses may itself hold spaces and parentheses."""
    fields = text[text.rindex(")") + 1 :].split()
    return Stat(state=fields[0], started_ticks=int(fields[19]))


def read_stat(pid: int) -> Stat | None:
    """Return a process's facts, None when there is no such process."""
    try:
        return parse_stat((PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def boot_id() -> str:
    """Return the identity of the running boot."""
    return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def spawn(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log_file: Path, account: Account | None
) -> ProcessRecord:
    """Start a process in a session of its own, which stays when this command ends.

    Args:
        command: Program and arguments; no shell.
        env: Its whole environment, token excepted.
        cwd: A folder that its user can enter.
        log_file: Gets standard output and error, appended.
        account: Whom it runs as; None for the user of this command.
    """
    token = uuid.uuid4().hex
    with log_file.open("ab") as log:
        child = subprocess.Popen(
            list(command),
            env={**env, TOKEN_VARIABLE: token},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[account.gid] if account else None,
        )
    _children[child.pid] = child
    stat = read_stat(child.pid)
    # Our own child keeps its entry, as a zombie at worst, until we ask how it ended.
    assert stat is not None, "a child vanished before it was waited for"  # noqa: S101
    return ProcessRecord(child.pid, stat.started_ticks, boot_id(), token, " ".join(command)[:200])


def is_alive(record: ProcessRecord) -> bool:
    """Say whether exactly this process still runs."""
    _reap(record.pid)
    stat = read_stat(record.pid)
    return (
        stat is not None
        and stat.state not in "ZX"
        and stat.started_ticks == record.started_ticks
        and boot_id() == record.boot_id
    )


def members(record: ProcessRecord) -> list[int]:
    """Return the pids of the process and of all that it started, as far as they still run."""
    if boot_id() != record.boot_id:
        return []
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and _is_member(int(entry.name), record)]


def end(record: ProcessRecord, *, grace_seconds: float, kill: bool = False) -> Ending:
    """End a process and what it started: politely, then after `grace_seconds` by force.

    Args:
        record: What to end; if it is no longer there, nothing is done.
        grace_seconds: How long SIGTERM may take.
        kill: Begin with SIGKILL, as a crash does.

    Returns:
        "gone" if nothing was left to end, "ended" or "killed".
    """
    if not members(record):
        _reap(record.pid)
        return "gone"
    if not kill:
        # The first process ends its own children; they are asked only when it is gone.
        _signal(record, signal.SIGTERM, only_leader=is_alive(record))
        if _wait_gone(record, grace_seconds):
            return "ended"
    _signal(record, signal.SIGKILL, only_leader=False)
    _wait_gone(record, KILL_WAIT_SECONDS)
    return "killed"


def _is_member(pid: int, record: ProcessRecord) -> bool:
    stat = read_stat(pid)
    if stat is None or stat.state in "ZX":
        return False
    if pid == record.pid and stat.started_ticks == record.started_ticks:
        return True
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return f"{TOKEN_VARIABLE}={record.token}".encode() in environment.split(b"\0")


def _signal(record: ProcessRecord, number: signal.Signals, *, only_leader: bool) -> None:
    for pid in [record.pid] if only_leader else members(record):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            # Asked again with the handle in hand: from here on the pid cannot come to mean another process.
            if _is_member(pid, record):
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            continue
        finally:
            os.close(handle)


def _wait_gone(record: ProcessRecord, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        is_gone = not members(record)
        _reap(record.pid)
        if is_gone:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]

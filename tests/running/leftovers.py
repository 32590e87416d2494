"""Finds processes that a test has started and not ended, wherever they have moved in the tree of processes.

On Linux this process becomes the parent of everything below it whose own parent ends, so nothing can slip away to the
machine's first process. Elsewhere nothing is found.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PR_SET_CHILD_SUBREAPER = 36
"""Source: prctl(2)."""

END_SECONDS = 5.0
"""A helper of a program that has ended may need a moment to notice."""

ROUNDS_MAX = 10
"""A process that is killed leaves its own children to us; so deep a tree is none that a test makes."""

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """A process that still runs.

    Attributes:
        pid: Its id.
        command: Its command line.
        test: The test that ran when it was started, as far as its environment says so.
    """

    pid: int
    command: str
    test: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.pid} {self.command[:200]}" + (f", started by {self.test}" if self.test else "")


def adopt_orphans() -> None:
    """Become the parent of all processes below this one whose own parent ends; on Linux alone.

    Raises:
        OSError: The kernel does not know how.
    """
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def end_leftovers() -> list[Process]:
    """Kill every process below this one that does not end by itself within a moment; return those."""
    pause, deadline = threading.Event(), time.monotonic() + END_SECONDS
    while (found := children()) and time.monotonic() < deadline:
        pause.wait(_LOOK_SECONDS)
    killed: list[Process] = []
    for _ in range(ROUNDS_MAX):
        if not found:
            break
        for each in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(each.pid, 0)
        killed += found
        found = children()
    return killed


def children() -> list[Process]:
    """Return the children of this process that run; a zombie does not."""
    if not PROC.is_dir():
        return []
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return [found for pid in pids if (found := _child(pid)) is not None]


def _child(pid: int) -> Process | None:
    folder = PROC / str(pid)
    try:
        stat = (folder / "stat").read_text(errors="replace")
        state, parent = stat[stat.rindex(")") + 1 :].split()[:2]
        if int(parent) != os.getpid() or state in "ZX":
            return None
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        variables = (folder / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended meanwhile
        return None
    named = [each for each in variables if each.startswith(b"PYTEST_CURRENT_TEST=")]
    return Process(pid, command, named[0].decode(errors="replace").partition("=")[2] if named else "")

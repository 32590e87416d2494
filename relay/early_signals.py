"""Signals that come while a command is still loading; a process that is PID 1 would not notice them.

The kernel gives PID 1, as a command in a container is, no default action: a signal that nobody handles is gone, and the
container is killed after its grace period. Loading takes a second, so this module is imported before all that takes
long, and knows the standard library alone.
"""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)  # there is no SIGHUP on Windows
"""Signals that tell a command to stop. SIGHUP comes when a terminal is closed, and from supervisors."""


def is_program(path: str) -> bool:
    """Tell whether a process runs this program, and does not just import it, by how it was started."""
    folder, name = os.path.split(path)
    return name in {"relay", "relay.exe"} or (name == "__main__.py" and os.path.split(folder)[1] == "relay")


def catch(words: Sequence[str]) -> None:
    """Let signals end the command that the words name, in its own way, from now on.

    `relay run` has begun nothing yet, so it ends at once with 0. Others end as at Ctrl-C; they are left alone where the
    kernel ends them anyway, which is everywhere but as PID 1.
    """
    if list(words[:1]) == ["run"]:
        for number in wanted():
            signal.signal(number, _end)
    elif os.getpid() == 1:
        for number in wanted():
            signal.signal(number, signal.default_int_handler)


def wanted() -> list[signal.Signals]:
    """Return the signals to handle: not SIGHUP when it is ignored, as under `nohup`."""
    return [
        number
        for number in ENDING
        if number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) is not signal.SIG_IGN
    ]


def _end(number: int, _frame: FrameType | None) -> None:
    for each in wanted():  # whoever is impatient gets the same end, not a traceback of it
        signal.signal(each, signal.SIG_IGN)
    sys.stderr.write(f"stopped by {signal.Signals(number).name} before anything was begun\n")
    sys.exit(0)

"""Signals that end a command, as flags for those who work."""

import signal
from types import FrameType

from eventstore.ports import Flag
from relay import early_signals


def stop_on_signals(stop: Flag, hasten: Flag | None = None) -> None:
    """Raise a flag at SIGTERM, Ctrl-C and SIGHUP; at a second one let the work end sooner.

    Args:
        stop: Raised at the first signal.
        hasten: Raised at the second; without it the command is interrupted then.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
        elif hasten is None:
            raise KeyboardInterrupt
        else:
            hasten.set()

    for number in early_signals.wanted():
        signal.signal(number, handle)

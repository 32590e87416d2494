"""Signals that end a command, as a flag for those who work."""

import signal
from types import FrameType

from eventstore.ports import Flag


def stop_on_signals(stop: Flag) -> None:
    """Raise a flag at SIGTERM and at Ctrl-C."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)

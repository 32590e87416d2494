"""Waiting for something to become true, with a deadline and without fixed sleeps."""

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], bool], what: str, *, timeout_seconds: float = 30.0) -> None:
    """Return when the condition holds; fail with a sentence when it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_seconds:.0f} s: {what}"
        pause.wait(0.02)

"""Waiting for something to become true, with a deadline and without fixed sleeps."""

import threading
import time
from collections.abc import Callable

PAUSE_SHARE = 0.1
"""The next look is after this share of what was waited already, so that looking costs little beside other tests."""

PAUSE_MIN_SECONDS, PAUSE_MAX_SECONDS = 0.01, 0.2


def until(condition: Callable[[], bool], what: str, *, timeout_seconds: float = 30.0) -> None:
    """Return when the condition holds; fail with a sentence when it does not in time."""
    began = time.monotonic()
    pause = threading.Event()
    while not condition():
        waited = time.monotonic() - began
        assert waited < timeout_seconds, f"not within {timeout_seconds:.0f} s: {what}"
        pause.wait(min(max(PAUSE_MIN_SECONDS, PAUSE_SHARE * waited), PAUSE_MAX_SECONDS))

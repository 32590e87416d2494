"""`relay run` as a process of its own, with its log at hand."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.waiting import until

START_SECONDS = STOP_SECONDS = 120.0
"""Far above what either takes: a machine may be busy, and a time-out must mean that it hangs."""


class RelayProcess:
    """Starts, kills and stops `relay run`; the logs of all its lives go to one file each.

    Attributes:
        name: Tells it from others, in file names and messages.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, *, name: str = "relay", **settings: str) -> None:
        """Settings are named as in the environment, without the prefix `RELAY_`, in lower case."""
        self.name = name
        named = {f"RELAY_{name.upper()}": value for name, value in settings.items()}
        self._environment = {
            **os.environ,
            **environment,
            "RELAY_LOG_FORMAT": "json",
            "RELAY_LOG_LEVEL": "debug",
            **named,
        }
        self._folder = folder
        self._lives = 0
        self._read_bytes = 0
        self._found: list[dict[str, Any]] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, until_logged: str = "shard.opened") -> None:
        """Start it, and wait until it reads the feed, or has logged another event."""
        self.begin()
        self.await_logged(until_logged)

    def await_logged(self, event: str) -> None:
        """Wait until it has logged an event; fail when it ends before."""
        until(
            lambda: event in self.events() or not self.is_running(),
            f"{self.name} has logged {event}",
            timeout_seconds=START_SECONDS,
        )
        assert self.is_running(), self.log_text()

    def begin(self) -> None:
        """Start it."""
        self._lives += 1
        self._read_bytes, self._found = 0, []
        with self._log().open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "relay", "run"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """The process id of its present life."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Tell whether it lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> list[str]:
        """Kill it as the kernel would, and return the names of what it had logged."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(STOP_SECONDS)
        return self.events()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout_seconds: float = STOP_SECONDS) -> int:
        """Wait for its end, and return its exit code."""
        assert self._process is not None
        return self._process.wait(timeout_seconds)

    def close(self) -> None:
        """Kill it if it still lives, frozen or not."""
        if self.is_running():
            self.kill()

    def records(self) -> list[dict[str, Any]]:
        """Return what its present life has logged; a line that was cut off by a kill is left out."""
        with self._log().open("rb") as log:
            log.seek(self._read_bytes)
            whole, _, _ = log.read().rpartition(b"\n")
        if whole:
            self._read_bytes += len(whole) + 1
        for line in whole.splitlines():
            try:
                self._found.append(json.loads(line))
            except ValueError:
                continue
        return self._found

    def events(self) -> list[str]:
        """Return the names of what its present life has logged."""
        return [str(record.get("event")) for record in self.records()]

    def named(self, event: str) -> list[dict[str, Any]]:
        """Return the records of one event."""
        return [record for record in self.records() if record.get("event") == event]

    def log_text(self) -> str:
        """Return all that its present life has logged."""
        return self._log().read_text(errors="replace")

    def _log(self) -> Path:
        return self._folder / f"{self.name}-{self._lives}.log"

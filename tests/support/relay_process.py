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

START_SECONDS = 60.0
STOP_SECONDS = 60.0


class RelayProcess:
    """Starts, kills and stops `relay run`; the logs of all its lives go to one file each."""

    def __init__(self, environment: Mapping[str, str], folder: Path, **settings: str) -> None:
        """Settings are named as in the environment, without the prefix `RELAY_`, in lower case."""
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
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it reads the feed."""
        self._lives += 1
        with self._log().open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "relay", "run"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(
            lambda: "shard.opened" in self.events() or not self.is_running(),
            "a shard is open",
            timeout_seconds=START_SECONDS,
        )
        assert self.is_running(), self._log().read_text()

    def is_running(self) -> bool:
        """Tell whether it lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> list[str]:
        """Kill it as the kernel would, and return the names of what it had logged."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(STOP_SECONDS)
        return self.events()

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(STOP_SECONDS)

    def close(self) -> None:
        """Kill it if it still lives."""
        if self.is_running():
            self.kill()

    def records(self) -> list[dict[str, Any]]:
        """Return what its present life has logged; a line that was cut off by a kill is left out."""
        found = []
        for line in self._log().read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def events(self) -> list[str]:
        """Return the names of what its present life has logged."""
        return [str(record.get("event")) for record in self.records()]

    def _log(self) -> Path:
        return self._folder / f"relay-{self._lives}.log"

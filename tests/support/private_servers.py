"""Real servers of a test's own, apart from those of this clone, so that they can be stopped under its feet."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers import ROOT

CALL_SECONDS = 300.0
ADDRESSES = {"rabbitmq": "RELAY_RABBITMQ_URL", "elasticsearch": "RELAY_ELASTICSEARCH_URL"}


class PrivateServer:
    """One server under the supervisor of `make up`, with folders of its own.

    Args:
        name: `rabbitmq`, `elasticsearch` or `dynamodb`.
        folder: Where the supervisor remembers it.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._state = folder / ".local"

    def up(self) -> dict[str, str]:
        """Start it, and return its address under the name of its setting."""
        done = self._call("up", "--only", self._name)
        if done.returncode and not os.environ.get("CI"):
            pytest.skip(f"{self._name} cannot be started here: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def stop(self) -> None:
        """End it; its address stays its own."""
        self._checked("stop", self._name)

    def start(self) -> None:
        """Start it again at the same address, with the data it had, and wait until it works."""
        self._checked("start", self._name)

    def remove(self) -> None:
        """End it, with all it had."""
        self._checked("down", "--wipe")

    def _checked(self, *arguments: str) -> None:
        done = self._call(*arguments)
        assert done.returncode == 0, done.stderr

    def _call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, str(ROOT / "infra" / "local"), "--state-dir", str(self._state), *arguments],
            env={**os.environ, "EVENTSTORE_SERVERS_ENGINE": "native"},
            cwd=self._state.parent,
            capture_output=True,
            text=True,
            timeout=CALL_SECONDS,
            check=False,
        )


@contextmanager
def private_server(name: str, folder: Path) -> Iterator[tuple[PrivateServer, str]]:
    """Give a server of one's own and its address, and remove it in the end."""
    server = PrivateServer(name, folder)
    try:
        yield server, server.up()[ADDRESSES[name]]
    finally:
        server.remove()

"""Fixtures for the tests of the supervisor: its package on the path, and a set of servers of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUPERVISOR = ROOT / "infra" / "local"
sys.path.insert(0, str(SUPERVISOR))

Supervisor = Callable[..., subprocess.CompletedProcess[str]]
UP_TIMEOUT_SECONDS = 240.0


@pytest.fixture
def layout(tmp_path: Path) -> object:
    """Folders that nothing else uses."""
    from servers.layout import Layout  # noqa: PLC0415 - on the path only since this file was read

    return Layout(tmp_path / "clone/.local", tmp_path / "data", tmp_path / "cache", "test-0123456789")


@pytest.fixture
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Run the real command on servers apart from those of this clone; whatever it started is ended."""
    state_dir = tmp_path_factory.mktemp("clone") / ".local"

    def run(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SUPERVISOR), "--state-dir", str(state_dir), *arguments]
        return subprocess.run(
            command,
            env={**os.environ, "EVENTSTORE_SERVERS_ENGINE": "native", **(environment or {})},
            cwd=state_dir.parent,
            capture_output=True,
            text=True,
            timeout=UP_TIMEOUT_SECONDS,
            check=False,
        )

    yield run
    ended = run("down", "--wipe")
    assert ended.returncode == 0, ended.stderr

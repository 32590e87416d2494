"""Processes: recognised by more than a pid, ended with all that they started, and never mistaken."""

import dataclasses
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import process
from servers.process import ProcessRecord

Spawn = Callable[[str], ProcessRecord]

# Say that they are ready by creating a file; a test never guesses how long that takes.
OBEDIENT = "import pathlib, signal; pathlib.Path('ready').touch(); signal.pause()"
STUBBORN = "import pathlib, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + OBEDIENT
PARENT_OF_RUNAWAY = (
    "import pathlib, signal, subprocess, sys; "
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'], start_new_session=True); "
    "pathlib.Path('child').write_text(str(child.pid)); " + OBEDIENT
)
READY_TIMEOUT_SECONDS = 20.0


def wait_for(condition: Callable[[], bool]) -> None:
    """Poll until something is so, with a bound."""
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        pause.wait(0.01)


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start Python programs and end them after the test."""
    started: list[ProcessRecord] = []

    def start(program: str) -> ProcessRecord:
        command = [sys.executable, "-c", program]
        record = process.spawn(command, env=os.environ, cwd=tmp_path, log_file=tmp_path / "log", account=None)
        started.append(record)
        wait_for((tmp_path / "ready").exists)
        return record

    yield start
    for record in started:
        process.end(record, grace_seconds=0, kill=True)


def test_stat_line_is_read_behind_the_last_parenthesis() -> None:
    """A program may call itself anything, also something with spaces and parentheses."""
    line = "4711 (a (b) c) S 1 4711 4711 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 10"

    assert process.parse_stat(line) == process.Stat(state="S", started_ticks=987654)


def test_a_started_process_is_recognised(spawn: Spawn) -> None:
    """The record of a running process names exactly that process."""
    record = spawn(OBEDIENT)

    assert process.is_alive(record)
    assert process.members(record) == [record.pid]


@pytest.mark.parametrize("change", [{"started_ticks": 1}, {"boot_id": "another-boot"}])
def test_a_pid_that_means_another_process_is_left_alone(spawn: Spawn, change: dict[str, object]) -> None:
    """A process that has our pid, but another start or another boot, is neither counted nor ended."""
    record = spawn(OBEDIENT)
    other = dataclasses.replace(record, token="not-inherited", **change)  # type: ignore[arg-type]  # noqa: S106

    assert not process.is_alive(other)
    assert process.end(other, grace_seconds=5) == "gone"
    assert process.is_alive(record)


def test_an_obedient_process_ends_politely(spawn: Spawn) -> None:
    """SIGTERM is enough for a process that obeys it, and afterwards nothing is left."""
    record = spawn(OBEDIENT)

    assert process.end(record, grace_seconds=READY_TIMEOUT_SECONDS) == "ended"
    assert process.members(record) == []
    assert process.end(record, grace_seconds=0) == "gone"


def test_a_stubborn_process_is_killed_when_its_time_is_up(spawn: Spawn) -> None:
    """A process that ignores SIGTERM gets SIGKILL after the grace period."""
    record = spawn(STUBBORN)

    assert process.end(record, grace_seconds=0.2) == "killed"
    assert not process.is_alive(record)


def test_what_a_dead_process_left_behind_is_ended_too(spawn: Spawn, tmp_path: Path) -> None:
    """A child that outlives its killed parent, in a session of its own, is still ours to end."""
    record = spawn(PARENT_OF_RUNAWAY)
    child = int((tmp_path / "child").read_text(encoding="ascii"))
    os.kill(record.pid, signal.SIGKILL)
    wait_for(lambda: not process.is_alive(record))

    assert process.members(record) == [child]
    assert process.end(record, grace_seconds=READY_TIMEOUT_SECONDS) == "ended"
    assert process.members(record) == []

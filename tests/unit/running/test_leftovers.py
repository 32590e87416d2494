"""A run fails when it leaves a process, and says which; one that is about to end is none."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process can slip away unseen")

RUN = """
import os, subprocess, sys
from tests.running import leftovers

def test_that_starts_one():
    leftovers.END_SECONDS = {patience}
    inner = [sys.executable, "-c", {program!r}]
    outer = "from subprocess import *; import sys; "
    outer += "print(Popen(sys.argv[1:], stdout=DEVNULL, start_new_session=True).pid)"
    done = subprocess.run([sys.executable, "-c", outer, *inner], stdout=subprocess.PIPE, check=True, timeout=60)
    print("it is", done.stdout.decode())
"""


def run(folder: Path, program: str, patience: float) -> "subprocess.CompletedProcess[str]":
    """Run a test whose child starts a program, in a session of its own, and ends; with this project's end of a run."""
    (folder / "test_it.py").write_text(RUN.format(program=program, patience=patience))
    options = ("-q", "-s", "-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", str(folder))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_process_that_is_left_is_named_and_ended(tmp_path: Path) -> None:
    """
    Though its parent has ended and it is in a session of its own; the run fails, though its test has passed.
    """
    done = run(tmp_path, "import signal; signal.pause()", patience=0.0)

    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    _, _, told = done.stdout.partition("processes that tests have left")
    (line,) = [line for line in told.splitlines() if "signal.pause()" in line]
    assert "started by test_it.py::test_that_starts_one" in line
    pid = line.split()[0]
    assert f"it is {pid}" in done.stdout
    assert not Path("/proc", pid).exists()


def test_a_process_that_is_about_to_end_is_waited_for(tmp_path: Path) -> None:
    """
    Such as the helpers of a program that has ended: they notice it a moment later.
    """
    done = run(tmp_path, "import threading; threading.Event().wait(0.3)", patience=60.0)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "have left" not in done.stdout

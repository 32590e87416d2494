"""Signals that come while `relay run` loads and starts: it ends at once, with 0, as PID 1 and as any other process."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventstore.system import SystemFlag
from relay import early_signals
from relay.cli.signals import stop_on_signals
from tests.support.stuck_server import stuck_server
from tests.support.waiting import until

LOADING = """
import importlib.abc, os, signal, sys

AT, NUMBER, *WORDS = sys.argv[1:]
sys.argv = ["/usr/bin/relay", *WORDS]

class Signalled(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == AT:
            os.kill(os.getpid(), int(NUMBER))

sys.meta_path.insert(0, Signalled())
__import__("relay.cli", fromlist=["main"]).main()
"""

AS_PID_1 = ["unshare", "--pid", "--fork", "--kill-child"]
NUMBERS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


NOWHERE = {
    "EVENTSTORE_DYNAMODB_ENDPOINT_URL": "http://127.0.0.1:1",
    "EVENTSTORE_AWS_REGION": "eu-central-1",
    "EVENTSTORE_AWS_ACCESS_KEY_ID": "local",
    "EVENTSTORE_AWS_SECRET_ACCESS_KEY": "local",
    "RELAY_RABBITMQ_URL": "amqp://127.0.0.1:1//",
    "RELAY_ELASTICSEARCH_URL": "http://127.0.0.1:1",
}
"""Settings that are complete, of servers that are not there."""


def may_have_a_pid_1() -> bool:
    """Tell whether this machine lets us start a process as the first of a namespace."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*AS_PID_1, "true"], check=False, capture_output=True).returncode == 0


def run(at: str, number: signal.Signals, line: str, *before: str) -> subprocess.CompletedProcess[str]:
    """Run a command that gets a signal when it loads a module."""
    return subprocess.run(
        [*before, sys.executable, "-c", LOADING, at, str(int(number)), *line.split()],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **NOWHERE},
    )


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
@pytest.mark.parametrize("at", ["click", "eventstore.cli.program", "relay.cli.run", "boto3", "kombu"])
def test_a_signal_while_modules_load_ends_it(at: str, number: signal.Signals) -> None:
    """
    Nothing was begun, so that is what it says, and the code is 0.
    """
    found = run(at, number, "run")

    assert (found.returncode, found.stdout) == (0, "")
    assert found.stderr == f"stopped by {number.name} before anything was begun\n"


@pytest.mark.skipif(not may_have_a_pid_1(), reason="no right to make a namespace of processes here")
@pytest.mark.parametrize(("line", "code"), [("run", 0), ("replay", 4), ("status", 4)])
def test_a_signal_is_not_lost_as_pid_1(line: str, code: int) -> None:
    """
    The kernel does nothing for the first process of a container; commands that do not drain end as at Ctrl-C.
    """
    found = run(f"relay.cli.{line}", signal.SIGTERM, line, *AS_PID_1)

    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr


def test_a_signal_while_a_server_hangs_at_the_start(tmp_path: Path) -> None:
    """
    DynamoDB takes the connection and says nothing: nobody waits for it.
    """
    with stuck_server() as (url, passage):
        passage.hangs.add("DescribeTable")
        environment = {
            "EVENTSTORE_DYNAMODB_ENDPOINT_URL": url,
            "EVENTSTORE_AWS_REGION": "local",
            "EVENTSTORE_AWS_ACCESS_KEY_ID": "local",
            "EVENTSTORE_AWS_SECRET_ACCESS_KEY": "local",
            "RELAY_RABBITMQ_URL": "amqp://127.0.0.1:9",
            "RELAY_ELASTICSEARCH_URL": "http://127.0.0.1:9",
            "PYTHONPATH": ":".join(sys.path),
        }
        with subprocess.Popen(
            [sys.executable, "-m", "relay", "run"], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        ) as relay:
            until(lambda: bool(passage.calls), "it waits for an answer", timeout_seconds=60.0)
            relay.send_signal(signal.SIGTERM)
            _, said = relay.communicate(timeout=20)

    assert relay.returncode == 0
    assert said == "stopped by SIGTERM before anything was begun\n"


def test_only_the_program_itself_catches_signals() -> None:
    """
    Who imports it, as a test does, keeps handlers of its own.
    """
    programs = ("/opt/venv/bin/relay", "relay", "/x/relay/__main__.py", "C:/relay.exe")
    others = ("/x/pytest/__main__.py", "pytest", "-c", "", "/opt/venv/bin/eventstore")

    assert [early_signals.is_program(each) for each in programs] == [True] * 4
    assert [early_signals.is_program(each) for each in others] == [False] * 5


@pytest.fixture
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("first", NUMBERS, ids=lambda number: number.name)
def test_the_first_signal_stops_and_the_second_hastens(first: signal.Signals) -> None:
    """
    Whichever they are; more of them change nothing.
    """
    stop, hasten = SystemFlag(), SystemFlag()
    stop_on_signals(stop, hasten)
    signal.raise_signal(first)
    assert (stop.is_set(), hasten.is_set()) == (True, False)
    for number in NUMBERS:
        signal.raise_signal(number)

    assert hasten.is_set()


@pytest.mark.usefixtures("_handlers")
def test_the_second_signal_interrupts_what_cannot_be_hastened() -> None:
    """
    A command that a person waits for.
    """
    stop = SystemFlag()
    stop_on_signals(stop)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("_handlers")
def test_under_nohup_a_closed_terminal_is_nothing() -> None:
    """
    SIGHUP was ignored before, and stays so.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = SystemFlag()
    stop_on_signals(stop)
    signal.raise_signal(signal.SIGHUP)

    assert not stop.is_set()

"""
How commands end that are cut off: by Ctrl-C at any moment, by a reader that has gone. Each has its documented code.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import eventstore.cli
import relay.cli
from eventstore import AggregateRef, EventStore, NewEvent, init_tables
from eventstore.cli.lazy_group import LazyGroup
from eventstore.testing.http import DevServer

PROGRAMS: dict[str, click.Group] = {"eventstore": eventstore.cli.main, "relay": relay.cli.main}


def _commands(group: Any, line: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, LazyGroup):
            yield from _commands(command, (*line, name))
        else:
            yield (*line, name), command


EVERY = {" ".join(line): command for name, group in PROGRAMS.items() for line, command in _commands(group, (name,))}
DOCUMENTS = sorted(line for line, command in EVERY.items() if any(each.name == "as_json" for each in command.params))


def _cut_off(monkeypatch: pytest.MonkeyPatch, line: str, error: BaseException) -> Any:
    """Run a command with `--json` whose body ends by an exception."""
    program, *words = line.split()

    def body(*_args: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(EVERY[line], "callback", body)
    monkeypatch.setattr(EVERY[line], "params", [each for each in EVERY[line].params if each.name == "as_json"])
    return CliRunner().invoke(PROGRAMS[program], [*words, "--json"])


@pytest.mark.parametrize("line", DOCUMENTS)
def test_an_interrupted_command_prints_one_document(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """
    With `--json`, Ctrl-C leaves one document that says so, and code 4.
    """
    result = _cut_off(monkeypatch, line, KeyboardInterrupt())

    assert result.exit_code == 4
    assert json.loads(result.stdout) == {
        "version": 1,
        "status": "error",
        "data": None,
        "diagnostics": ["interrupted"],
    }
    assert result.stderr.strip() == "error: interrupted"


def test_a_defect_prints_one_document_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An unexpected exception is a document as well, and code 70.
    """
    result = _cut_off(monkeypatch, "eventstore stats", LookupError("what"))

    assert result.exit_code == 70
    assert json.loads(result.stdout)["diagnostics"][0].startswith(
        "a defect of this software; please report it: LookupE"
    )


@pytest.mark.parametrize("line", ["eventstore tail", "eventstore show", "eventstore verify"])
def test_lines_stay_lines(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """
    A command whose `--json` is one event or finding a line adds no document to them.
    """
    program, *words = line.split()
    monkeypatch.setattr(EVERY[line], "callback", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt()))
    monkeypatch.setattr(EVERY[line], "params", [each for each in EVERY[line].params if each.name == "as_lines"])

    result = CliRunner().invoke(PROGRAMS[program], [*words, "--json"])

    assert (result.exit_code, result.stdout) == (4, "")


SETTINGS = {
    "EVENTSTORE_DYNAMODB_ENDPOINT_URL": "http://127.0.0.1:9",
    "EVENTSTORE_AWS_REGION": "local",
    "EVENTSTORE_AWS_ACCESS_KEY_ID": "local",
    "EVENTSTORE_AWS_SECRET_ACCESS_KEY": "local",
    "RELAY_RABBITMQ_URL": "amqp://127.0.0.1:9",
    "RELAY_ELASTICSEARCH_URL": "http://127.0.0.1:9",
}


LOADING = """
import importlib.abc, os, signal, sys

AT, TIMES, PROGRAM, *WORDS = sys.argv[1:]
TIMES = int(TIMES)
sys.argv = [PROGRAM, *WORDS]

class Interrupted(importlib.abc.MetaPathFinder):
    times = 0

    def find_spec(self, name, path, target=None):
        if name == AT and self.times < TIMES:
            self.times += 1
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupted())
__import__(f"{PROGRAM}.cli", fromlist=["main"]).main()
"""


@pytest.mark.parametrize(
    ("at", "times", "line", "documents"),
    [
        ("click", 1, "eventstore stats --json", 0),
        ("eventstore.cli.program", 1, "eventstore stats", 0),
        ("eventstore.cli.lazy_group", 1, "relay status", 0),
        ("eventstore.cli.stats", 1, "eventstore stats --json", 1),
        ("eventstore.cli.stats", 2, "eventstore stats --json", 0),
        ("eventstore.verify.counts", 1, "eventstore stats --json", 1),
        ("pydantic_settings", 1, "eventstore verify --json", 0),
        ("boto3", 1, "eventstore stats --json", 1),
        ("relay.cli.status", 1, "relay status", 0),
        ("kombu", 1, "relay replay --json", 1),
    ],
)
def test_ctrl_c_while_modules_load(at: str, times: int, line: str, documents: int, tmp_path: Path) -> None:
    """
    Whichever module is being imported, there is one line and code 4, no traceback; a document once it can be known.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOADING, at, str(times), *line.split()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, **SETTINGS},
    )

    assert done.stderr.strip() == "error: interrupted"
    assert done.returncode == 4
    assert [json.loads(each)["diagnostics"] for each in done.stdout.splitlines()] == [["interrupted"]] * documents


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    server = DevServer()
    client = server.databases.of("local", SETTINGS["EVENTSTORE_AWS_REGION"]).client()
    init_tables(client)
    store = EventStore.open(client)
    for number in range(30):
        events = [NewEvent("COUNTED", {"text": "x" * 9_000}) for _ in range(40)]
        store.append(AggregateRef("ITEM", f"item-{number % 3}"), events, expected_version=number // 3 * 40)
    serving = threading.Thread(target=server.serve)
    serving.start()
    try:
        yield {**os.environ, **SETTINGS, "EVENTSTORE_DYNAMODB_ENDPOINT_URL": server.url}
    finally:
        server.stop()
        serving.join(10)
        server.close()


LINES = [
    "eventstore --help",
    "eventstore stats --help",
    "eventstore --version",
    "relay --help",
    "relay replay --help",
    "eventstore show item-1",
    "eventstore show item-1 --json",
    "eventstore show item-1 --diff",
    "eventstore tail -n 1000",
    "eventstore tail -n 1000 --json",
    "eventstore tail --type COUNTED --follow",
    "eventstore stats",
    "eventstore stats --json",
    "eventstore init --json",
    "relay config show",
    "relay config show --json",
]


def test_a_reader_that_has_gone(environment: dict[str, str], tmp_path: Path) -> None:
    """
    A pipe whose reading end is closed, as by `| head`, ends every command with code 4 and without a word.
    """
    found = {}
    for line in LINES:
        program, *words = line.split()
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = subprocess.run(
                [sys.executable, "-c", f"from {program}.cli import main; main()", *words],
                stdout=writing,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
                cwd=tmp_path,
                env=environment,
            )
        finally:
            os.close(writing)
        found[line] = (done.returncode, done.stderr.strip())

    assert found == dict.fromkeys(LINES, (4, ""))

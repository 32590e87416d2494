"""Servers as processes: repaired one by one, refused with their own words, and never left behind by a clone."""

import dataclasses
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import envfile, native, process, prune
from servers.errors import StartError
from servers.layout import Layout
from servers.native import Native
from servers.ports import LOOPBACK
from servers.process import is_alive
from servers.progress import Progress
from servers.ready import dynamodb_unready
from servers.services.service import Start

ANSWERS = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"TableNames": []}')
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
FAILS = "print('cannot open the data folder'); raise SystemExit(4)"


@dataclasses.dataclass
class FakeService:
    """A server of a few lines that the supervisor treats like the real ones."""

    name: str
    program: str = ANSWERS
    version: str = "1.0"
    ready_timeout_seconds: float = 20.0
    grace_seconds: float = 5.0
    starts: int = 0

    @property
    def port_names(self) -> tuple[str, ...]:
        return (self.name,)

    def missing_packages(self, layout: Layout) -> list[str]:
        return []

    def install(self, layout: Layout, progress: Progress) -> None:
        """Nothing is missing."""

    def start(self, start: Start) -> None:
        self.starts += 1
        folder = start.layout.service_dir(self.name)
        command = [sys.executable, "-c", self.program, str(start.ports[self.name])]
        log_file = start.layout.log_file(self.name)
        start.record(process.spawn(command, env=os.environ, cwd=folder, log_file=log_file, account=None))

    def unready(self, port: int) -> str | None:
        return dynamodb_unready(port)

    def confirm(self, start: Start) -> None:
        """Nothing more to ask."""

    def env(self, port: int) -> dict[str, str]:
        return {f"{self.name.upper()}_URL": f"http://{LOOPBACK}:{port}"}


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch, layout: Layout) -> Iterator[tuple[FakeService, FakeService]]:
    """Two servers in place of the real ones, ended after the test."""
    services = (FakeService("one"), FakeService("two"))
    monkeypatch.setattr(native, "SERVICES", services)
    monkeypatch.setattr(prune, "SERVICES", services)
    yield services
    Native(layout, Progress()).end_all(services)


def read_env(layout: Layout) -> dict[str, str]:
    """Return the env file's lines."""
    return envfile.parse(layout.env_file.read_text(encoding="utf-8"))


def test_only_the_server_that_died_is_started_again(pair: tuple[FakeService, FakeService], layout: Layout) -> None:
    """The other keeps its process, and both keep their addresses."""
    Native(layout, Progress()).up(pair)
    before = read_env(layout)
    first, second = Native(layout, Progress()).status(pair)
    assert (first.up, second.up) == (True, True)
    os.kill(first.pids[0], signal.SIGKILL)

    Native(layout, Progress()).up(pair)

    assert [service.starts for service in pair] == [2, 1]
    assert read_env(layout) == before
    assert Native(layout, Progress()).status(pair)[1].pids == second.pids


def test_a_server_that_fails_is_quoted_and_the_other_one_stays(
    pair: tuple[FakeService, FakeService], layout: Layout
) -> None:
    """The error ends with the server's own last words; the env file speaks of the server that is up, and only of it."""
    pair[0].program = FAILS

    with pytest.raises(StartError) as caught:
        Native(layout, Progress()).up(pair)

    assert caught.value.service == "one"
    assert "its process ended" in caught.value.reason
    assert "\n  | cannot open the data folder\n" in str(caught.value)
    assert str(layout.log_file("one")) in str(caught.value)
    assert list(read_env(layout)) == ["TWO_URL"]
    assert [status.up for status in Native(layout, Progress()).status(pair)] == [False, True]


def test_a_stopped_server_keeps_its_address_and_an_ended_one_does_not(
    pair: tuple[FakeService, FakeService], layout: Layout
) -> None:
    """An outage can be watched by clients that read the env file; `down` takes the address away."""
    Native(layout, Progress()).up(pair)

    Native(layout, Progress()).stop(pair[:1])
    assert list(read_env(layout)) == ["ONE_URL", "TWO_URL"]
    assert [status.reason for status in Native(layout, Progress()).status(pair)] == ["stopped", ""]

    Native(layout, Progress()).down(pair[:1])
    assert list(read_env(layout)) == ["TWO_URL"]

    Native(layout, Progress()).down(pair, wipe=True)
    assert not layout.env_file.exists()
    assert not layout.data_dir.exists()


def test_a_clone_made_anew_starts_with_empty_servers(pair: tuple[FakeService, FakeService], layout: Layout) -> None:
    """What the deleted clone at the same place left running is ended, and its data is gone."""
    Native(layout, Progress()).up(pair)
    left = Native(layout, Progress())._records(pair[0])
    (layout.service_dir("one") / "data").write_text("old", encoding="utf-8")
    shutil.rmtree(layout.state_dir.parent)

    Native(layout, Progress()).up(pair)

    assert [is_alive(record) for record in left] == [False]
    assert not (layout.service_dir("one") / "data").exists()
    assert [status.up for status in Native(layout, Progress()).status(pair)] == [True, True]


def test_what_a_deleted_clone_left_is_found_and_removed(
    pair: tuple[FakeService, FakeService], layout: Layout, tmp_path: Path
) -> None:
    """Another clone on the machine can end its servers and delete its data; a clone that exists is left alone."""
    gone = dataclasses.replace(layout, state_dir=tmp_path / "gone/.local", data_dir=tmp_path / "data-of/gone")
    kept = dataclasses.replace(layout, state_dir=tmp_path / "kept/.local", data_dir=tmp_path / "data-of/kept")
    Native(gone, Progress()).up(pair[:1])
    Native(kept, Progress()).up(pair[1:])
    left = Native(gone, Progress())._records(pair[0])
    shutil.rmtree(tmp_path / "gone")
    mine = dataclasses.replace(layout, data_dir=tmp_path / "data-of/mine")

    try:
        assert prune.prune(mine, Progress()) == 1
        assert [is_alive(record) for record in left] == [False]
        assert [folder.name for folder in (tmp_path / "data-of").iterdir()] == ["kept"]
        assert Native(kept, Progress()).status(pair)[1].up
    finally:
        Native(kept, Progress()).end_all(pair)

"""Lines in a real file: durable, whole, and in one piece whoever else writes."""

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventstore.system import SystemRuntime
from relay.destinations.file import local_file
from relay.destinations.file.local_file import LineFile
from relay.destinations.file.sink import LinesLostError, LinesRefusedError

START = b'{"id":'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def file(path: Path):
    made = LineFile(path, SystemRuntime(), START)
    yield made
    made.close()


def test_lines_follow_each_other(file, path):
    """Also after a close, and by another process's hand."""
    file.append([b'{"id":1}\n', b'{"id":2}\n'], 1)
    file.close()
    file.append([b'{"id":3}\n'], 1)
    LineFile(path, SystemRuntime(), START).append([b'{"id":4}\n'], 1)
    file.append([], 1)

    assert path.read_bytes() == b'{"id":1}\n{"id":2}\n{"id":3}\n{"id":4}\n'
    assert path.stat().st_mode & 0o777 == 0o640 & ~_umask()


def test_synced_before_it_counts(file, path, monkeypatch):
    """The sync sees the whole append; a new file's folder is synced as well."""
    synced = []
    real = os.fsync

    def noting(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink(), path.read_bytes()))
        real(descriptor)

    monkeypatch.setattr(local_file.os, "fsync", noting)
    file.append([b'{"id":1}\n'], 1)
    file.append([b'{"id":2}\n'], 1)

    assert synced == [(path.parent, b""), (path, b'{"id":1}\n'), (path, b'{"id":1}\n{"id":2}\n')]


@pytest.mark.parametrize("half", [b"{", b'{"id":', b'{"id":2,"x":"' + b"y" * 200_000, b'{"i\0\0\0', b"\0" * 5000])
def test_half_a_line_is_cut_off(file, path, half):
    """A crash left it; it was never confirmed, so its event comes again."""
    path.write_bytes(b'{"id":1}\n' + half)

    file.append([b'{"id":2}\n'], 1)

    assert path.read_bytes() == b'{"id":1}\n{"id":2}\n'


def test_half_a_line_in_an_open_file(file, path):
    """Another process died while writing to it; the next append looks."""
    file.append([b'{"id":1}\n'], 1)
    with path.open("ab") as other:
        other.write(b'{"id":9,"x')

    file.append([b'{"id":2}\n'], 1)

    assert path.read_bytes() == b'{"id":1}\n{"id":2}\n'


@pytest.mark.parametrize("content", [b"precious", b"a line\nprecious", b'{"name": "precious"}'])
def test_a_file_of_somebody_else_is_left_alone(file, path, content):
    """It ends in a line without an end that is none of ours: somebody named the wrong file."""
    path.write_bytes(content)

    with pytest.raises(LinesRefusedError, match="not the relay's"):
        file.append([b'{"id":1}\n'], 1)
    assert path.read_bytes() == content


def test_a_file_that_was_moved_away(file, path):
    """As log rotation does: what was written stays there, and a new file is begun."""
    file.append([b'{"id":1}\n'], 1)
    path.rename(path.with_suffix(".1"))

    file.append([b'{"id":2}\n'], 1)

    assert path.with_suffix(".1").read_bytes() == b'{"id":1}\n'
    assert path.read_bytes() == b'{"id":2}\n'


def test_a_file_that_another_process_holds(file, path):
    """The wait has an end, and nothing is written; when it is free the same append succeeds."""
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LinesLostError, match="locked by another process"):
            file.append([b'{"id":1}\n'], 0.1)
        assert path.read_bytes() == b""
    file.append([b'{"id":1}\n'], 1)
    assert path.read_bytes() == b'{"id":1}\n'


def test_a_write_that_stops_half_way(file, path):
    """The disk is full after 20 bytes: what was written of the append is taken back, and later it succeeds."""
    file.append([b'{"id":1}\n'], 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        with pytest.raises(LinesLostError, match="disk full"):
            file.append([b'{"id":2}\n', b'{"id":3}\n'], 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, kept)

    assert path.read_bytes() == b'{"id":1}\n'
    file.append([b'{"id":2}\n'], 1)
    assert path.read_bytes() == b'{"id":1}\n{"id":2}\n'


def test_a_sync_that_fails(file, path, monkeypatch):
    """What the system may have thrown away is written again as a whole."""

    def failing(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    file.append([b'{"id":1}\n'], 1)
    with monkeypatch.context() as patched:
        patched.setattr(local_file.os, "fsync", failing)
        with pytest.raises(LinesLostError, match="Input/output error"):
            file.append([b'{"id":2}\n'], 1)

    file.append([b'{"id":2}\n'], 1)
    assert path.read_bytes() == b'{"id":1}\n{"id":2}\n'


def test_places_that_a_person_must_mend(tmp_path):
    """A folder, a missing folder, a file in a folder's place, a pipe: each is named, and none hangs."""
    (tmp_path / "plain").write_text("x\n")
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "missing" / "f", tmp_path / "plain" / "f", tmp_path / "pipe"):
        with pytest.raises(LinesRefusedError, match=str(place)):
            LineFile(place, SystemRuntime(), START).append([b'{"id":1}\n'], 1)


WRITER = """
import sys
from pathlib import Path
from eventstore.system import SystemRuntime
from relay.destinations.file.local_file import LineFile

file = LineFile(Path(sys.argv[1]), SystemRuntime(), b'{"id":')
print("ready", flush=True)
for number in range(int(sys.argv[3])):
    line = b'{"id":"%s-%d-%d","x":"%s"}\\n'
    file.append([line % (sys.argv[2].encode(), number, part, b"y" * 500) for part in (1, 2)], 30)
    print(number, flush=True)
"""


def test_two_processes_and_a_kill(path):
    """Two writers of one file, one of them killed: what each was told to be durable is there, and every line whole."""
    first, second = (
        subprocess.Popen([sys.executable, "-c", WRITER, path, name, count], stdout=subprocess.PIPE, text=True)
        for name, count in (("a", "100000"), ("b", "100"))
    )
    told = []
    with first, second:
        assert first.stdout is not None
        assert second.stdout is not None
        told += [first.stdout.readline().strip() for _ in range(50)]
        first.kill()
        told += [line.strip() for line in first.stdout]
        said = [line.strip() for line in second.stdout]
        assert second.wait(60) == 0

    LineFile(path, SystemRuntime(), START).append([b'{"id":"last"}\n'], 5)
    ids = [json.loads(line)["id"] for line in path.read_text().splitlines()]
    assert ids[-1] == "last"
    durable = [number for number in told if number.isdigit()]
    assert len(durable) >= 49
    assert {f"a-{number}-{part}" for number in durable for part in (1, 2)} <= set(ids)
    assert said[-1] == "99"
    assert {f"b-{number}-{part}" for number in range(100) for part in (1, 2)} <= set(ids)
    assert all(ids[at + 1] == f"{each[:-1]}2" for at, each in enumerate(ids) if each.endswith("-1"))


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

"""Installation: only the pinned file is ever used, and what is missing is named with the way to get it."""

import hashlib
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from servers.errors import CommandError, DigestError, LockedError, MissingError
from servers.install import cache, command, debian, java
from servers.progress import Progress


def tarball(path: Path, content: bytes) -> str:
    """Write a tarball with one wrapped file, and return its digest."""
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("package/lib/server.jar")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_download_is_unpacked_once(tmp_path: Path) -> None:
    """The second request finds the folder and fetches nothing."""
    digest = tarball(tmp_path / "server.tgz", b"jar")
    fetched: list[Path] = []

    def fetch(folder: Path) -> Path:
        fetched.append(folder)
        return (tmp_path / "server.tgz").rename(folder / "server.tgz")

    folder = tmp_path / "cache/server-1"
    assert cache.cached(folder, sha256=digest, fetch=fetch) == folder
    assert cache.cached(folder, sha256=digest, fetch=fetch) == folder

    assert (folder / "lib/server.jar").read_bytes() == b"jar"
    assert len(fetched) == 1
    assert not fetched[0].exists()


def test_a_download_that_is_not_the_pinned_one_is_refused_and_removed(tmp_path: Path) -> None:
    """A file with another digest is deleted, nothing is unpacked, and the error names both digests."""
    places: list[Path] = []

    def fetch(folder: Path) -> Path:
        places.append(folder / "server.tgz")
        tarball(places[0], b"tampered with")
        return places[0]

    with pytest.raises(DigestError) as caught:
        cache.cached(tmp_path / "cache/server-1", sha256="0" * 64, fetch=fetch)

    assert caught.value.expected == "0" * 64
    assert len(caught.value.actual) == 64
    assert not places[0].exists()
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == ["lock"]


def test_a_wrong_file_is_removed_where_it_lies(tmp_path: Path) -> None:
    """The check itself deletes the file, so that no later step can pick it up."""
    file = tmp_path / "server.zip"
    file.write_bytes(b"not what was pinned")

    with pytest.raises(DigestError, match=r"server\.zip is not the file that was pinned"):
        cache.check_digest(file, "f" * 64)

    assert not file.exists()


def test_programs_in_a_zip_stay_executable(tmp_path: Path) -> None:
    """Unpacking keeps the permissions that the archive carries."""
    with zipfile.ZipFile(tmp_path / "server.zip", "w") as bundle:
        program = zipfile.ZipInfo("server-1/bin/start")
        program.external_attr = (stat.S_IFREG | 0o755) << 16
        bundle.writestr(program, "#!/bin/sh\n")

    cache.unpack(tmp_path / "server.zip", tmp_path / "server")

    assert os.access(tmp_path / "server/bin/start", os.X_OK)


def test_a_held_lock_is_waited_for_and_then_reported(tmp_path: Path) -> None:
    """Two commands on one clone take turns, and the second one does not wait for ever."""
    waits: list[str] = []
    with cache.locked(tmp_path / "lock", timeout_seconds=1), pytest.raises(LockedError, match="held by another"):  # noqa: SIM117
        with cache.locked(tmp_path / "lock", timeout_seconds=0.3, on_wait=lambda: waits.append("told")):
            pytest.fail("the lock was taken twice")

    assert waits == ["told"]
    with cache.locked(tmp_path / "lock", timeout_seconds=0):
        pass


def test_missing_packages_are_named_with_the_command_that_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not root is told what to type."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(MissingError) as caught:
        debian.install(["maven", "rabbitmq-server=3.10.8*"], Progress())

    assert "maven rabbitmq-server=3.10.8*" in caught.value.what
    assert caught.value.get.startswith(
        "sudo apt-get update && sudo apt-get install --no-install-recommends maven 'rabbitmq-server=3.10.8*'"
    )


def test_no_service_starts_while_packages_are_installed(tmp_path: Path) -> None:
    """A policy that denies every start is there meanwhile, executable, and gone afterwards."""
    policy = tmp_path / "policy-rc.d"

    with debian.no_service_starts(policy):
        assert os.access(policy, os.X_OK)
        assert policy.read_text(encoding="ascii").endswith("exit 101\n")

    assert not policy.exists()


def test_a_policy_of_the_machine_stays(tmp_path: Path) -> None:
    """Somebody else's policy is neither replaced nor removed."""
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n", encoding="ascii")

    with debian.no_service_starts(policy):
        assert policy.read_text(encoding="ascii") == "#!/bin/sh\nexit 0\n"

    assert policy.exists()


def test_the_packaged_broker_does_not_start_with_the_machine(tmp_path: Path) -> None:
    """What the installation enables of the broker is disabled again; what was enabled before, or is not its, stays."""
    sockets, targets = tmp_path / "sockets.target.wants", tmp_path / "multi-user.target.wants"
    for folder in (sockets, targets):
        folder.mkdir()
    (sockets / "epmd.socket").symlink_to("/lib/systemd/system/epmd.socket")

    with debian.units_kept_off(tmp_path):
        (targets / "rabbitmq-server.service").symlink_to("/lib/systemd/system/rabbitmq-server.service")
        (targets / "cron.service").symlink_to("/lib/systemd/system/cron.service")

    assert [link.name for link in targets.iterdir()] == ["cron.service"]
    assert [link.name for link in sockets.iterdir()] == ["epmd.socket"]


def make_java(home: Path, version: str, *, compiler: bool = True) -> Path:
    """Lay out what marks a Java home."""
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n', encoding="ascii")
    if compiler:
        (home / "bin/javac").touch()
    return home


def test_the_preferred_java_is_found_wherever_it_stands_in_the_list(tmp_path: Path) -> None:
    """17 goes before 21; one that is too new, or cannot compile, does not count."""
    homes = [
        make_java(tmp_path / "25", "25.0.3"),
        make_java(tmp_path / "21", "21.0.4"),
        make_java(tmp_path / "runtime", "17.0.1", compiler=False),
        make_java(tmp_path / "17", "17.0.15"),
    ]

    assert java.find_java(homes) == tmp_path / "17"
    assert java.find_java(homes[:3]) == tmp_path / "21"
    assert java.find_java(homes[:1]) is None
    assert java.find_java([tmp_path / "nothing"]) is None


@pytest.mark.parametrize(
    ("program", "timeout_seconds", "says"),
    [
        ("print('went wrong'); raise SystemExit(7)", 30, "exit code 7\n  | went wrong"),
        ("import signal; print('hangs', flush=True); signal.pause()", 1.5, "not done after 2 s"),
    ],
)
def test_a_tool_that_fails_is_quoted(program: str, timeout_seconds: float, says: str) -> None:
    """The error carries the command, how it ended, and the end of what it printed."""
    with pytest.raises(CommandError) as caught:
        command.run(["python3", "-c", program], timeout_seconds=timeout_seconds)

    assert str(caught.value).startswith("python3 -c ")
    assert says in str(caught.value)

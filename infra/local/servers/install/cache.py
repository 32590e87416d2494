"""Downloads: fetched once per machine, checked by digest, unpacked, and never half there."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tarfile
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from servers.errors import DigestError, LockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK_TIMEOUT_SECONDS = 900.0
LOCK_POLL_SECONDS = 0.2
CHUNK_BYTES = 1 << 20


def cached(folder: Path, *, sha256: str, fetch: Callable[[Path], Path]) -> Path:
    """Return the unpacked download, fetching it if it is not there.

    The folder appears in one step when everything in it is complete, so its existence is the proof.

    Args:
        folder: Where the unpacked archive belongs.
        sha256: Digest of the archive, hex.
        fetch: Puts the archive somewhere into the empty folder it is given, and returns its path.

    Raises:
        DigestError: The archive is not the pinned one.
        LockedError: Another command has been fetching for too long.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / "lock", timeout_seconds=LOCK_TIMEOUT_SECONDS):
        if folder.is_dir():
            return folder
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder.parent, ignore_cleanup_errors=True) as made:
            archive = fetch(Path(made))
            check_digest(archive, sha256)
            fresh = Path(made) / "unpacked"
            unpack(archive, fresh)
            fresh.rename(folder)
    return folder


def check_digest(file: Path, expected: str) -> None:
    """Compare a file with its pinned digest, and remove a file that differs.

    Raises:
        DigestError: It differs.
    """
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        file.unlink()
        raise DigestError(file.name, expected=expected, actual=digest.hexdigest())


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip or a tarball, without the one folder that wraps everything in it; programs stay executable."""
    wrapped = target.with_name(target.name + ".wrapped")
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(wrapped)  # noqa: S202 - the digest has said that this is the pinned file
            for entry in bundle.infolist():
                if not entry.is_dir() and (mode := entry.external_attr >> 16 & 0o777):
                    (wrapped / entry.filename).chmod(mode)
    else:
        with tarfile.open(archive) as tarball:
            # Early 3.11 releases lack the filter.
            tarball.extraction_filter = getattr(tarfile, "data_filter", None)
            tarball.extractall(wrapped)  # noqa: S202 - the digest has said that this is the pinned file
    (inner,) = wrapped.iterdir()
    inner.rename(target)
    shutil.rmtree(wrapped)


@contextmanager
def locked(path: Path, *, timeout_seconds: float, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock file; the kernel releases it when this process ends, however it ends.

    Raises:
        LockedError: Somebody else held it until the time was up.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_seconds
    with path.open("a", encoding="ascii") as file:
        waited = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LockedError(
                        f"{path} has been held by another command for {timeout_seconds:.0f} s; wait for it, or end it"
                    ) from None
                if on_wait is not None and not waited:
                    on_wait()
                waited = True
                time.sleep(LOCK_POLL_SECONDS)
            else:
                yield
                return

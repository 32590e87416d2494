"""Lines in a file of this machine: appended under a lock, synced before they count, without half lines."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from eventstore.ports import Runtime
from relay.destinations.file.sink import LinesLostError, LinesRefusedError

LOCK_LOOK_SECONDS = 0.02
TAIL_CHUNK_BYTES = 65_536
LINE_END = b"\n"
UNWRITTEN = b"\0"
"""What a disk may show of a write that a crash of the machine cut short."""

MODE = 0o640
"""Readable by the group: payloads are not for everybody on the machine."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe at that path must not hold us
_BY_HAND = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENXIO,
        errno.EPERM,
        errno.EROFS,
    }
)
"""What time does not heal: the path, its kind, or the rights to it."""


class LineFile:
    """A `Lines` on a local disk. A file that was moved away, as log rotation does, is recreated at the next append.

    Args:
        path: The file; its folder must be there.
        runtime: Waits for the lock.
        line_start: What every line begins with. Half a line is cut off only when it is the beginning of one of ours:
            somebody may have named a file of another kind by mistake.
    """

    def __init__(self, path: Path, runtime: Runtime, line_start: bytes = b"") -> None:
        self._path = path
        self._runtime = runtime
        self._line_start = line_start
        self._descriptor: int | None = None

    def append(self, lines: Sequence[bytes], timeout_seconds: float) -> None:
        """See `Lines.append`."""
        try:
            with self._locked(timeout_seconds) as descriptor:
                self._write(descriptor, b"".join(lines))
        except OSError as error:
            self.close()
            words = f"{self._path}: {error.strerror or error}"
            if error.errno in _BY_HAND:
                raise LinesRefusedError(f"{words}; give a file in a folder that this user may write to") from error
            raise LinesLostError(f"{words}; is the disk full or failing?") from error

    def close(self) -> None:
        """See `Lines.close`."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    @contextlib.contextmanager
    def _locked(self, timeout_seconds: float) -> Iterator[int]:
        """Give the descriptor of the file at the path, locked against other processes."""
        ends_at = self._runtime.monotonic() + timeout_seconds
        while True:
            descriptor = self._open()
            if _try_lock(descriptor):
                if self._is_at_path(descriptor):
                    break
                self.close()  # it was moved away; closing releases the lock too
            elif self._runtime.monotonic() >= ends_at:
                raise LinesLostError(f"{self._path} is locked by another process for {timeout_seconds:.1f} s")
            else:
                self._runtime.sleep(LOCK_LOOK_SECONDS)
        try:
            yield descriptor
        finally:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _open(self) -> int:
        if self._descriptor is None:
            is_new = not self._path.exists()
            descriptor = os.open(self._path, _FLAGS, MODE)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise LinesRefusedError(f"{self._path} is not a regular file; name another")
            self._descriptor = descriptor
            if is_new:
                _sync_folder(self._path.parent)
        return self._descriptor

    def _is_at_path(self, descriptor: int) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(descriptor))

    def _write(self, descriptor: int, data: bytes) -> None:
        end = self._cut_half_line(descriptor)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # what cannot be taken back now is cut off before the next append
                os.ftruncate(descriptor, end)
            raise

    def _cut_half_line(self, descriptor: int) -> int:
        """Cut off what follows the last line end: nobody confirmed it. Return where the file ends then, in bytes."""
        size = os.fstat(descriptor).st_size
        end = _last_line_end(descriptor, size)
        if end == size:
            return size
        begins = os.pread(descriptor, len(self._line_start), end).rstrip(UNWRITTEN)
        if not self._line_start.startswith(begins):
            raise LinesRefusedError(
                f"{self._path} ends in the middle of a line that is not the relay's: is it the right file? If so, end"
                " that line",
            )
        os.ftruncate(descriptor, end)
        return end


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_line_end(descriptor: int, size: int) -> int:
    """Return the position after the last line end, 0 when there is none."""
    end = size
    while end:
        start = max(0, end - TAIL_CHUNK_BYTES)
        at = os.pread(descriptor, end - start, start).rfind(LINE_END)
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

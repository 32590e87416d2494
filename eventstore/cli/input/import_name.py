"""The name of an import: a part of the keys of its lines, so that another import may say the same once more."""

import os
import stat
from pathlib import Path
from typing import IO

import click

from eventstore.errors import InvalidInputError

NAME_MAX_BYTES = 200

_HINT = "--name"
_DEVICES = ("/dev", "/proc")


def given(name: str | None) -> str | None:
    """Return the name that the caller has given.

    Raises:
        click.BadParameter: It cannot be one.
    """
    if name is not None and not _fits(name):
        raise click.BadParameter(f"is not a text of 1 to {NAME_MAX_BYTES} bytes", param_hint=_HINT)
    return name


def of_file(source: IO[bytes]) -> str:
    """Return the name of the file that is read, without its folder: the same wherever the file is moved.

    Raises:
        InvalidInputError: It is no file with a name of its own, such as a pipe.
    """
    path = getattr(source, "name", None)
    if not isinstance(path, str) or not _is_file(path, source):
        raise InvalidInputError(
            _HINT, "is needed: an import from a pipe has no name, which is a part of the keys of its lines"
        )
    name = Path(path).resolve().name  # of a link that leads to another file every day: that file's
    if not _fits(name):
        raise InvalidInputError(_HINT, f"is needed: the file's name is not a text of 1 to {NAME_MAX_BYTES} bytes")
    return name


def _is_file(path: str, source: IO[bytes]) -> bool:
    """Tell whether a regular file was opened by a name of its own; `<stdin>` and `/dev/fd/63` are none."""
    place = Path(path).absolute()
    if any(place.is_relative_to(folder) for folder in _DEVICES):
        return False
    try:
        opened = os.fstat(source.fileno())
        return stat.S_ISREG(opened.st_mode) and os.path.samestat(opened, place.stat())
    except OSError:
        return False


def _fits(name: str) -> bool:
    try:
        return 1 <= len(name.encode()) <= NAME_MAX_BYTES
    except UnicodeEncodeError:
        return False

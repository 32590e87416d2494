"""What the file destination needs: a folder that it may write to, and no other thing in the file's place."""

import os
from collections.abc import Sequence
from pathlib import Path

from relay.destination import FILE
from relay.destinations.topology import Difference, Examination


class FileTopology:
    """The `Topology` of the file destination.

    Args:
        path: The file.
    """

    name = FILE

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """See `Topology.place`."""
        return str(self._path)

    def examine(self) -> Examination:
        """See `Topology.examine`; the file itself need not be there yet."""
        folder = self._path.parent
        try:
            if not folder.exists():
                return _one(f"folder {folder}", "is missing", "`relay topology apply` makes it", folder)
            if not folder.is_dir():
                return _one(f"folder {folder}", "is not a folder", "name another file in RELAY_FILE_PATH")
            if self._path.exists() and not self._path.is_file():
                return _one(f"file {self._path}", "is not a regular file", "name another in RELAY_FILE_PATH")
            place = self._path if self._path.exists() else folder
            may_write = os.access(place, os.R_OK | os.W_OK)
        except OSError as error:
            return _one(f"file {self._path}", f"cannot be looked at: {error.strerror}", "fix the path or its rights")
        if not may_write:
            return _one(f"{place}", "may not be written to", "let the relay's user read and write it")
        return Examination(())

    def make(self, differences: Sequence[Difference]) -> list[str]:
        """See `Topology.make`."""
        refused = []
        for difference in differences:
            if isinstance(difference.remedy, Path):
                try:
                    difference.remedy.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    refused.append(f"{difference.thing}: {error.strerror}")
        return refused


def _one(thing: str, problem: str, advice: str, remedy: Path | None = None) -> Examination:
    return Examination((Difference(thing, problem, advice, remedy),))

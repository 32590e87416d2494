"""The file destination of a simulation: real files, on a disk that writes in pieces, fills up, and is left torn.

`LineFile` runs as it is; what it asks of the system comes through here. So others act between two pieces of a write,
and a process may crash there. Lines count once they are synced, and are looked at then; content and order by hand.
"""

import errno
import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from relay.destinations.file import local_file
from relay.testing.checker import TrueEvent
from relay.testing.checker.comparison import discrepancies
from relay.testing.checker.message import wanted_fields
from tests.simulation.chance import Chance
from tests.simulation.content import SOURCE
from tests.simulation.ledger import Ledger
from tests.simulation.scheduler import Process, Scheduler

WHOLE = "every line of the file is one event"


class SimulatedDisk:
    """Stands in for the module `os` where lines are written.

    Args:
        scheduler: Hands the baton on.
        chance: Says what goes wrong.
        ledger: Told of the lines that are there to stay.
    """

    def __init__(self, scheduler: Scheduler, chance: Chance, ledger: Ledger) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._ledger = ledger
        self._open: set[int] = set()
        self._written: defaultdict[int, bytes] = defaultdict(bytes)
        self._durable = 0
        self._folder: Path | None = None
        self.crash: Callable[[Process], None] = scheduler.crash
        self.is_calm = False

    @property
    def file(self) -> Path:
        """The file."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="simulated-disk-"))
        return self._folder / "events.jsonl"

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Be the system's disk within the block."""
        try:
            with patch.object(local_file, "os", self):
                yield
        finally:
            for descriptor in self._open:
                with suppress(OSError):
                    os.close(descriptor)
            if self._folder is not None:
                shutil.rmtree(self._folder)

    def __getattr__(self, name: str) -> Any:
        """Return what is not simulated."""
        return getattr(os, name)

    def open(self, *given: Any) -> int:
        """Open a file; one that a crashed process leaves open is closed in the end."""
        descriptor = os.open(*given)
        self._open.add(descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        """Close a file."""
        self._open.discard(descriptor)
        self._written.pop(descriptor, None)
        os.close(descriptor)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write some of it: all, or less; others act before and after."""
        self._scheduler.step("file.write")
        if self._chance.strikes("file.full"):
            raise OSError(errno.ENOSPC, "told to be full")
        piece, draw = bytes(data), self._chance.stream("file.pieces")
        is_torn = self._chance.strikes("file.torn")
        if len(piece) > 1 and (is_torn or self._chance.strikes("file.short_write")):
            piece = piece[: draw.randint(1, len(piece) - 1)]
        size = os.write(descriptor, piece)
        self._written[descriptor] += piece[:size]
        if is_torn:
            self.crash(self._scheduler.current.process)
        self._scheduler.step("file.written")
        return size

    def fsync(self, descriptor: int) -> None:
        """Let what was written stay."""
        self._scheduler.step("file.sync")
        if descriptor not in self._written:
            return  # the folder
        if self._chance.strikes("file.failed_sync"):
            raise OSError(errno.EIO, "told to fail")
        self._look_at_order(self._written.pop(descriptor))
        with self.file.open("rb") as file:
            file.seek(self._durable)
            new = file.read()
        for line in new.splitlines(keepends=True):
            self._look_at(line)
        self._durable += len(new)
        self._scheduler.step("file.synced")

    def ftruncate(self, descriptor: int, size: int) -> None:
        """Cut off what is behind a place."""
        self._scheduler.step("file.cut")
        self._written.pop(descriptor, None)
        if size < self._durable:
            self._ledger.broken("a line that was synced stays", f"cut at {size} of {self._durable}")
        os.ftruncate(descriptor, size)

    def _look_at_order(self, data: bytes) -> None:
        """Within one append an aggregate's events are in order."""
        last: dict[str, int] = {}
        for line in data.splitlines():
            content = _read(line) or {}
            name, number = str(content.get("aggregateid")), int(content.get("sequencenumber", 0))
            if number <= last.get(name, 0):
                self._ledger.broken("an append to the file is in order", f"{name} {number} after {last[name]}")
            last[name] = number

    def _look_at(self, line: bytes) -> None:
        content = _read(line)
        if content is None or not line.endswith(b"\n"):
            self._ledger.broken(WHOLE, repr(line[:300]))
            return
        event = self._ledger.stored_event(content["aggregateid"], content["sequencenumber"], content["id"])
        faults = line_faults(event, content)
        if faults:
            self._ledger.broken("what arrives is what was written", f"in the file {event.event_id}: {faults}")
        if self.is_calm and event.event_id in self._ledger.taken.filed:
            self._ledger.broken("in a world without faults nothing is written twice", event.event_id)
        self._ledger.taken.filed.add(event.event_id)


def line_faults(event: TrueEvent, line: Mapping[str, Any]) -> list[str]:
    """Return what of a line is not as its event and the line format have it."""
    header = "header cloudEvents_"
    message = wanted_fields(event, SOURCE).items()
    attributes = {name.removeprefix(header): value for name, value in message if name.startswith(header)}
    wanted = {**attributes, "datacontenttype": "application/json", "data": json.loads(event.data_json)}
    return [str(each) for each in discrepancies(wanted, line)]


def _read(line: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None

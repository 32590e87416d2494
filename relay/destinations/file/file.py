"""A file as a destination: every event a line. Small enough to be the worked example of how a destination is made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eventstore.rows.outbox import OutboxRow
from relay import defaults
from relay.destination import FILE, CommitKey, Confirmed, Outcome, Report, Retry, Trouble, TroubleKind
from relay.destinations.file import line as file_line
from relay.destinations.file.sink import Lines, LinesLostError, LinesRefusedError
from relay.permit import DeliveryDeadline

TIMEOUT = "timeout"
WRITE_FAILED = "write_failed"


@dataclass(frozen=True, slots=True)
class FileSettings:
    """How the file is filled.

    Attributes:
        source: CloudEvents `source` of every line: a URI reference that names the store.
        batch_max_bytes: What is appended and synced at once; one commit beyond it goes alone.
    """

    source: str = f"/{defaults.NAME_PREFIX}"
    batch_max_bytes: int = 4 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.batch_max_bytes < 1:
            raise ValueError(f"batch_max_bytes is {self.batch_max_bytes}; it is 1 or more")


class FileDestination:
    """The `Destination` that appends JSON lines.

    Within one delivery an aggregate's events are written in order. A commit that had to wait is written later than
    those after it, and after a crash lines may be there twice: readers go by `aggregateid`, `epoch` and
    `sequencenumber`.
    """

    name = FILE

    def __init__(self, lines: Lines, settings: FileSettings | None = None) -> None:
        self._lines = lines
        self._settings = settings or FileSettings()
        self._is_full = False

    def deliver(self, commits: Sequence[OutboxRow], deadline: DeliveryDeadline) -> Report:
        """Hand commits over; see `Destination.deliver`."""
        commits = sorted(commits, key=lambda row: (row.aggregate_id, row.first))
        outcomes: dict[CommitKey, Outcome] = {}
        trouble: Trouble | None = None
        self._is_full = False
        try:
            for batch, lines in self._batches(commits, outcomes):
                if deadline.left_seconds() <= 0:
                    break
                self._lines.append(lines, deadline.answer_seconds())
                outcomes |= dict.fromkeys(batch, Confirmed())
        except LinesLostError as error:
            self._is_full = True
            trouble = Trouble(TroubleKind.OUTAGE, str(error))
        except LinesRefusedError as error:
            trouble = Trouble(TroubleKind.MISCONFIGURED, str(error))
        left = Retry(WRITE_FAILED if trouble else TIMEOUT)
        return Report({row.key: outcomes.get(row.key, left) for row in commits}, trouble)

    def look(self, timeout_seconds: float) -> Report | None:
        """See `Destination.look`: path and rights are seen; whether a line fits on the disk shows when there is one."""
        if self._is_full:
            return None
        try:
            self._lines.append((), timeout_seconds)
        except LinesLostError as error:
            return Report(trouble=Trouble(TroubleKind.OUTAGE, str(error)))
        except LinesRefusedError as error:
            return Report(trouble=Trouble(TroubleKind.MISCONFIGURED, str(error)))
        return Report()

    def close(self) -> None:
        """Release the file."""
        self._lines.close()

    def _batches(
        self, commits: Sequence[OutboxRow], outcomes: dict[CommitKey, Outcome]
    ) -> Iterator[tuple[list[CommitKey], list[bytes]]]:
        """Yield whole commits and their lines; what can never be written is parked and left out."""
        keys: list[CommitKey] = []
        lines: list[bytes] = []
        size = 0
        for row in commits:
            assert row.events, f"commit {row.key} came without its events"
            fault = next((fault for event in row.events if (fault := file_line.unwritable(event))), None)
            if fault is not None:
                outcomes[row.key] = fault
                continue
            added = [file_line.encode(event, self._settings.source) for event in row.events]
            added_size = sum(map(len, added))
            if keys and size + added_size > self._settings.batch_max_bytes:
                yield keys, lines
                keys, lines, size = [], [], 0
            keys.append(row.key)
            lines += added
            size += added_size
        if keys:
            yield keys, lines

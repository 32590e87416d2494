"""A writer in a thread of its own: appends what was planned, at a pace, and remembers what it meant and was told."""

import threading
import time
from collections.abc import Sequence

from eventstore import AppendResult, OutcomeUnknownError, TryLaterError
from relay.demo.planned import PlannedCommit
from relay.testing.checker import Acknowledged, WrittenCommit
from tests.support.servers import Corner

STOP_SECONDS = 60.0
APPEND_SECONDS = 600.0
REPEATS_MAX = 50


class Writer:
    """Appends commits one after the other.

    Args:
        corner: Whose store.
        planned: What to append.
        per_second: At most so many commits a second; None for as fast as it goes.
        after: An earlier writer, ended, whose aggregates this one goes on with.
        patient: Each append has an idempotency key, and is repeated until it is known to be stored.

    Attributes:
        acknowledged: The last number of each aggregate that an append has reported.
        written: What was meant and acknowledged, of this writer and of those before it; in the end also the commit
            that failed, of which nobody knows whether it is stored.
        commits: How many appends have reported.
        failure: What ended it early; None while all is well.
    """

    def __init__(
        self,
        corner: Corner,
        planned: Sequence[PlannedCommit],
        *,
        per_second: float | None = None,
        after: "Writer | None" = None,
        patient: bool = False,
    ) -> None:
        self._store = corner.store()
        self._planned = planned
        self._pause_seconds = 0.0 if per_second is None else 1 / per_second
        self._patient = patient
        self._stop = threading.Event()
        self.acknowledged: dict[str, int] = dict(after.acknowledged) if after else {}
        self.written: list[WrittenCommit] = list(after.written) if after else []
        self.commits = 0
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            due = time.monotonic()
            for commit in self._planned:
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return
                due += self._pause_seconds
                self._write(commit)
                self.commits += 1
        except BaseException as failure:  # noqa: BLE001 - looked at by the test
            self.failure = failure

    def _write(self, commit: PlannedCommit) -> None:
        """Append a commit, and remember it whatever comes of it."""
        acknowledged: Acknowledged | None = None
        aggregate = commit.aggregate
        try:
            done = self._append(commit)
            acknowledged = Acknowledged(done.commit_id, done.first_sequence, done.version)
        finally:
            self.written.append(WrittenCommit(aggregate.id, aggregate.type, commit.events, acknowledged))
        self.acknowledged[aggregate.id] = done.version

    def _append(self, commit: PlannedCommit) -> AppendResult:
        """Append a commit, and return what was told of it."""
        aggregate, expected = commit.aggregate, self.acknowledged.get(commit.aggregate.id, 0)
        if not self._patient:
            return self._store.append(aggregate, commit.events, expected_version=expected)
        for _ in range(REPEATS_MAX):
            try:
                return self._store.append(
                    aggregate, commit.events, expected_version=expected, idempotency_key=str(expected)
                )
            except (TryLaterError, OutcomeUnknownError):
                continue
        raise AssertionError(f"an append did not get through in {REPEATS_MAX} calls")

    @property
    def events(self) -> int:
        """How many events were acknowledged."""
        return sum(self.acknowledged.copy().values())

    def is_writing(self) -> bool:
        """Tell whether it is still at it."""
        return self._thread.is_alive()

    def finish(self) -> "Writer":
        """Wait until everything is appended."""
        self._thread.join(APPEND_SECONDS)
        assert not self._thread.is_alive(), "the appends do not come to an end"
        assert self.failure is None
        return self

    def stop(self) -> None:
        """Append nothing more, and wait for the append under way."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)
        assert not self._thread.is_alive(), "an append does not come back"

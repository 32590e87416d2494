"""The lock of the flow, with the bells of its parts: who has new work is woken once nobody holds it."""

from collections.abc import Callable
from types import TracebackType

from eventstore.ports import Runtime
from relay.delivery.page import CommitPage


class BellLock:
    """A lock that is entered for each event. What is rung within its block is heard after it.

    Args:
        runtime: For the lock.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._lock = runtime.lock()
        self._bells: dict[str, Callable[[], None]] = {}
        self._rung: set[str] = set()
        self._finished: list[CommitPage] = []

    def on_ring(self, part: str, bell: Callable[[], None]) -> None:
        """Name a part's bell."""
        self._bells[part] = bell

    def ring(self, part: str) -> None:
        """Wake a part; for who holds the lock."""
        self._rung.add(part)

    def finish(self, page: CommitPage) -> None:
        """Wake whoever waits for a page; for who holds the lock."""
        self._finished.append(page)

    def __enter__(self) -> None:
        self._lock.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        rung, finished = self._rung, self._finished
        if rung:
            self._rung = set()
        if finished:
            self._finished = []
        self._lock.__exit__(kind, error, where)
        if error is not None:
            return
        for part in sorted(rung) if len(rung) > 1 else rung:
            bell = self._bells.get(part)
            if bell is not None:
                bell()
        for page in finished:
            page.ring()

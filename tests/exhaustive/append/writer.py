"""A writer whose every call to DynamoDB waits until a step says what becomes of it."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from eventstore.errors import EventStoreError
from eventstore.model import AppendResult

PATIENCE_SECONDS = 60.0
"""A writer that has not come to its next call by then never will."""

Effect = Callable[[], dict[str, Any]]


class EndedError(BaseException):
    """Unwinds a writer whose world is over."""


class HandWriter:
    """Runs one append on a thread of its own, which moves only within a step.

    Attributes:
        name: In the names of steps.
        operation: What it waits for an answer to; None once it has ended.
        late: Requests of it that are on their way though it has given them up.
        result: What the append returned.
        error: What it raised.
        heard: A digest of all that it was told: it does the same whenever it was told the same.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.operation: str | None = None
        self.late: list[Effect] = []
        self.result: AppendResult | None = None
        self.error: BaseException | None = None
        self.heard = b""
        self._effect: Effect | None = None
        self._answer: Callable[[Effect], dict[str, Any]] | None = None
        self._may_go = threading.Semaphore(0)
        self._waits = threading.Semaphore(0)
        self._thread: threading.Thread | None = None

    def carry(self, operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        """Wait for what becomes of a call; see `Passage`."""
        self.operation, self._effect = operation, effect
        self._waits.release()
        assert self._may_go.acquire(timeout=PATIENCE_SECONDS), "nobody says what becomes of the call"
        if self._answer is None:
            raise EndedError
        try:
            reply = self._answer(effect)
        except Exception as error:
            self._note(error)
            raise
        self._note(reply)
        return reply

    def is_current(self) -> bool:
        """Tell whether it is this writer that makes a call just now."""
        return threading.current_thread() is self._thread

    def start(self, append: Callable[[], AppendResult]) -> None:
        """Let it come to its first call."""

        def run() -> None:
            try:
                self.result = append()
            except EndedError:
                pass
            except EventStoreError as error:
                self.error = error
            except BaseException as error:  # noqa: BLE001 - whoever looks at this writer is told
                self.error = error
            self.operation = None
            self._waits.release()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        self._wait()

    def go_through(self) -> None:
        """Let the call take effect, and the answer arrive."""
        self._go(lambda effect: effect())

    def lose_reply(self) -> None:
        """Let the call take effect, and the answer be lost."""

        def answer(effect: Effect) -> dict[str, Any]:
            effect()
            raise ReadTimeoutError(endpoint_url="memory:")

        self._go(answer)

    def lose_request(self) -> None:
        """Let the call never arrive, which the writer can tell."""

        def answer(_effect: Effect) -> dict[str, Any]:
            raise ConnectTimeoutError(endpoint_url="memory:")

        self._go(answer)

    def delay(self) -> None:
        """Let the call arrive later, when nobody waits for its answer any more."""

        def answer(effect: Effect) -> dict[str, Any]:
            self.late.append(effect)
            raise ReadTimeoutError(endpoint_url="memory:")

        self._go(answer)

    def end(self) -> None:
        """Let go of the thread."""
        if self.operation is not None:
            self._answer = None
            self._may_go.release()
        if self._thread is not None:
            self._thread.join(PATIENCE_SECONDS)

    def _go(self, answer: Callable[[Effect], dict[str, Any]]) -> None:
        self._answer = answer
        self._may_go.release()
        self._wait()

    def _wait(self) -> None:
        assert self._waits.acquire(timeout=PATIENCE_SECONDS), f"{self.name} neither calls nor ends"

    def _note(self, told: object) -> None:
        self.heard = hashlib.blake2b(self.heard + repr(told).encode(), digest_size=16).digest()

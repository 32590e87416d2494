"""Asks the outbox what the flow wants to know: whether rows are there, what is owed below them, and their events."""

from collections.abc import Callable, Mapping

import structlog

from eventstore.backoff import Backoff
from eventstore.errors import EventStoreError, TableMissingError, TryLaterError
from eventstore.ports import Runtime
from relay import metrics
from relay.delivery.events import EventReader
from relay.delivery.flow import Flow
from relay.delivery.work.questions import Questions
from relay.lifecycle import Service
from relay.metrics import SILENT, Meter
from relay.outbox.reader import OutboxReader
from relay.outbox.row import Present
from relay.outbox.table import OutboxTable
from relay.progress import PAGE_TURN_SECONDS, Progress

IDLE_SECONDS = 0.5
_PAUSE = Backoff(base_seconds=0.1, cap_seconds=2.0)


class Asker(Service):
    """The part `ask`. One attempt a call: what got no answer is asked again when it is due, others meanwhile.

    Args:
        flow: Whose questions these are.
        reader: Of the outbox; of one attempt.
        events: Of the events; of one attempt.
        table: Notices when the rows that are read are another table's.
        runtime: Clock and waiting.
        meter: Told how long it takes.
        progress: Told that the part turns.
    """

    def __init__(
        self,
        *,
        flow: Flow,
        reader: OutboxReader,
        events: EventReader,
        table: OutboxTable,
        runtime: Runtime,
        meter: Meter = SILENT,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(runtime)
        self._flow = flow
        self._reader = reader
        self._events = events
        self._table = table
        self._meter = meter
        self._progress = progress or Progress(runtime)
        self._bell = runtime.channel(1)
        self._failures = 0
        self._log = structlog.get_logger()
        flow.on_work("asker", self._ring)

    def stop(self) -> None:
        """See `Service`."""
        super().stop()
        self._ring()

    def _ring(self) -> None:
        self._bell.put(True, 0)

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {"ask": self._run}

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._progress.turned("ask", PAGE_TURN_SECONDS)
            questions = self._flow.questions()
            if questions.is_empty():
                self._bell.get(IDLE_SECONDS)
                continue
            with self._meter.timed(metrics.STAGE_SECONDS, "ask"):
                is_answered = self._ask(questions)
            if is_answered:
                self._failures = 0
                continue
            self._failures += 1
            self._stopping.wait(_PAUSE.delay_seconds(self._failures, self._runtime.uniform()))
        self._progress.ended("ask")

    def _ask(self, questions: Questions) -> bool:
        """Ask, each kind by calls of its own; False when DynamoDB did not answer one of them."""
        results = [
            self._try(self._ask_rows, questions.asking()),
            *(self._try(self._bring, questions.bringing(bring)) for bring in questions.brings),
            self._try(self._fetch, questions.fetching()),
        ]
        return all(results)

    def _try(self, ask: Callable[[Questions], None], questions: Questions) -> bool:
        if questions.is_empty():
            return True
        try:
            ask(questions)
        except TryLaterError as error:
            self._log.warning("question.postponed", error=str(error))
            self._flow.unanswered(questions)
            return False
        except EventStoreError as error:  # an operator may set it right while we wait
            self._log.error("question.failed", error=str(error))
            self._flow.unanswered(questions)
            if isinstance(error, TableMissingError):
                self._flow.void()
            return False
        return True

    def _ask_rows(self, questions: Questions) -> None:
        asked_at, mark = self._runtime.monotonic(), self._table.mark()
        keys = list(dict.fromkeys(key for _, keys in questions.asks for key in keys))
        answers = self._reader.ask_once(keys, questions.whole)
        is_news = any(isinstance(answers[key], Present) for key in answers.keys() - questions.in_hand)
        if is_news and not self._table.is_still(mark):
            return  # who asked is gone
        self._flow.answered(questions.asks, answers, asked_at)

    def _bring(self, questions: Questions) -> None:
        asked_at, mark = self._runtime.monotonic(), self._table.mark()
        (bring,) = questions.brings
        rows, more = self._reader.earlier(bring.aggregate.id, bring.above, bring.below, bring.limit)
        if rows and not self._table.is_still(mark):
            return  # who asked is gone
        self._flow.brought(bring, rows, asked_at, more=more)

    def _fetch(self, questions: Questions) -> None:
        commits = questions.fetches
        rows = self._events.complete([commit.row for commit in commits], questions.bytes_max)
        self._flow.fetched(zip(commits, rows, strict=True))

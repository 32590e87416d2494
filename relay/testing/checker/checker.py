"""Holds what consumers and the index got against what is stored, and that against what writers meant and were told."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from relay.testing.checker.broken import BrokenPromise, BrokenPromises
from relay.testing.checker.bus import BusView
from relay.testing.checker.document import IndexedDocument
from relay.testing.checker.event import TrueEvent, misplaced_keys
from relay.testing.checker.history import StoredHistory
from relay.testing.checker.index import IndexView
from relay.testing.checker.message import SentMessage
from relay.testing.checker.promise import Promise
from relay.testing.checker.verdict import CheckVerdict
from relay.testing.checker.writing import WritersView, WrittenCommit


class DeliveryChecker:
    """Checks a store and its relay from outside: it is told what was seen, as plain values, and knows the promises.

    Whatever is known first is kept for what comes later. Of a message that comes before its event is known, and of a
    document, an imprint is kept, so that a verdict names each field that is wrong, but not what stood there; told of
    the row first, it names both, and keeps the whole event. What nobody tells it of it does not judge: without
    a `written` commit what is stored counts as what was meant.

    It is for one consumer that was bound to everything before the first event. One thread at a time may use each
    method.

    Args:
        prefix: The store's prefix in names on bus and index, `RELAY_NAME_PREFIX`.
        source: The CloudEvents source of the relay's messages; `/<prefix>` when left out.
        repeats_max: How many messages may come that had come before; None for any number.
        has_bus: Whether messages are told of; without them none is missed.
        has_index: Whether documents are told of; as above.
    """

    def __init__(
        self,
        *,
        prefix: str = "inventory",
        source: str | None = None,
        repeats_max: int | None = None,
        has_bus: bool = True,
        has_index: bool = True,
    ) -> None:
        self._bus = BusView(f"/{prefix}" if source is None else source, repeats_max) if has_bus else None
        self._index = IndexView(prefix) if has_index else None
        self._history = StoredHistory()
        self._writings = WritersView()
        self._known: dict[str, TrueEvent] = {}
        self._dropped: set[tuple[str, str, int]] = set()
        self._owed = 0
        self._broken = BrokenPromises()
        self._is_over = False

    @property
    def messages(self) -> int:
        """Messages that came so far, repeats included."""
        return self._bus.messages if self._bus is not None else 0

    @property
    def distinct(self) -> int:
        """Events that came so far."""
        return self._bus.distinct if self._bus is not None else 0

    def has_come(self, event_id: str) -> bool:
        """Tell whether an event has come so far."""
        return self._bus is not None and self._bus.has(event_id)

    def written(self, commit: WrittenCommit) -> list[BrokenPromise]:
        """Learn what a writer meant and was told, once all is known of it; return what that breaks."""
        return self._broken.add(self._writings.written(commit))

    def stored(self, row: Mapping[str, Any]) -> list[BrokenPromise]:
        """Learn of a row of the events table, in any order, and keep its event; return what it breaks by itself."""
        event, broken = self._read(row)
        if event is not None:
            self._known[event.event_id] = event
        return broken

    def came(self, message: SentMessage) -> list[BrokenPromise]:
        """Take the next message of the consumer, in the order in which they came; return what it breaks so far."""
        assert self._bus is not None, "this checker was told that there is no bus"
        return self._broken.add(self._bus.came(message, self._known.get(message.message_id)))

    def indexed(self, document: IndexedDocument) -> list[BrokenPromise]:
        """Take a document of the index, each once, in any order; return what it breaks so far."""
        assert self._index is not None, "this checker was told that there is no index"
        return self._broken.add(self._index.indexed(document, self._known.get(document.document_id)))

    def owed(self, aggregate_id: str, last: int) -> list[BrokenPromise]:
        """Learn that a row is still in the outbox, that of the commit which ends with a number."""
        self._owed += 1
        return self._broken.add([BrokenPromise(Promise.NOTHING_OWED, f"{aggregate_id} {last}", "is in the outbox")])

    def dropped(self, destination: Literal["bus", "index"], aggregate_id: str, last: int) -> None:
        """Learn that an operator has dropped the commit that ends with a number; some of it may have arrived."""
        self._dropped.add((destination, aggregate_id, last))

    def verdict(self, rows: Iterable[Mapping[str, Any]] = ()) -> CheckVerdict:
        """Judge all that was seen, once, when all is quiet.

        Args:
            rows: Rows of the events table that `stored` was not told of. They are not kept, so there may be very many.
        """
        assert not self._is_over, "the verdict is given once"
        self._is_over = True
        for event in self._known.values():
            self._account(event)
        for row in rows:
            found, _ = self._read(row)
            if found is not None:
                self._account(found)
        for view in (self._history, self._writings, self._bus, self._index):
            if view is not None:
                self._broken.add(view.end())
        return CheckVerdict(
            events=self._history.events,
            commits=self._history.commits,
            messages=self.messages,
            distinct=self.distinct,
            documents=self._index.documents if self._index is not None else 0,
            owed=self._owed,
            counts=dict(self._broken.counts),
            broken=tuple(self._broken.kept),
        )

    def _read(self, row: Mapping[str, Any]) -> tuple[TrueEvent | None, list[BrokenPromise]]:
        """Return the event of a row, unless it has none or its id was met before, and what the row breaks by itself."""
        try:
            event = TrueEvent.from_row(row)
        except ValueError as error:
            where = f"the row {row.get('aggregateId')} {row.get('sequenceNumber')}"
            return None, self._broken.add([BrokenPromise(Promise.READABLE, where, str(error))])
        is_new = self._history.is_new(event)
        broken = list(self._history.take(event))
        keys = misplaced_keys(row, event)
        if keys:
            found = "; ".join(f"{name} is {row.get(name)!r}" for name in keys)
            broken.append(BrokenPromise(Promise.INDEX_KEYS, str(event), found))
        return event if is_new else None, self._broken.add(broken)

    def _account(self, event: TrueEvent) -> None:
        """Hold everything else that was seen against an event, at the end."""
        self._broken.add(self._writings.take(event))
        for name, view in (("bus", self._bus), ("index", self._index)):
            if view is not None:
                is_dropped = (name, event.aggregate_id, event.commit_last) in self._dropped
                self._broken.add(view.stored(event, is_dropped=is_dropped))

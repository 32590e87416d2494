"""An index in memory: bulk bodies with `create`, verdicts, searches, and faults on request."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from eventstore.ports import Runtime
from eventstore.search import fields
from eventstore.search.fields import FieldKind
from eventstore.system import SystemRuntime
from relay.destinations.index.bulk_item import CONFLICT, ItemVerdict
from relay.destinations.index.client import IndexClientError, IndexRefusedError, TooLargeError
from relay.destinations.index.holdings import Holding
from relay.destinations.index.settings import HTTP_BODY_MAX_BYTES
from relay.testing.checker.document import IndexedDocument
from relay.testing.received import FoundEvent

CREATED = 201


class InMemoryIndex:
    """An `IndexClient` that keeps documents in this process, and an `IndexReader` of them; safe for several threads.

    Args:
        runtime: Where its lock comes from; the real one when left out.
        body_max_bytes: Largest bulk body taken.
    """

    def __init__(self, runtime: Runtime | None = None, *, body_max_bytes: int = HTTP_BODY_MAX_BYTES) -> None:
        self.prepared = 0
        self.requests = 0
        self.looks = 0
        self._body_max_bytes = body_max_bytes
        self._lock = (runtime or SystemRuntime()).lock()
        self._documents: dict[str, dict[str, dict[str, Any]]] = {}
        self._sources: dict[str, bytes] = {}
        self._failure: IndexClientError | None = None
        self._refusals: dict[str, ItemVerdict] = {}
        self._poison: dict[str, IndexRefusedError] = {}
        self._busy = 0
        self._lost_replies: list[IndexClientError] = []
        self._cut_verdicts = 0
        self._hidden: dict[str, str] = {}
        self._foreign: str | None = None
        self._made = 0
        self._uuids: dict[str, str] = {}
        self._managed: set[str] = set()

    def prepare(self, timeout_seconds: float) -> None:
        """See `IndexClient.prepare`."""
        assert timeout_seconds > 0, "a call without a time-out"
        with self._lock:
            if self._failure is not None:
                raise self._failure
            self.prepared += 1

    def look(self, indices: Collection[str], timeout_seconds: float) -> Mapping[str, str | None]:
        """See `IndexClient.look`."""
        assert timeout_seconds > 0, "a call without a time-out"
        with self._lock:
            self.looks += 1
            if self._failure is not None:
                raise self._failure
            return {index: self._hidden.get(index) for index in indices if index in self._documents}

    def holdings(self, timeout_seconds: float) -> Mapping[str, Holding]:
        """See `IndexClient.holdings`."""
        assert timeout_seconds > 0, "a call without a time-out"
        with self._lock:
            if self._failure is not None:
                raise self._failure
            return {
                index: Holding(self._uuids[index], len(documents), managed=index in self._managed)
                for index, documents in self._documents.items()
            }

    def manage(self, index: str) -> None:
        """Have a lifecycle policy manage an index."""
        with self._lock:
            self._managed.add(index)

    def empty(self, index: str) -> None:
        """Delete all that is in an index."""
        with self._lock:
            for event_id in self._documents[index]:
                del self._sources[event_id]
            self._documents[index] = {}

    def bulk(self, body: bytes, timeout_seconds: float) -> Sequence[ItemVerdict]:
        """See `IndexClient.bulk`."""
        assert timeout_seconds > 0, "a call without a time-out"
        assert body.endswith(b"\n"), "a bulk body ends its last line"
        with self._lock:
            self.requests += 1
            if self._failure is not None:
                raise self._failure
            if len(body) > self._body_max_bytes:
                raise TooLargeError(f"{len(body):,} bytes, at most {self._body_max_bytes:,} are taken")
            lines = body.split(b"\n")[:-1]
            assert len(lines) % 2 == 0, "an action or a document is missing, or one has a line end within"
            for action, _ in _pairs(lines):
                if (error := self._poison.get(json.loads(action)["create"]["_id"])) is not None:
                    raise error
            verdicts = [self._create(json.loads(action), source) for action, source in _pairs(lines)]
            if self._lost_replies:
                raise self._lost_replies.pop()
            if self._cut_verdicts:
                verdicts, self._cut_verdicts = verdicts[: -self._cut_verdicts], 0
            return verdicts

    def close(self) -> None:
        """See `IndexClient.close`."""

    def fail(self, error: IndexClientError | None) -> None:
        """Raise this at every call; None to answer again."""
        with self._lock:
            self._failure = error

    def lose_reply(self, error: IndexClientError) -> None:
        """Carry out the next bulk request and raise this instead of answering."""
        with self._lock:
            self._lost_replies.append(error)

    def cut_reply(self, verdicts: int) -> None:
        """Carry out the next bulk request and leave that many verdicts off the end of the reply."""
        with self._lock:
            self._cut_verdicts = verdicts

    def make(self, index: str) -> None:
        """Have an empty index, as one that events came to before."""
        with self._lock:
            self._born(index)

    def hide(self, index: str, why: str | None) -> None:
        """Have searches not see an index, for a reason; None to have them see it again."""
        with self._lock:
            if why is None:
                self._hidden.pop(index, None)
            else:
                self._hidden[index] = why

    def hide_new(self, why: str | None) -> None:
        """Have searches not see any index that is made from now on, as when another template wins; None to end it."""
        with self._lock:
            self._foreign = why

    def delete(self, index: str) -> None:
        """Delete an index with all that is in it."""
        with self._lock:
            for event_id in self._documents.pop(index, {}):
                del self._sources[event_id]
            self._hidden.pop(index, None)

    def refuse_request(self, event_id: str, error: IndexRefusedError) -> None:
        """Refuse every request that has this event, as an index whose pipeline cannot read it."""
        with self._lock:
            self._poison[event_id] = error

    def refuse(self, event_id: str, status: int, error_type: str, reason: str = "told to refuse") -> None:
        """Refuse an event with this verdict until `accept`."""
        with self._lock:
            self._refusals[event_id] = ItemVerdict(event_id, status, error_type, reason)

    def accept(self, event_id: str) -> None:
        """Refuse an event no longer."""
        with self._lock:
            del self._refusals[event_id]

    def busy_next(self, items: int) -> None:
        """Answer that many items from now on with 429."""
        with self._lock:
            self._busy = items

    def indices(self) -> list[str]:
        """Return the names of the indices, in order."""
        with self._lock:
            return sorted(self._documents)

    def document(self, event_id: str) -> Mapping[str, Any]:
        """Return an event's document.

        Raises:
            KeyError: It is not there.
        """
        with self._lock:
            for documents in self._documents.values():
                if event_id in documents:
                    return documents[event_id]
        raise KeyError(event_id)

    def sources(self) -> list[tuple[str, bytes]]:
        """Return id and JSON text of every document, as they came: what `InMemorySearch` searches in.

        InMemorySearch(documents=index.sources)
        """
        with self._lock:
            return list(self._sources.items())

    def refresh(self) -> None:
        """Nothing to do: what was stored is found at once."""

    def count(self) -> int:
        """Return how many events are there."""
        with self._lock:
            return sum(len(documents) for documents in self._documents.values())

    def event_ids(self) -> Iterator[str]:
        """Yield the id of every event, in order of ids."""
        with self._lock:
            ids = sorted(event_id for documents in self._documents.values() for event_id in documents)
        yield from ids

    def documents(self) -> Iterator[IndexedDocument]:
        """Yield every document, in order of ids; one that is in two indices twice."""
        with self._lock:
            held = [(event_id, index) for index, documents in self._documents.items() for event_id in documents]
            found = [IndexedDocument(each, index, self._documents[index][each]) for each, index in sorted(held)]
        yield from found

    def find_by_type(self, event_type: str, limit: int) -> list[FoundEvent]:
        """Return the latest events of a type, newest first."""
        with self._lock:
            found = [
                document
                for documents in self._documents.values()
                for document in documents.values()
                if document[fields.EVENT_TYPE] == event_type
            ]
        found.sort(key=lambda document: (document[fields.TIMESTAMP], document[fields.EVENT_ID]), reverse=True)
        return [FoundEvent.from_document(document) for document in found[:limit]]

    def _born(self, index: str) -> dict[str, dict[str, Any]]:
        if index not in self._documents:
            self._uuids[index] = f"uuid-{self._made}"
            self._made += 1
        return self._documents.setdefault(index, {})

    def _create(self, action: dict[str, Any], source: bytes) -> ItemVerdict:
        target = action["create"]
        index, event_id = target["_index"], target["_id"]
        if self._busy:
            self._busy -= 1
            return ItemVerdict(event_id, 429, "es_rejected_execution_exception", "told to be busy")
        if event_id in self._refusals:
            return self._refusals[event_id]
        try:
            document = json.loads(source)
        except ValueError as error:
            return ItemVerdict(event_id, 400, "document_parsing_exception", str(error))
        for name in fields.named(FieldKind.FLATTENED):
            if not isinstance(document[name], dict):
                return ItemVerdict(event_id, 400, "document_parsing_exception", f"[{name}] is not an object")
        if index not in self._documents and self._foreign is not None:
            self._hidden[index] = self._foreign
        documents = self._born(index)
        if event_id in documents:
            return ItemVerdict(event_id, CONFLICT, "version_conflict_engine_exception", "document already exists")
        documents[event_id] = document
        self._sources[event_id] = source
        return ItemVerdict(event_id, CREATED)


def _pairs(lines: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(lines[::2], lines[1::2], strict=True)

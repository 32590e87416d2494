"""What the index holds, document by document, each judged as soon as its event is known."""

from collections.abc import Iterator

from relay.testing.checker import document as document_form
from relay.testing.checker.broken import BrokenPromise
from relay.testing.checker.document import IndexedDocument
from relay.testing.checker.event import TrueEvent
from relay.testing.checker.imprint import Imprint
from relay.testing.checker.promise import Promise


class IndexView:
    """Keeps of each document the index that it is in, and an imprint while its event is not known.

    Args:
        prefix: The store's prefix in names of indices.

    Attributes:
        documents: Documents seen, each id once.
    """

    def __init__(self, prefix: str) -> None:
        self.documents = 0
        self._prefix = prefix
        self._held: dict[str, tuple[str, Imprint | None]] = {}

    def indexed(self, document: IndexedDocument, event: TrueEvent | None) -> Iterator[BrokenPromise]:
        """Take a document, and its event when that is known already; yield what it breaks."""
        if document.document_id in self._held:
            other, _ = self._held[document.document_id]
            both = f"is in {other} and in {document.index}"
            yield BrokenPromise(Promise.ONE_DOCUMENT, document.document_id, both)
            return
        self.documents += 1
        imprint = Imprint.of(document_form.fields_of(document)) if event is None else None
        self._held[document.document_id] = (document.index, imprint)
        faults = document_form.document_discrepancies(event, document) if event is not None else []
        if faults:
            yield BrokenPromise(Promise.INDEXED_AS_STORED, str(event), "; ".join(map(str, faults)))

    def stored(self, event: TrueEvent, *, is_dropped: bool) -> Iterator[BrokenPromise]:
        """Learn at the end of an event that is stored; yield what its document breaks, or that there is none."""
        held = self._held.pop(event.event_id, None)
        if held is None:
            if not is_dropped:
                yield BrokenPromise(Promise.INDEXED, str(event), "has no document")
            return
        index, imprint = held
        wanted = document_form.index_of(event, self._prefix)
        if index != wanted:
            yield BrokenPromise(Promise.OWN_MONTH, str(event), f"is in {index}, not in {wanted}")
        faults = imprint.discrepancies(document_form.wanted_fields(event)) if imprint is not None else []
        if faults:
            yield BrokenPromise(Promise.INDEXED_AS_STORED, str(event), "; ".join(map(str, faults)))

    def end(self) -> Iterator[BrokenPromise]:
        """Yield what only shows when all that is stored is known: documents of nothing."""
        for document_id, (index, _) in self._held.items():
            nothing = f"is in {index}, and no event of this id is stored"
            yield BrokenPromise(Promise.ONLY_STORED_INDEXED, document_id, nothing)

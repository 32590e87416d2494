"""The search index of a simulation: an `IndexClient` with bulk verdicts, and what goes wrong with them."""

import json
from collections.abc import Collection, Mapping, Sequence

from relay.destinations.index.bulk_item import CONFLICT, ItemVerdict
from relay.destinations.index.client import IndexLostError, IndexRefusedError, TooLargeError
from relay.destinations.index.holdings import Holdings
from tests.simulation.chance import Chance
from tests.simulation.ledger import Ledger
from tests.simulation.reach import Reach
from tests.simulation.scheduler import Scheduler

CREATED = 201


class SimulatedIndex:
    """Where documents end up; the weather sets `is_down` and `refuses`.

    Attributes:
        made: The indices that there are.
        documents: By event id, in which index it is, and its source.
        hidden: Indices that searches do not see, and why.
        ever_hidden: Event ids that were in one when it was hidden.
    """

    def __init__(self, scheduler: Scheduler, chance: Chance, ledger: Ledger) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._ledger = ledger
        self.reach = Reach()
        self.is_down = False
        self.refuses = False
        self.takes_poison = False
        self.made: set[str] = set()
        self.documents: dict[str, tuple[str, bytes]] = {}
        self.hidden: dict[str, str] = {}
        self.ever_hidden: set[str] = set()

    def prepare(self, timeout_seconds: float) -> None:
        """See `IndexClient.prepare`."""
        self._scheduler.step("index.prepare")
        self._answer_or_not(timeout_seconds)

    def look(self, indices: Collection[str], timeout_seconds: float) -> Mapping[str, str | None]:
        """See `IndexClient.look`."""
        self._scheduler.step("index.look")
        self._answer_or_not(timeout_seconds)
        return dict.fromkeys(self.made.intersection(indices))

    def holdings(self, timeout_seconds: float) -> Holdings:
        """See `IndexClient.holdings`; nobody watches the index of a simulation."""
        raise IndexLostError(f"not in {timeout_seconds} s")

    def bulk(self, body: bytes, timeout_seconds: float) -> Sequence[ItemVerdict]:
        """See `IndexClient.bulk`."""
        self._scheduler.step("index.bulk")
        self._answer_or_not(timeout_seconds)
        lines = body.split(b"\n")[:-1]
        if len(lines) > 2 and self._chance.strikes("index.too_large"):
            raise TooLargeError("told to be small")
        if self._chance.strikes("index.lost_before"):
            raise IndexLostError("lost on the way there")
        verdicts = [self._create(action, source) for action, source in zip(lines[::2], lines[1::2], strict=True)]
        if self._chance.strikes("index.slow"):
            seconds = self._chance.stream("index.slow").uniform(0.1, 8.0)
            self._scheduler.wait("index.slow", None, min(seconds, timeout_seconds))
            if seconds >= timeout_seconds:
                raise IndexLostError("no answer in time")
        self._scheduler.step("index.answered")
        if self._chance.strikes("index.lost_after"):
            raise IndexLostError("lost on the way back")
        if self._chance.strikes("index.cut_reply"):
            return verdicts[:-1]
        return verdicts

    def close(self) -> None:
        """See `IndexClient.close`."""

    def visible(self) -> Sequence[tuple[str, bytes]]:
        """Return the documents that a search sees, by event id."""
        return [(name, source) for name, (index, source) in self.documents.items() if index not in self.hidden]

    def hide(self, index: str) -> None:
        """Let searches not see one of the indices."""
        self.hidden[index] = "is not under the alias inventory-events"
        self.ever_hidden |= {name for name, (place, _) in self.documents.items() if place == index}

    def show(self) -> None:
        """Let searches see all of them."""
        self.hidden.clear()

    def _answer_or_not(self, timeout_seconds: float) -> None:
        if self.is_down or self.reach.is_lost_for(self._scheduler):
            self._scheduler.wait("index.down", None, min(timeout_seconds, 0.2))
            raise IndexLostError("down")
        if self.refuses:
            raise IndexRefusedError(403, "told to refuse")

    def _create(self, action: bytes, source: bytes) -> ItemVerdict:
        ((verb, create),) = json.loads(action).items()
        document = json.loads(source)
        event_id = create["_id"]
        self._ledger.see_document(create, document)
        self.made.add(create["_index"])
        if self._chance.strikes("index.busy_item"):
            return ItemVerdict(event_id, 429, "es_rejected_execution_exception", "told to be busy")
        if self._chance.strikes("index.failed_item"):
            return ItemVerdict(event_id, 503, "unavailable_shards_exception", "told to fail")
        if document["data"].get("poison") and not self.takes_poison:
            return ItemVerdict(event_id, 400, "document_parsing_exception", "poison")
        if event_id in self._ledger.taken.indexed and verb != "create":
            self._ledger.broken("a document is written once", f"{event_id} is there, and {verb} writes over it")
        if event_id in self._ledger.taken.indexed:
            return ItemVerdict(event_id, CONFLICT, "version_conflict_engine_exception", "there already")
        self._ledger.taken.indexed.add(event_id)
        self.documents[event_id] = create["_index"], source
        return ItemVerdict(event_id, CREATED)

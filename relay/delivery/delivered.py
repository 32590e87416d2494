"""What this process has seen delivered to the bus, so that most predecessors need no query."""

from collections import OrderedDict
from collections.abc import Iterable

from eventstore.ports import Runtime


class DeliveredMemory:
    """Per aggregate the highest sequence number known to be on the bus; the least recently used are forgotten.

    Forgetting costs a question, never an order. Parts share one memory.
    """

    def __init__(self, runtime: Runtime, aggregates_max: int) -> None:
        self._lock = runtime.lock()
        self._known: OrderedDict[str, int] = OrderedDict()
        self._aggregates_max = aggregates_max

    def recall(self, aggregate_ids: Iterable[str]) -> dict[str, int]:
        """Return what is known of these aggregates."""
        with self._lock:
            known: dict[str, int] = {}
            for aggregate_id in aggregate_ids:
                number = self._known.get(aggregate_id)
                if number is not None:
                    self._known.move_to_end(aggregate_id)
                    known[aggregate_id] = number
            return known

    def note(self, aggregate_id: str, number: int) -> None:
        """Remember that the bus has an aggregate's events up to this number."""
        with self._lock:
            self._known[aggregate_id] = max(number, self._known.get(aggregate_id, 0))
            self._known.move_to_end(aggregate_id)
            if len(self._known) > self._aggregates_max:
                self._known.popitem(last=False)

    def forget_all(self) -> None:
        """Forget everything: the tables may have been recreated, and numbers begin at 1 again."""
        with self._lock:
            self._known.clear()

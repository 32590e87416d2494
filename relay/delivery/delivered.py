"""What this process has seen delivered to the bus, so that most predecessors need no query."""

from collections import OrderedDict

from eventstore.ports import Runtime


class DeliveredMemory:
    """Per aggregate the highest sequence number known to be on the bus; the least recently used are forgotten.

    It spares questions, and decides nothing else. Forgetting costs a question, never an order. Parts share one memory.
    """

    def __init__(self, runtime: Runtime, aggregates_max: int) -> None:
        self._lock = runtime.lock()
        self._known: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._aggregates_max = aggregates_max

    def recall(self, aggregate_id: str, epoch: int) -> int:
        """Return the highest number known of an aggregate; 0 when none is known of this epoch of the store."""
        with self._lock:
            known = self._known.get(aggregate_id)
            if known is None or known[0] != epoch:
                return 0
            self._known.move_to_end(aggregate_id)
            return known[1]

    def note(self, aggregate_id: str, epoch: int, number: int) -> None:
        """Remember that the bus has an aggregate's events up to this number."""
        with self._lock:
            before = self._known.get(aggregate_id)
            if before is None or before[0] != epoch or before[1] < number:
                self._known[aggregate_id] = epoch, number
            self._known.move_to_end(aggregate_id)
            if len(self._known) > self._aggregates_max:
                self._known.popitem(last=False)

    def forget(self, aggregate_id: str) -> None:
        """Forget an aggregate: what was known of it is refuted."""
        with self._lock:
            self._known.pop(aggregate_id, None)

    def forget_all(self) -> None:
        """Forget everything: the tables are others, and numbers begin at 1 again."""
        with self._lock:
            self._known.clear()

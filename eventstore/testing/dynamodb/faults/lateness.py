"""Late effects of a commit: records on their way into a feed, changes on their way into an index."""

from collections.abc import Callable, Hashable
from heapq import heappop, heappush


class Late:
    """Effects that wait for their time. Those about one thing happen in the order in which they were handed over."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Hashable, Callable[[], object]]] = []
        self._due_ms: dict[Hashable, tuple[int, int]] = {}
        self._number = 0

    def is_waiting(self, about: Hashable) -> bool:
        """Tell whether an effect about this thing still waits."""
        return about in self._due_ms

    def follow(self, about: Hashable, due_ms: int, now_ms: int, effect: Callable[[], object]) -> None:
        """Let an effect happen at its time, not before an earlier one about the same thing; at once if it is due."""
        earlier = self._due_ms.get(about)
        if earlier is None and due_ms <= now_ms:
            effect()
            return
        if earlier is not None:
            due_ms = max(due_ms, earlier[0])
        self._number += 1
        self._due_ms[about] = due_ms, self._number
        heappush(self._waiting, (due_ms, self._number, about, effect))

    def release(self, now_ms: int | None) -> None:
        """Apply what is due; everything when no time is given."""
        while self._waiting and (now_ms is None or self._waiting[0][0] <= now_ms):
            due_ms, number, about, effect = heappop(self._waiting)
            if self._due_ms.get(about) == (due_ms, number):
                del self._due_ms[about]
            effect()

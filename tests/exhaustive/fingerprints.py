"""What tells the states of the product's objects apart: their structure, with moments as the product compares them.

Objects are numbered as they are met, so that it does not matter which ones they are. Moments count by their order, and
by how far they are from now: to a tenth of a second ahead, to a second behind. The product compares moments with each
other, and their distance from now with its times. Beyond the longest of these all distances are one.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import FunctionType, MethodType
from typing import Any

from eventstore.model import RecordedEvent
from eventstore.rows.outbox import OutboxRow

MOMENTS_FROM = 500_000.0
"""Floats from here on are moments of a clock that begins well above, and those below are times."""

OLD_SECONDS = 70.0
"""The longest time with which the age of a moment is compared is 60 s."""


class Fingerprint:
    """Collects what tells a state from others.

    Args:
        now: By the monotonic clock.
        skipped: Classes whose objects say nothing about the state.
        wall: How far the wall clock is ahead of the monotonic one, in seconds.
    """

    def __init__(self, now: float, skipped: tuple[type, ...] = (), wall: float = 0.0) -> None:
        self._wall = wall
        self._now = now
        self._skipped = skipped
        self._tokens: list[Any] = []
        self._moments: list[int] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []

    def add(self, value: Any) -> None:
        """Add a value, with everything that it refers to."""
        kind = type(value)
        handle = _HANDLERS.get(kind)
        if handle is not None:
            handle(self, value)
        elif isinstance(value, self._skipped):
            pass
        elif isinstance(value, Enum):
            self._tokens.append(value.value)
        elif isinstance(value, Mapping):
            self._add_mapping(value)
        elif isinstance(value, tuple):
            self._add_sequence(value)
        else:
            self._add_object(value)

    def value(self) -> Hashable:
        """Return what was collected."""
        order = {moment: rank for rank, moment in enumerate(sorted({self._tokens[at] for at in self._moments}))}
        for at in self._moments:
            moment = self._tokens[at]
            self._tokens[at] = (order[moment], self._distance(moment))
        return tuple(self._tokens)

    def _distance(self, moment: float) -> float:
        distance = moment - self._now
        return OLD_SECONDS if distance < -OLD_SECONDS else round(distance, 1 if distance > 0 else 0)

    def _add_plain(self, value: Any) -> None:
        self._tokens.append(value)

    def _add_float(self, value: float) -> None:
        if value > MOMENTS_FROM and value != float("inf"):
            self._moments.append(len(self._tokens))
        self._tokens.append(value)

    def _add_row(self, row: OutboxRow) -> None:
        marks = tuple(sorted(row.parked)), row.defect
        self._tokens.append((row.key, row.commit_id, tuple(sorted(row.delivered)), marks, row.events is None))
        for name, mark in row.refused.items():
            self._tokens.append((name, mark.attempts))
            self._add_float(mark.until_ms / 1000 - self._wall)

    def _add_event(self, event: RecordedEvent) -> None:
        self._tokens.append((event.commit_id, event.sequence_number))

    def _add_sequence(self, values: Any) -> None:
        self._tokens.append("[")
        for value in values:
            self.add(value)
        self._tokens.append("]")

    def _add_mapping(self, values: Mapping[Any, Any]) -> None:
        self._tokens.append("{")
        for key, value in values.items():
            self.add(key)
            self.add(value)
        self._tokens.append("}")

    def _add_set(self, values: Any) -> None:
        """Add a set; its objects must have been met before, so that they have an order."""
        self._tokens.append(tuple(sorted(repr(self._numbers.get(id(value), value)) for value in values)))

    def _add_function(self, function: FunctionType) -> None:
        self._tokens.append(function.__qualname__)
        for cell in function.__closure__ or ():
            self.add(cell.cell_contents)

    def _add_method(self, method: MethodType) -> None:
        self._tokens.append(method.__qualname__)

    def _add_object(self, value: Any) -> None:
        number = self._numbers.get(id(value))
        if number is not None:
            self._tokens.append(("#", number))
            return
        self._numbers[id(value)] = len(self._numbers)
        self._kept.append(value)  # or another object might get its id
        self._tokens.append(type(value).__name__)
        names = [each.name for each in fields(value)] if is_dataclass(value) else sorted(vars(value))
        for name in names:
            self.add(getattr(value, name))


_HANDLERS: dict[type, Callable[[Fingerprint, Any], None]] = {
    **dict.fromkeys((str, int, bool, bytes, type(None)), Fingerprint._add_plain),
    float: Fingerprint._add_float,
    OutboxRow: Fingerprint._add_row,
    RecordedEvent: Fingerprint._add_event,
    **dict.fromkeys((list, tuple, deque), Fingerprint._add_sequence),
    **dict.fromkeys((dict, OrderedDict), Fingerprint._add_mapping),
    **dict.fromkeys((set, frozenset), Fingerprint._add_set),
    FunctionType: Fingerprint._add_function,
    MethodType: Fingerprint._add_method,
}

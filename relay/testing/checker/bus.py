"""What a consumer of the bus gets, message by message: order at once, content as soon as the event is known."""

from collections.abc import Iterator

from relay.testing.checker import message as message_format
from relay.testing.checker.broken import BrokenPromise
from relay.testing.checker.event import TrueEvent
from relay.testing.checker.imprint import Imprint
from relay.testing.checker.message import EPOCH, SEQUENCE_NUMBER, SUBJECT, SentMessage
from relay.testing.checker.promise import Promise


class BusView:
    """Keeps an imprint of each event that came.

    Args:
        source: The CloudEvents source of the relay's messages.
        repeats_max: How many messages may come that had come before; None for any number.

    Attributes:
        messages: Messages that came, repeats included.
        distinct: Events that came.
    """

    def __init__(self, source: str, repeats_max: int | None) -> None:
        self.messages = 0
        self.distinct = 0
        self._source = source
        self._repeats_max = repeats_max
        self._judged: dict[str, Imprint] = {}
        self._waiting: dict[str, Imprint] = {}
        self._highest: dict[str, tuple[int, int]] = {}

    @property
    def repeats(self) -> int:
        """Messages that had come before."""
        return self.messages - self.distinct

    def has(self, event_id: str) -> bool:
        """Tell whether an event has come."""
        return event_id in self._judged or event_id in self._waiting

    def came(self, message: SentMessage, event: TrueEvent | None) -> Iterator[BrokenPromise]:
        """Take the next message, and its event when that is known already; yield what it breaks."""
        self.messages += 1
        fields = message_format.fields_of(message)
        imprint, event_id = Imprint.of(fields), message.message_id
        before = self._judged.get(event_id) or self._waiting.get(event_id)
        if before is not None:
            changed = before.differing(imprint)
            if changed:
                now = "; ".join(f"{name} is {fields.get(name)!r}" for name in changed)
                yield BrokenPromise(Promise.SAME_AGAIN, _place(message), f"{now}, and was another the first time")
            return
        self.distinct += 1
        yield from self._look_at_order(message)
        if event is None:
            self._waiting[event_id] = imprint
            return
        self._judged[event_id] = imprint
        faults = message_format.message_discrepancies(event, message, self._source)
        if faults:
            yield BrokenPromise(Promise.SENT_AS_STORED, str(event), "; ".join(map(str, faults)))

    def stored(self, event: TrueEvent, *, is_dropped: bool) -> Iterator[BrokenPromise]:
        """Learn at the end of an event that is stored; yield what its message breaks, or that there is none."""
        if self._judged.pop(event.event_id, None) is not None:
            return
        imprint = self._waiting.pop(event.event_id, None)
        if imprint is None:
            if not is_dropped:
                yield BrokenPromise(Promise.SENT, str(event), "has not come")
            return
        faults = imprint.discrepancies(message_format.wanted_fields(event, self._source))
        if faults:
            yield BrokenPromise(Promise.SENT_AS_STORED, str(event), "; ".join(map(str, faults)))

    def end(self) -> Iterator[BrokenPromise]:
        """Yield what only shows when all that is stored is known: messages of nothing, and too many repeats."""
        for event_id in (*self._judged, *self._waiting):
            yield BrokenPromise(Promise.ONLY_STORED_SENT, event_id, "came, and no event of this id is stored")
        if self._repeats_max is not None and self.repeats > self._repeats_max:
            count = f"{self.repeats} messages had come before, and {self._repeats_max} may"
            yield BrokenPromise(Promise.FEW_REPEATS, "the bus", count)

    def _look_at_order(self, message: SentMessage) -> Iterator[BrokenPromise]:
        headers = message.headers
        aggregate_id, epoch, number = headers.get(SUBJECT), headers.get(EPOCH), headers.get(SEQUENCE_NUMBER)
        if not (isinstance(aggregate_id, str) and isinstance(epoch, int) and isinstance(number, int)):
            return  # no event has such a message, which is found when its content is looked at
        highest = self._highest.get(aggregate_id, (0, 0))
        if (epoch, number) < highest:
            yield BrokenPromise(Promise.IN_ORDER, _place(message), f"came first after no. {highest[1]}")
        self._highest[aggregate_id] = max((epoch, number), highest)


def _place(message: SentMessage) -> str:
    headers = message.headers
    return f"{headers.get(SUBJECT)} no. {headers.get(SEQUENCE_NUMBER)} ({message.message_id})"

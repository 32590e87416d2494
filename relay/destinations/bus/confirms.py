"""Which messages of a session the broker has not answered yet: the delivery tag map, without I/O."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from relay.destinations.bus.broker import BrokerConfusedError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Sent(Generic[T]):
    message_id: str
    item: T


class Confirms(Generic[T]):
    """Tag → what was sent under it, until the broker answers.

    A message that the broker returned is answered by the return: the confirm which follows it says nothing more.
    """

    def __init__(self) -> None:
        self._pending: dict[int, _Sent[T]] = {}  # in order of tags, since tags only grow
        self._tags: dict[str, int] = {}
        self._last_tag = 0

    def __len__(self) -> int:
        return len(self._pending)

    def is_under_way(self, message_id: str) -> bool:
        """Tell whether a message of that id waits for its answer: a return names the id alone."""
        return message_id in self._tags

    def sent(self, tag: int, message_id: str, item: T) -> None:
        """Note a message that was just sent."""
        assert tag == self._last_tag + 1, f"the session gave tag {tag} after {self._last_tag}"
        assert message_id not in self._tags, f"event {message_id} is under way twice"
        self._last_tag = tag
        self._pending[tag] = _Sent(message_id, item)
        self._tags[message_id] = tag

    def answered(self, tag: int, *, multiple: bool) -> list[T]:
        """Return what an ack or nack answers, in the order of sending; nothing when it was answered before.

        Tag 0 with `multiple` answers everything. Source: AMQP 0-9-1, 1.8.3.13 (basic.ack).

        Raises:
            BrokerConfusedError: It answers what was never sent.
        """
        if multiple and tag == 0:
            tag = self._last_tag
        elif not 1 <= tag <= self._last_tag:
            raise BrokerConfusedError(f"the broker answered tag {tag}, and {self._last_tag} were sent")
        if not multiple:
            return [self._take(tag)] if tag in self._pending else []
        items = []
        while self._pending:
            lowest = next(iter(self._pending))
            if lowest > tag:
                break
            items.append(self._take(lowest))
        return items

    def returned(self, message_id: str) -> T:
        """Return what the broker could not route.

        Raises:
            BrokerConfusedError: It is not under way. Whichever message was meant would be taken for delivered by the
                ack that follows.
        """
        tag = self._tags.get(message_id)
        if tag is None:
            raise BrokerConfusedError(f"the broker returned event {message_id[:255]!r}, which is not under way")
        return self._take(tag)

    def unanswered(self) -> list[T]:
        """Return what has no answer yet, in the order of sending."""
        return [sent.item for sent in self._pending.values()]

    def _take(self, tag: int) -> T:
        sent = self._pending.pop(tag)
        del self._tags[sent.message_id]
        return sent.item

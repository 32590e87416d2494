"""The event bus as a destination: events go over one connection, and are answered by publisher confirms."""

from dataclasses import dataclass, field
from typing import assert_never

from eventstore.model import RecordedEvent
from eventstore.ports import Runtime
from eventstore.rows.outbox import OutboxRow
from relay.destination import BUS, BusLostError, BusNews, Park, Trouble, TroubleKind
from relay.destinations.bus import message
from relay.destinations.bus.broker import (
    HEADER_FRAME_MAX_BYTES,
    Acked,
    Blocked,
    Broker,
    BrokerError,
    BrokerEvent,
    BrokerSession,
    ExchangeGoneError,
    MessageTooLargeError,
    Missing,
    Nacked,
    Returned,
    TopologyError,
    Unblocked,
)
from relay.destinations.bus.confirms import Confirms
from relay.destinations.bus.routing import Routing
from relay.destinations.bus.settings import BusSettings


@dataclass(slots=True)
class _Link:
    """A session and what is known of it."""

    session: BrokerSession
    under_way: Confirms[object] = field(default_factory=Confirms)
    blocked: Blocked | None = None
    returned: Returned | None = None
    failure: BrokerError | None = None  # it broke in the midst of news: told when those have been


@dataclass(slots=True)
class _Heard:
    taken: list[object] = field(default_factory=list)
    refused: list[object] = field(default_factory=list)
    returned: list[object] = field(default_factory=list)


class Bus:
    """The `EventBus` on a broker.

    After any error the connection is thrown away: what is unanswered counts as unsent, and a late confirm must not be
    taken for one of a later attempt.
    """

    name = BUS

    def __init__(self, broker: Broker, runtime: Runtime, settings: BusSettings | None = None) -> None:
        self._broker = broker
        self._runtime = runtime
        self._settings = settings or BusSettings()
        self._message_max_bytes = self._settings.message_max_bytes
        self._link: _Link | None = None
        self._was_open = False
        self._is_exchange_gone = False
        self.routing = Routing(self._settings.names, runtime)

    @property
    def warning(self) -> str | None:
        """What is amiss though it takes everything; see `EventBus.warning`."""
        return self.routing.warning

    @property
    def window(self) -> int:
        """How many events may be unanswered at once."""
        return self._settings.window

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._link is not None

    def open(self) -> None:
        """Connect; see `EventBus.open`."""
        if self._link is not None:
            return
        try:
            session = self._broker.connect()
        except BrokerError as error:
            raise BusLostError(self._trouble_of(error)) from error
        self._link = _Link(session)
        self._look_for_bindings(session.missing)
        self._was_open = True

    def unsendable(self, row: OutboxRow) -> Park | None:
        """Return why a commit can never be sent, as the limits are known now; None when it can."""
        for event in row.events or ():
            fault = message.unsendable(event, self._message_max_bytes) or self._oversize(event)
            if fault is not None:
                return fault
        return None

    def _oversize(self, event: RecordedEvent) -> Park | None:
        """Return why an event's headers do not fit the frames of this connection, None when they do."""
        if self._link is None or self._link.session.frame_max_bytes >= HEADER_FRAME_MAX_BYTES:
            return None
        return message.oversize(event, self._settings.source_or_default, self._link.session.frame_max_bytes)

    def send(self, event: RecordedEvent, token: object) -> bool:
        """Send an event; see `EventBus.send`."""
        link = self._link
        assert link is not None, "send needs a connection: open it first"
        encoded = message.encode(event, self._settings.source_or_default)
        if link.under_way.is_under_way(encoded.message_id):
            return False  # a return names the id alone; rows that were copied by hand have the ids of others
        try:
            tag = link.session.publish(encoded)
        except BrokerError as error:
            raise BusLostError(self._trouble_of(error)) from error
        link.under_way.sent(tag, encoded.message_id, token)
        self.routing.sent()
        return True

    def listen(self, timeout_seconds: float) -> BusNews[object]:
        """Wait for news; see `EventBus.listen`."""
        link = self._link
        assert link is not None, "listen needs a connection: open it first"
        heard = _Heard()
        try:
            if link.failure is not None:
                raise link.failure
            for event in link.session.poll(timeout_seconds):
                _hear(link, event, heard)
        except BrokerError as error:
            if not (heard.taken or heard.refused or heard.returned):
                raise BusLostError(self._trouble_of(error)) from error
            link.failure = error
        self.routing.answered(confirmed=len(heard.taken), others=len(heard.refused) + len(heard.returned))
        return BusNews(heard.taken, heard.refused, heard.returned, self._trouble(link))

    def wake(self) -> None:
        """End a `listen` that waits, or that is about to begin."""
        link = self._link
        if link is not None:
            link.session.wake()

    def drop(self) -> list[object]:
        """Release the connection; return what was unanswered."""
        if self._link is None:
            return []
        link, self._link = self._link, None
        link.session.close()
        unanswered = link.under_way.unanswered()
        self.routing.answered(others=len(unanswered))
        return unanswered

    def _look_for_bindings(self, missing: Missing | None) -> None:
        """Tell whether an exchange that had bindings is there again without them."""
        is_gone, self._is_exchange_gone = self._is_exchange_gone, False
        if missing is None:
            if is_gone:  # a neighbour was quicker to make it
                self.routing.came_back(None)
        elif missing.unrouted is not None or self._was_open:
            self.routing.came_back(missing.unrouted or 0)

    def _trouble(self, link: _Link) -> Trouble | None:
        if link.returned is not None:
            return Trouble(TroubleKind.MISCONFIGURED, self._why_returned(link.returned))
        if link.blocked is not None:
            return Trouble(
                TroubleKind.OUTAGE,
                f"blocked: the broker accepts no messages ({link.blocked.reason}); look at its memory and disk alarms",
            )
        return None

    def _trouble_of(self, error: BrokerError) -> Trouble | None:
        if isinstance(error, MessageTooLargeError):
            return self._heed_limit(error)
        self._is_exchange_gone |= isinstance(error, ExchangeGoneError)
        kind = TroubleKind.MISCONFIGURED if isinstance(error, TopologyError) else TroubleKind.OUTAGE
        return Trouble(kind, str(error))

    def _heed_limit(self, error: MessageTooLargeError) -> Trouble | None:
        """Learn the broker's limit, so that what is above it is parked the next time, and the rest is sent."""
        if error.limit_bytes >= self._message_max_bytes:
            return Trouble(
                TroubleKind.MISCONFIGURED,
                f"{error}, and yet refused one of at most {self._message_max_bytes:,}: compare its max_message_size",
            )
        self._message_max_bytes = error.limit_bytes
        return None

    def _why_returned(self, returned: Returned) -> str:
        names = self._settings.names
        return (
            f"the broker returned event {returned.message_id} ({returned.code} {returned.text}): no queue is bound to"
            f" {names.exchange} for it, and its alternate exchange {names.unrouted} leads nowhere; restore that"
            " exchange and its queue (they are declared again at each connect), and remove policies that redirect it"
        )


def _hear(link: _Link, event: BrokerEvent, heard: _Heard) -> None:
    match event:
        case Acked(tag, multiple):
            heard.taken += link.under_way.answered(tag, multiple=multiple)
        case Nacked(tag, multiple):
            heard.refused += link.under_way.answered(tag, multiple=multiple)
        case Returned(message_id):
            heard.returned.append(link.under_way.returned(message_id))
            link.returned = link.returned or event
        case Blocked():
            link.blocked = event
        case Unblocked():
            link.blocked = None
        case _:
            assert_never(event)

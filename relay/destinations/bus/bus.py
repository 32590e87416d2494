"""The event bus as a destination: every aggregate in order, many aggregates at once, confirms pipelined."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from eventstore.ports import Runtime
from relay.destination import BUS, Chain, CommitKey, Outcome, Report, Trouble, TroubleKind
from relay.destinations.bus.broker import (
    Acked,
    Blocked,
    Broker,
    BrokerError,
    BrokerEvent,
    BrokerLostError,
    BrokerSession,
    MessageTooLargeError,
    Nacked,
    Returned,
    TopologyError,
    Unblocked,
)
from relay.destinations.bus.chain import ChainCursor
from relay.destinations.bus.confirms import Confirms
from relay.destinations.bus.settings import BusSettings
from relay.permit import DeliveryDeadline

POLL_MAX_SECONDS = 1.0
"""Longest single wait for the broker's acks; each poll also keeps the heartbeat going."""

UNCONFIRMED = "unconfirmed"
NACK = "nack"
TIMEOUT = "timeout"
PERMIT_EXPIRED = "permit_expired"
RETURNED = "returned"
DUPLICATE_ID = "duplicate_id_in_flight"


@dataclass(slots=True)
class _Link:
    """A session and what is known of it. Between deliveries nothing is under way on it."""

    session: BrokerSession
    under_way: Confirms[ChainCursor] = field(default_factory=Confirms)
    blocked: Blocked | None = None
    returned: Returned | None = None


class Bus:
    """The `Destination` of the event bus.

    An event is sent only after the one before it of the same aggregate was confirmed; the window is shared by all
    aggregates. After any error, and whenever something stays unconfirmed, the connection is thrown away: what is
    unconfirmed counts as unsent, and a late confirm must not be taken for one of a later attempt.
    """

    name = BUS
    in_order = True

    def __init__(self, broker: Broker, runtime: Runtime, settings: BusSettings | None = None) -> None:
        self._broker = broker
        self._runtime = runtime
        self._settings = settings or BusSettings()
        self._message_max_bytes = self._settings.message_max_bytes
        self._link: _Link | None = None

    def deliver(self, chains: Sequence[Chain], deadline: DeliveryDeadline) -> Report:
        """Hand commits over; see `Destination.deliver`."""
        if not chains:
            return Report()
        assert len({chain[0].aggregate_id for chain in chains}) == len(chains), "two chains of one aggregate"
        outcomes: dict[CommitKey, Outcome] = {}
        cursors = [
            ChainCursor(
                chain, outcomes, source=self._settings.source_or_default, message_max_bytes=self._message_max_bytes
            )
            for chain in chains
        ]
        trouble = self._attempt(cursors, deadline)
        for cursor in cursors:
            cursor.stop(UNCONFIRMED)
        assert len(outcomes) == sum(len(chain) for chain in chains), "a commit was handed over twice"
        return Report(outcomes, trouble)

    def idle(self) -> None:
        """Keep the heartbeat going; a connection found broken is released, and the next delivery opens another."""
        if self._link is None:
            return
        try:
            for event in self._link.session.poll(0):
                _hear(self._link, event)
        except BrokerError:
            self.close()

    def close(self) -> None:
        """Release the connection."""
        if self._link is not None:
            link, self._link = self._link, None
            link.session.close()

    def _attempt(self, cursors: Sequence[ChainCursor], deadline: DeliveryDeadline) -> Trouble | None:
        try:
            if self._link is None:
                self._link = _Link(self._broker.connect())
            return self._pump(self._link, deque(cursors), deadline)
        except BrokerLostError as error:
            self.close()
            return Trouble(TroubleKind.OUTAGE, str(error))
        except TopologyError as error:
            self.close()
            return Trouble(TroubleKind.MISCONFIGURED, str(error))
        except MessageTooLargeError as error:
            self.close()
            return self._heed_limit(error)

    def _pump(self, link: _Link, ready: deque[ChainCursor], deadline: DeliveryDeadline) -> Trouble | None:
        """Send and listen until every cursor is done, the broker objects, the permit expires, or the time is over."""
        last_call = deadline.budget_seconds * self._settings.last_call
        while True:
            left = deadline.answer_seconds()
            may_send = left > last_call and link.returned is None and not deadline.is_permit_expired()
            if may_send and link.blocked is None:
                self._fill(link, ready, deadline)
            wait = left if link.under_way else left - last_call
            if wait <= 0 or not (link.under_way or (ready and may_send)):
                break
            for event in link.session.poll(min(wait, POLL_MAX_SECONDS)):
                ready.extend(_hear(link, event))
        return self._conclude(link, ready, deadline)

    def _fill(self, link: _Link, ready: deque[ChainCursor], deadline: DeliveryDeadline) -> None:
        while ready and len(link.under_way) < self._settings.window:
            if deadline.is_permit_expired():  # asked each time: the process may have been suspended since
                return
            cursor = ready.popleft()
            message = cursor.next()
            if message is not None and link.under_way.is_under_way(message.message_id):
                cursor.stop(DUPLICATE_ID)  # rows that were copied by hand have the ids of others; each gets its turn
            elif message is not None:
                link.under_way.sent(link.session.publish(message), message.message_id, cursor)

    def _conclude(self, link: _Link, ready: deque[ChainCursor], deadline: DeliveryDeadline) -> Trouble | None:
        unanswered = len(link.under_way)
        if unanswered or link.returned is not None:
            self.close()
        if link.returned is not None:
            return Trouble(TroubleKind.MISCONFIGURED, self._why_returned(link.returned))
        if link.blocked is not None and (unanswered or ready):
            return Trouble(
                TroubleKind.OUTAGE,
                f"blocked: the broker accepts no messages ({link.blocked.reason}); look at its memory and disk alarms",
            )
        if unanswered:
            return Trouble(
                TroubleKind.OUTAGE,
                f"{unanswered} messages stayed unconfirmed at the end of {deadline.budget_seconds:.1f} s;"
                " is the broker slow?",
            )
        for cursor in ready:  # the broker is well, there was more than fits the time, or than we may send
            cursor.stop(PERMIT_EXPIRED if deadline.is_permit_expired() else TIMEOUT)
        return None

    def _why_returned(self, returned: Returned) -> str:
        names = self._settings.names
        return (
            f"the broker returned event {returned.message_id} ({returned.code} {returned.text}): no queue is bound to"
            f" {names.exchange} for it, and its alternate exchange {names.unrouted} leads nowhere; restore that"
            " exchange and its queue (they are declared again at each connect), and remove policies that redirect it"
        )

    def _heed_limit(self, error: MessageTooLargeError) -> Trouble | None:
        """Learn the broker's limit, so that the next attempt parks what is above it and sends the rest."""
        if error.limit_bytes >= self._message_max_bytes:
            return Trouble(
                TroubleKind.MISCONFIGURED,
                f"{error}, and yet refused one of at most {self._message_max_bytes:,}: compare its max_message_size",
            )
        self._message_max_bytes = error.limit_bytes
        return None


def _hear(link: _Link, event: BrokerEvent) -> list[ChainCursor]:
    """Process what the broker sent; return the cursors that may send their next message."""
    match event:
        case Acked(tag, multiple):
            cursors = link.under_way.answered(tag, multiple=multiple)
            for cursor in cursors:
                cursor.confirm()
            return cursors
        case Nacked(tag, multiple):
            for cursor in link.under_way.answered(tag, multiple=multiple):
                cursor.stop(NACK)
        case Returned(message_id):
            cursor_or_none = link.under_way.returned(message_id)
            if cursor_or_none is not None:
                cursor_or_none.stop(RETURNED)
            link.returned = link.returned or event
        case Blocked():
            link.blocked = event
        case Unblocked():
            link.blocked = None
        case _:
            assert_never(event)
    return []

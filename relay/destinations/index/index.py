"""The search index as a destination: bulk requests in any order, and a verdict for every event."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from eventstore import jsontext
from eventstore.ports import Runtime
from eventstore.rows.outbox import OutboxRow
from relay.destination import INDEX, CommitKey, Park, Report, Retry, Trouble, TroubleKind
from relay.destinations.index import bulk_lines
from relay.destinations.index.bulk_item import ItemVerdict, Ruling, rule
from relay.destinations.index.client import (
    IndexBusyError,
    IndexClient,
    IndexClientError,
    IndexLostError,
    IndexRefusedError,
    TooLargeError,
)
from relay.destinations.index.settings import IndexSettings
from relay.destinations.index.tally import Tally
from relay.permit import DeliveryDeadline

LOST_REPLY = "lost_reply"
TIMEOUT = "timeout"
UNSENT = "unsent"

_TOLD_MAX = 200


@dataclass(frozen=True, slots=True)
class _Item:
    commit: CommitKey
    sequence_number: int
    event_id: str
    lines: bytes


_UNAUTHORIZED = 401


class _TimeUpError(Exception):
    """The delivery's budget is used up, or its permit has expired."""


class Index:
    """The `Destination` of the search index. An event that is there already counts as taken; repeats are harmless."""

    name = INDEX

    def __init__(self, client: IndexClient, runtime: Runtime, settings: IndexSettings | None = None) -> None:
        self._client = client
        self._runtime = runtime
        self._settings = settings or IndexSettings()
        self._prepared = False
        self._is_seen_by_looking = False
        self._told: set[str] = set()
        self._log = structlog.get_logger().bind(destination=self.name)

    def deliver(self, commits: Sequence[OutboxRow], deadline: DeliveryDeadline) -> Report:
        """Hand commits over; see `Destination.deliver`."""
        if not commits:
            return Report()
        tally = Tally(commits)
        try:
            trouble = self._attempt(commits, tally, deadline)
        except Exception as error:  # noqa: BLE001 - whatever the client raises, the other destinations go on
            trouble = self._outage(error)
        if trouble is not None:
            self._prepared = False  # whoever fixes the index may have made it again
        return Report(tally.outcomes(UNSENT if trouble else TIMEOUT), trouble)

    def look(self, timeout_seconds: float) -> Report | None:
        """See `Destination.look`; what refused a write is not to be seen by reading."""
        if not self._is_seen_by_looking:
            return None
        try:
            self._client.prepare(min(timeout_seconds, self._settings.bulk_timeout_seconds))
            self._prepared = True
        except Exception as error:  # noqa: BLE001 - as in `deliver`
            return Report(trouble=self._trouble_of(error))
        return Report()

    def close(self) -> None:
        """Release connections."""
        self._client.close()

    def _attempt(self, commits: Sequence[OutboxRow], tally: Tally, deadline: DeliveryDeadline) -> Trouble | None:
        self._is_seen_by_looking = False
        try:
            if not self._prepared:
                self._client.prepare(self._timeout(deadline))
                self._prepared = True
            for batch in self._batches(commits, tally):
                trouble = self._send(batch, tally, deadline)
                if trouble is not None:
                    return trouble
        except IndexClientError as error:
            unheard = isinstance(error, IndexLostError) and not isinstance(error, IndexBusyError)
            is_stranger = isinstance(error, IndexRefusedError) and error.status == _UNAUTHORIZED
            self._is_seen_by_looking = unheard or is_stranger or not self._prepared
            return self._trouble_of(error)
        except _TimeUpError:
            pass  # the index is well, there was more than fits the time
        return None

    def _trouble_of(self, error: Exception) -> Trouble:
        if isinstance(error, IndexLostError):
            return Trouble(TroubleKind.OUTAGE, str(error))
        if isinstance(error, IndexClientError):  # also for its size: what prepares the index is small
            return _misconfigured(str(error))
        return self._outage(error)

    def _outage(self, error: Exception) -> Trouble:
        """Return what an error of the client means that nobody expects; its stack goes to the log, once a kind."""
        kind = type(error).__name__
        if kind not in self._told:
            self._told.add(kind)
            self._log.error("destination.failed", kind=kind, exc_info=True)
        return Trouble(TroubleKind.OUTAGE, f"the index's client failed: {kind}: {str(error)[:_TOLD_MAX]}; see the log")

    def _timeout(self, deadline: DeliveryDeadline) -> float:
        """Return how long the next request may take; what is under way when the permit expires is still waited for."""
        if deadline.left_seconds() <= 0:
            raise _TimeUpError
        return min(deadline.answer_seconds(), self._settings.bulk_timeout_seconds)

    def _batches(self, commits: Sequence[OutboxRow], tally: Tally) -> Iterator[list[_Item]]:
        """Yield batches within both bounds; they are encoded as they are needed. An event beyond them goes alone."""
        batch: list[_Item] = []
        size = 0
        for row in commits:
            for event in row.events or ():
                fault = bulk_lines.unindexable(event)
                if fault is not None:
                    tally.failed(row.key, fault)
                    continue
                try:
                    lines = bulk_lines.encode(event, self._settings)
                except jsontext.FAULTS as error:
                    tally.failed(row.key, bulk_lines.unencodable(event, error))
                    continue
                full = size + len(lines) > self._settings.batch_max_bytes
                if batch and (full or len(batch) == self._settings.batch_max_events):
                    yield batch
                    batch, size = [], 0
                batch.append(_Item(row.key, event.sequence_number, event.event_id, lines))
                size += len(lines)
        if batch:
            yield batch

    def _send(self, batch: list[_Item], tally: Tally, deadline: DeliveryDeadline) -> Trouble | None:
        """Send a batch; one that is too large for the index goes in halves, down to single events."""
        pieces = [batch]
        while pieces:
            piece = pieces.pop()
            try:
                verdicts = self._client.bulk(b"".join(item.lines for item in piece), self._timeout(deadline))
            except TooLargeError as error:
                if len(piece) == 1:
                    tally.failed(piece[0].commit, _too_large(piece[0], error))
                else:
                    middle = len(piece) // 2
                    pieces += [piece[middle:], piece[:middle]]
                continue
            trouble = _judge(piece, verdicts, tally)
            if trouble is not None:
                return trouble
        return None


def _judge(piece: Sequence[_Item], verdicts: Sequence[ItemVerdict], tally: Tally) -> Trouble | None:
    if [item.event_id for item in piece] != [verdict.event_id for verdict in verdicts]:
        for item in piece:
            tally.failed(item.commit, Retry(LOST_REPLY))
        return Trouble(
            TroubleKind.OUTAGE,
            f"{len(piece)} events were sent to the index and its {len(verdicts)} verdicts are incomplete or for"
            " other events; a reply was cut short or changed on its way",
        )
    trouble, busy = None, 0
    for item, verdict in zip(piece, verdicts, strict=True):
        match rule(verdict):
            case Ruling.DONE:
                tally.done(item.commit)
            case Ruling.RETRY:
                busy += 1
                tally.failed(item.commit, Retry(f"status_{verdict.status}"))
            case Ruling.PARK:
                tally.failed(item.commit, _poison(item, verdict))
            case Ruling.MISCONFIGURED:
                tally.failed(item.commit, Retry(f"status_{verdict.status}"))
                trouble = trouble or _misconfigured(f"{_words(verdict)} (status {verdict.status})")
    if trouble is None and busy == len(piece):
        return Trouble(TroubleKind.OUTAGE, f"the index accepts no events now: {_words(verdicts[0])}")
    return trouble


def _words(verdict: ItemVerdict) -> str:
    return f"{verdict.error_type or 'no error type'}: {verdict.reason or 'no reason given'}"


def _misconfigured(reason: str) -> Trouble:
    return Trouble(
        TroubleKind.MISCONFIGURED,
        f"the index refuses: {reason}; check the address, the credentials and their privileges (create_doc and"
        " auto_configure on the indices, manage_index_templates on the cluster), and that indices of the months can"
        " be made and are open; `relay topology check` shows an index with another mapping",
    )


def _poison(item: _Item, verdict: ItemVerdict) -> Park:
    return Park(
        f"the index refuses event {item.sequence_number} ({item.event_id}): {_words(verdict)}",
        verdict.error_type or f"status_{verdict.status}",
    )


def _too_large(item: _Item, error: TooLargeError) -> Park:
    return Park(
        f"event {item.sequence_number} ({item.event_id}) alone makes a request of {len(item.lines):,} bytes: {error};"
        " raise http.max_content_length, or the limit of a proxy before it",
        "too_large",
    )

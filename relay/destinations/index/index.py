"""The search index as a destination: bulk requests in any order, and a verdict for every event."""

from collections import Counter
from collections.abc import Iterator, Sequence

import structlog

from eventstore.ports import Runtime
from eventstore.rows.outbox import OutboxRow
from relay.destination import INDEX, Park, Report, Retry, Trouble, TroubleKind
from relay.destinations.index.batches import Item, batches, body
from relay.destinations.index.bulk_item import ItemVerdict, Ruling, is_of_the_document, rule
from relay.destinations.index.client import (
    IndexBusyError,
    IndexClient,
    IndexClientError,
    IndexLostError,
    IndexRefusedError,
    TooLargeError,
)
from relay.destinations.index.months import Months
from relay.destinations.index.settings import IndexSettings
from relay.destinations.index.tally import Tally
from relay.destinations.index.watch import IndexMemory, Watch
from relay.permit import DeliveryDeadline

LOST_REPLY = "lost_reply"
TIMEOUT = "timeout"
UNSENT = "unsent"
HIDDEN = "hidden_index"

CREATED = 201
_TOLD_MAX = 200

_UNAUTHORIZED = 401

Answer = tuple[Sequence[Item], Sequence[ItemVerdict]]


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
        self._months = Months(client)
        self._watch: Watch | None = None
        self._told: set[str] = set()
        self._log = structlog.get_logger().bind(destination=self.name)

    def deliver(self, commits: Sequence[OutboxRow], deadline: DeliveryDeadline) -> Report:
        """Hand commits over; see `Destination.deliver`."""
        if not commits:
            return Report()
        tally = Tally(commits)
        unpromoted: Counter[str] = Counter()
        try:
            trouble = self._attempt(commits, tally, unpromoted, deadline)
        except Exception as error:  # noqa: BLE001 - whatever the client raises, the other destinations go on
            trouble = self._outage(error)
        if trouble is not None:
            self._prepared = False  # whoever fixes the index may have made it again
            self._months.forget()
        return Report(tally.outcomes(UNSENT if trouble else TIMEOUT), trouble, unpromoted)

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

    def watch(self, memory: IndexMemory) -> None:
        """Look from now on, once a minute, whether the indices still hold what they once held."""
        self._watch = Watch(self._client, memory, self._runtime)

    @property
    def concern(self) -> Trouble | None:
        """See `Concerned`: what the indices have lost."""
        return None if self._watch is None else self._watch.concern

    def idle(self) -> None:
        """Look whether the indices are what they were, when that is due; see `Concerned.idle`."""
        if self._watch is not None and self._watch.is_due:
            self._watch.look()
            self._months.forget()  # somebody may have made one anew, or taken it off the alias

    def close(self) -> None:
        """Release connections."""
        self._client.close()

    def _attempt(
        self, commits: Sequence[OutboxRow], tally: Tally, unpromoted: Counter[str], deadline: DeliveryDeadline
    ) -> Trouble | None:
        self._is_seen_by_looking = False
        try:
            if not self._prepared:
                self._client.prepare(self._timeout(deadline))
                self._prepared = True
            for batch in batches(commits, tally, self._settings):
                trouble = self._send(batch, tally, unpromoted, deadline)
                if trouble is not None:
                    return trouble
        except IndexClientError as error:
            unheard = isinstance(error, IndexLostError) and not isinstance(error, IndexBusyError)
            is_stranger = isinstance(error, IndexRefusedError) and error.status == _UNAUTHORIZED
            self._is_seen_by_looking = unheard or is_stranger or not self._prepared
            return self._trouble_of(error)
        except _TimeUpError:
            pass  # the index is well, there was more than fits the time
        return _hidden(self._months)

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

    def _answer_timeout(self, deadline: DeliveryDeadline) -> float:
        """Return how long it may take to find out what became of something that was sent, also without a permit."""
        if deadline.answer_seconds() <= 0:
            raise _TimeUpError
        return min(deadline.answer_seconds(), self._settings.bulk_timeout_seconds)

    def _send(
        self, batch: list[Item], tally: Tally, unpromoted: Counter[str], deadline: DeliveryDeadline
    ) -> Trouble | None:
        """Send a batch to the indices that a search sees; its other events wait."""
        unknown = self._months.unknown(item.index for item in batch)
        if unknown:
            for unborn in sorted(self._months.look(unknown, self._timeout(deadline))):
                trouble = self._found(unborn, batch, tally, unpromoted, deadline)
                if trouble is not None:
                    return trouble
        for piece, verdicts in self._answers(self._visible(batch, tally), tally, deadline):
            trouble = self._judge(piece, verdicts, tally, unpromoted)
            if trouble is not None:
                return trouble
        return None

    def _found(
        self, unborn: str, batch: list[Item], tally: Tally, unpromoted: Counter[str], deadline: DeliveryDeadline
    ) -> Trouble | None:
        """Have an index made by one event, which counts as taken only when a search sees what came of it."""
        for first in [item for item in batch if item.index == unborn]:
            batch.remove(first)
            for piece, verdicts in self._answers([first], tally, deadline):
                missing = self._months.look([unborn], self._answer_timeout(deadline))
                trouble = self._judge(piece, verdicts, tally, unpromoted) if self._visible(piece, tally) else None
                if trouble is not None or not missing:
                    return trouble
        return None  # each of them was refused, and none made it

    def _visible(self, items: Sequence[Item], tally: Tally) -> list[Item]:
        """Return the events that go to indices which a search sees, as far as is known; the others wait."""
        for item in items:
            if item.index in self._months.hidden:
                tally.failed(item.commit, Retry(HIDDEN))
        return [item for item in items if item.index not in self._months.hidden]

    def _answers(self, batch: list[Item], tally: Tally, deadline: DeliveryDeadline) -> Iterator[Answer]:
        """Send a batch; one that is too large, or refused for something in it, goes in halves, down to single events.

        Yields:
            What was sent at once, with its verdicts.
        """
        pieces = [batch] if batch else []
        taking: set[str] = set()
        suspects: list[tuple[Item, IndexRefusedError]] = []
        while pieces:
            piece = pieces.pop()
            try:
                verdicts = self._client.bulk(body(piece), self._timeout(deadline))
            except (TooLargeError, IndexRefusedError) as error:
                if isinstance(error, IndexRefusedError) and not error.is_of_the_body:
                    raise
                if len(piece) > 1:
                    middle = len(piece) // 2
                    pieces += [piece[middle:], piece[:middle]]
                elif isinstance(error, TooLargeError):
                    tally.failed(piece[0].commit, _too_large(piece[0], error))
                elif is_of_the_document(error.kind):
                    tally.failed(piece[0].commit, _refused(piece[0], error))
                else:
                    suspects.append((piece[0], error))
                    if len(suspects) > 1 and not taking:
                        raise  # it refuses one after the other: it is not the events
                continue
            taking.update(item.index for item in piece)
            yield piece, verdicts
        for item, refusal in suspects:
            if item.index not in taking:
                raise refusal  # nothing says that the index takes others
            tally.failed(item.commit, _refused(item, refusal))

    def _judge(
        self, piece: Sequence[Item], verdicts: Sequence[ItemVerdict], tally: Tally, unpromoted: Counter[str]
    ) -> Trouble | None:
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
                    if verdict.status == CREATED:  # a repeat is not counted again
                        self._count(item, unpromoted)
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

    def _count(self, item: Item, unpromoted: Counter[str]) -> None:
        for path in item.encoded.unpromoted:
            unpromoted[path] += 1
            if path not in self._told:
                self._told.add(path)
                self._log.warning("index.not_promoted", field=path, event_id=item.event_id)


def _words(verdict: ItemVerdict) -> str:
    return f"{verdict.error_type or 'no error type'}: {verdict.reason or 'no reason given'}"


def _hidden(months: Months) -> Trouble | None:
    if not months.hidden:
        return None
    index, why = min(months.hidden.items())
    more = f", and {len(months.hidden) - 1} more" if len(months.hidden) > 1 else ""
    return Trouble(
        TroubleKind.MISCONFIGURED,
        f"index {index} {why}{more}: no search sees its events, so those for it wait. Another index template that meets"
        " its name has a higher priority, or somebody made or changed it: `relay topology check` says more. Lower that"
        " template, delete the index (its events are still owed when it was just made), or mend it by"
        " `relay topology apply`",
    )


def _misconfigured(reason: str) -> Trouble:
    return Trouble(
        TroubleKind.MISCONFIGURED,
        f"the index refuses: {reason}; check the address, the credentials and their privileges (create_doc,"
        " auto_configure, view_index_metadata and monitor on the indices, monitor on the cluster, and"
        " manage_index_templates while the template is missing or older), and that indices of the months can"
        " be made and are open; `relay topology check` shows an index with another mapping",
    )


def _poison(item: Item, verdict: ItemVerdict) -> Park:
    return Park(
        f"the index refuses event {item.sequence_number} ({item.event_id}): {_words(verdict)}",
        verdict.error_type or f"status_{verdict.status}",
    )


def _refused(item: Item, error: IndexRefusedError) -> Park:
    return Park(
        f"the index refuses every request with event {item.sequence_number} ({item.event_id}): {error.reason}",
        error.kind,
    )


def _too_large(item: Item, error: TooLargeError) -> Park:
    return Park(
        f"event {item.sequence_number} ({item.event_id}) alone makes a request of {len(item.encoded.lines):,} bytes:"
        f" {error}; raise http.max_content_length, or the limit of a proxy before it",
        "too_large",
    )

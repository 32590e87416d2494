"""Deliberate bugs of the flow: order, claims, pages, room, waking and patience; see `bugs`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from relay.delivery.aggregate import Aggregate, Turn
from relay.delivery.commit import OwedCommit
from relay.delivery.flow import Flow
from relay.delivery.page import CommitPage, Fate, PageTracker
from relay.delivery.pumps import bus_pump
from relay.delivery.pumps.bus_pump import BusPump
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.source import Source
from relay.destination import BusNews, Park, Report, Trouble
from relay.destinations.bus.bus import Bus
from relay.permit import may_begin
from tests.simulation.bugs import planted

_GOES_ON = "what a standing fault does not concern goes on"
_SENT_AGAIN = "a process sends nothing again that was confirmed to it"


@planted("first-permit-only", "every shard is read to its end", "everything drains when faults stop")
def _first_permit_only() -> Iterator[None]:
    """Who hands in what somebody else claims already gets no claim of its own, and loses it with the other."""
    honest = Flow._join

    def join(self: Flow, source: Source, page: CommitPage, row: Any, *rest: Any, **how: Any) -> None:
        honest(self, source, page, row, *rest, **how)
        aggregate = self._aggregates.get(row.aggregate_id)
        if aggregate is not None:
            for other in list(aggregate.claims)[1:]:
                del aggregate.claims[other]
                other.aggregates.pop(aggregate.id, None)

    with patch.object(Flow, "_join", join):
        yield


@planted("any-lease-of-the-worker", "a fenced worker publishes nothing")
def _any_lease_of_the_worker() -> Iterator[None]:
    """An event goes while any lease of the worker holds, whether or not the commit was handed in under it."""

    sources: WeakKeyDictionary[Flow, list[Source]] = WeakKeyDictionary()
    honest = Flow.open_source

    def open_source(self: Flow, *what: Any, **how: Any) -> Source:
        source = honest(self, *what, **how)
        sources.setdefault(self, []).append(source)
        return source

    def may_send(self: BusPump, _turn: Turn, _now: float) -> bool:
        return may_begin(source.permit for source in sources.get(self._flow, ()) if not source.is_gone)

    with patch.object(Flow, "open_source", open_source), patch.object(BusPump, "_may_send", may_send):
        yield


@planted(
    "brought-without-the-claims-above",
    "a fenced worker publishes nothing",
    "nothing is begun while delivery is paused",
)
def _brought_without_the_claims_above() -> Iterator[None]:
    """What was brought along goes whether or not those who claim what is above it may still send."""
    honest = BusPump._may_send

    def may_send(self: BusPump, turn: Turn, now: float) -> bool:
        return turn.commit.source is None or honest(self, turn, now)

    with patch.object(BusPump, "_may_send", may_send):
        yield


@planted("entry-joined-twice", _SENT_AGAIN, "a long aggregate goes at its own pace", "no part of a relay dies")
def _entry_joined_twice() -> Iterator[None]:
    """A commit that is handed in again while one of its events is unanswered is another one."""
    honest, remove = Flow._join, Flow._remove

    def join(self: Flow, source: Source, page: CommitPage, row: Any, *rest: Any, **how: Any) -> None:
        aggregate = self._aggregates.get(row.aggregate_id)
        if aggregate is not None and row.last in aggregate.commits and aggregate.commits[row.last].is_under_way:
            del aggregate.commits[row.last]
        honest(self, source, page, row, *rest, **how)

    def remove_either(self: Flow, aggregate: Aggregate, commit: OwedCommit, fate: Fate) -> None:
        aggregate.commits.setdefault(commit.last, commit)
        remove(self, aggregate, commit, fate)

    with patch.object(Flow, "_join", join), patch.object(Flow, "_remove", remove_either):
        yield


@planted("progress-forgotten-with-the-connection", _SENT_AGAIN)
def _progress_forgotten_with_the_connection() -> Iterator[None]:
    """A commit whose event was not answered before the connection broke begins again."""
    honest = Flow.unsent

    def unsent(self: Flow, turns: Sequence[Turn]) -> None:
        for turn in turns:
            turn.commit.sent = 0
        honest(self, turns)

    with patch.object(Flow, "unsent", unsent):
        yield


@planted("checkpoint-past-a-held-page", "a checkpoint passes nothing that is owed")
def _checkpoint_past_a_held_page() -> Iterator[None]:
    """The newest page that is dealt with takes those before it along."""

    def advance(self: PageTracker[Any], _overdue_since: float | None = None) -> tuple[Any, list[CommitPage]]:
        dealt_with = [index for index, (page, _) in enumerate(self._pages) if page.is_dealt_with]
        passed = [self._pages.popleft() for _ in range(dealt_with[-1] + 1 if dealt_with else 0)]
        positions = [behind for _, behind in passed if behind is not None]
        return positions[-1] if positions else None, [page for page, _ in passed]

    with patch.object(PageTracker, "advance", advance):
        yield


@planted("withdrawn-told-as-dealt-with", "a checkpoint passes nothing that is owed")
def _withdrawn_told_as_dealt_with() -> Iterator[None]:
    """A page of which rows were let go of because nobody may send them any more counts as dealt with."""
    with patch.object(CommitPage, "is_dealt_with", CommitPage.is_over):
        yield


@planted("window-slot-leaks", "everything drains when faults stop", "what a standing fault does not concern goes on")
def _window_slot_leaks() -> Iterator[None]:
    """The place in the window of an event that is refused is never free again."""
    window, listen = Bus.window.fget, Bus.listen  # type: ignore[attr-defined]
    leaked: dict[Bus, int] = {}

    def leaking(self: Bus, timeout_seconds: float) -> BusNews[object]:
        news = listen(self, timeout_seconds)
        leaked[self] = leaked.get(self, 0) + len(news.refused)
        return news

    def left(self: Bus) -> int:
        return max(0, int(window(self)) - leaked.get(self, 0))

    with patch.object(Bus, "window", property(left)), patch.object(Bus, "listen", leaking):
        yield


@planted("budget-never-doubles", "silence is waited for longer each time")
def _budget_never_doubles() -> Iterator[None]:
    """A bus that takes longer than the budget is sent a copy after each budget, for ever."""
    honest = BusPump._lose

    def lose(self: BusPump, trouble: Trouble | None) -> None:
        before = self._budget
        honest(self, trouble)
        self._budget = before

    with patch.object(BusPump, "_lose", lose):
        yield


@planted("pause-forgotten-at-a-join", "what is refused waits longer each time")
def _pause_forgotten_at_a_join() -> Iterator[None]:
    """An aggregate that waits alone is tried at once when somebody hands in more of it."""
    honest = Flow._join

    def join(self: Flow, source: Source, page: CommitPage, row: Any, *rest: Any, **how: Any) -> None:
        aggregate = self._aggregates.get(row.aggregate_id)
        if aggregate is not None:
            aggregate.refusal, aggregate.due_at = None, 0.0
        honest(self, source, page, row, *rest, **how)

    with patch.object(Flow, "_join", join):
        yield


@planted("pause-forgotten-at-letting-go", "what is refused waits longer each time")
def _pause_forgotten_at_letting_go() -> Iterator[None]:
    """An aggregate that waits alone is tried at once when it comes back after nobody had claimed it."""
    honest = Flow._discard

    def discard(self: Flow, aggregate: Aggregate, **how: Any) -> None:
        aggregate.refusal = None
        honest(self, aggregate, **how)

    with patch.object(Flow, "_discard", discard):
        yield


@planted("lost-wake-up", "everything drains when faults stop", _GOES_ON)
def _lost_wake_up() -> Iterator[None]:
    """What may go after a question was answered wakes nobody who waits for work."""
    honest = Flow.answered

    def answered(self: Flow, *arguments: Any) -> None:
        lock = self._lock
        bells = lock._bells
        lock._bells = {part: bell for part, bell in bells.items() if part != "bus"}
        honest(self, *arguments)
        lock._bells = bells

    with patch.object(Flow, "answered", answered), patch.object(bus_pump, "LISTEN_MAX_SECONDS", 3_600.0):
        yield


@planted("one-bad-row-parks-the-next", "only what can never be taken is parked")
def _one_bad_row_parks_the_next() -> Iterator[None]:
    """What the index says of one commit counts for the next one in the batch as well."""
    honest = SidePump._answer

    def answer(self: SidePump, commits: Sequence[OwedCommit], report: Report, held: Any) -> None:
        outcomes = dict(report.outcomes)
        for one, other in pairwise(commits):
            if isinstance(report.outcomes[one.key], Park):
                outcomes[other.key] = report.outcomes[one.key]
        honest(self, commits, replace(report, outcomes=outcomes), held)

    with patch.object(SidePump, "_answer", answer):
        yield


@planted("beyond-m-forgotten", "a long aggregate goes at its own pace", "everything drains when faults stop")
def _beyond_m_forgotten() -> Iterator[None]:
    """What is owed of an aggregate beyond those that are kept is never brought."""
    honest = Flow._want_more

    def want_more(self: Flow, aggregate: Aggregate) -> None:
        if aggregate.bring_below:
            honest(self, aggregate)

    with patch.object(Flow, "_want_more", want_more):
        yield

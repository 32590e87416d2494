"""Loads states, decides on them once, and appends what was decided; again after a conflict with another writer."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eventstore.append.appender import Call
from eventstore.append.commit import PreparedCommit
from eventstore.append.unchanged import Unchanged
from eventstore.errors import IdempotencyConflictError, WrongExpectedVersionError
from eventstore.event_metadata import current_traceparent
from eventstore.model import AggregateRef, Append, AppendResult
from eventstore.repository import repeated_commands
from eventstore.repository.deciding.decision import DecidedEvents, with_metadata
from eventstore.repository.deciding.transacted import TransactedMany
from eventstore.repository.folding import Fold, Folded, fold, own
from eventstore.repository.loader import Loaded, StateLoader
from eventstore.repository.snapshot_row import aggregate_key
from eventstore.store import EventStore

S = TypeVar("S")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Named:
    """A command's key, and what tells the command from others."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one transaction, checked.

    Attributes:
        named: The command's key; None without one.
        metadata: For each event.
        max_staleness_seconds: How old a state in memory may be that is decided on; None as the cache policy says.
        attempts_max: Decisions at most.
        is_many: Whether it is about several aggregates, and errors say about which.
    """

    named: Named | None
    metadata: Mapping[str, Any]
    max_staleness_seconds: float | None
    attempts_max: int
    is_many: bool


class Transactor(Generic[S]):
    """Carries out the transactions of one repository. Threads may share it."""

    def __init__(self, store: EventStore, rule: Fold[S], loader: StateLoader[S]) -> None:
        self._store = store
        self._rule = rule
        self._loader = loader

    def run(
        self,
        aggregates: Mapping[str, AggregateRef],
        decide: Callable[[Mapping[str, S]], DecidedEvents],
        terms: Terms,
    ) -> TransactedMany[S]:
        """Load, decide, append; after a conflict load the newest states and decide again.

        Args:
            aggregates: By their ids, in the caller's order.
            decide: The decision about states that it may change, by id.
            terms: What else holds.
        """
        first = self._first_results(aggregates, terms.named)
        states = {name: self._load(name, terms.max_staleness_seconds) for name in aggregates}
        if first:
            return _unchanged(states, first, attempts=0)
        attempt = 1
        while True:  # until it is stored, or attempts are used up
            made = decide({name: own(loaded.state) for name, loaded in states.items()})
            if not made.events:
                return _unchanged(states, {}, attempts=attempt, answer=made.answer)
            try:
                return self._append(aggregates, states, made, terms, attempt)
            except WrongExpectedVersionError as error:
                conflict = error
            self._loader.tally.add("conflicts")
            first = self._first_results(aggregates, terms.named) if terms.is_many else {}
            if first:  # who was faster has carried out this command, and decided about other aggregates of them
                return _unchanged(self._now(states), first, attempts=attempt)
            if attempt == terms.attempts_max:
                raise conflict
            states = self._reload(states, conflict, attempt)
            attempt += 1

    def _append(
        self,
        aggregates: Mapping[str, AggregateRef],
        states: Mapping[str, Loaded[S]],
        made: DecidedEvents,
        terms: Terms,
        attempt: int,
    ) -> TransactedMany[S]:
        """Append under the key; when the same command was faster elsewhere, its result is the answer."""
        named = terms.named
        fields = {name: f"decided[{name!r}]." if terms.is_many else "" for name in made.events}
        appends = [
            Append(
                aggregates[name],
                with_metadata(events, terms.metadata, f"{fields[name]}events"),
                states[name].version,
                None if named is None else named.key,
                None if named is None else named.fingerprint,
            )
            for name, events in made.events.items()
        ]
        after: dict[str, Folded[S]] = {}
        by_commit: dict[str, str] = {}

        def fold_in(prepared: Sequence[PreparedCommit]) -> None:
            for commit in prepared:
                by_commit[commit.commit_id] = commit.aggregate.id
                after[commit.aggregate.id] = self._after(states[commit.aggregate.id], commit)

        call = Call(
            None,
            current_traceparent(),
            list(fields.values()),
            made.also,
            [Unchanged(name, loaded.version) for name, loaded in states.items() if name not in made.events],
            fold_in,
        )
        asked_at = self._store.context.runtime.monotonic()
        try:
            results = self._store._appender.append(appends, call)  # noqa: SLF001 - the store's own way to append
        except IdempotencyConflictError:
            first = self._first_results(aggregates, named)
            if not first:
                raise
            return _unchanged(self._now(states), first, attempts=attempt)
        stored = {result.aggregate.id: result for result in results}
        if any(result.commit_id not in by_commit for result in results):  # a repeat that decided the same
            return _unchanged(self._now(states), stored, attempts=attempt, events=made.events)
        for name, folded in after.items():
            self._loader.keep(aggregate_key(name), states[name].version, folded, asked_at)
        return TransactedMany(
            states,
            made.events,
            stored,
            attempt,
            made.answer,
            states={name: after[name].state if name in after else loaded.state for name, loaded in states.items()},
        )

    def _after(self, before: Loaded[S], commit: PreparedCommit) -> Folded[S]:
        """Return the state that events lead to, before they are stored: what cannot be folded never is."""
        context = self._store.context
        events = (context.decoder.interpret(event, context.tables.events) for event in commit.events)
        return fold(self._rule, Folded(own(before.state), before.version), events)

    def _first_results(self, aggregates: Mapping[str, AggregateRef], named: Named | None) -> dict[str, AppendResult]:
        if named is None:
            return {}
        given = list(aggregates.values())
        return repeated_commands.first_results(self._store.context, given, named.key, named.fingerprint)

    def _load(self, aggregate_id: str, max_staleness_seconds: float | None) -> Loaded[S]:
        key = aggregate_key(aggregate_id)
        return self._loader.load(aggregate_id, key, max_staleness_seconds=max_staleness_seconds)

    def _now(self, states: Mapping[str, Loaded[S]]) -> dict[str, Loaded[S]]:
        return {name: self._load(name, 0) for name in states}

    def _reload(
        self, states: Mapping[str, Loaded[S]], conflict: WrongExpectedVersionError, attempt: int
    ) -> dict[str, Loaded[S]]:
        """Return the newest states, after a random pause, so that writers of one aggregate spread out."""
        context = self._store.context
        _LOG.info("retry: decision %d about aggregate %r, after: %s", attempt + 1, conflict.aggregate_id, conflict)
        context.runtime.sleep(context.options.append_backoff.delay_seconds(attempt, context.runtime.uniform()))
        stale = states[conflict.aggregate_id]
        now = {name: self._load(name, 0) for name in states if name != conflict.aggregate_id}
        if conflict.actual is not None and conflict.actual < stale.version:
            # Memory or snapshot know events that do not exist: a table was replaced.
            newest = self._loader.load_anew(conflict.aggregate_id, aggregate_key(conflict.aggregate_id))
        else:
            newest = self._load(conflict.aggregate_id, 0)
        return {name: newest if name == conflict.aggregate_id else now[name] for name in states}


def _unchanged(
    states: Mapping[str, Loaded[S]],
    results: Mapping[str, AppendResult],
    *,
    attempts: int,
    answer: Any = None,
    events: Mapping[str, tuple[Any, ...]] | None = None,
) -> TransactedMany[S]:
    """Return what it has come to when nothing was stored now."""
    now = {name: loaded.state for name, loaded in states.items()}
    return TransactedMany(states, events or {}, results, attempts, answer, states=now)

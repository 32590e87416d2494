"""Aggregates as states: load one, decide, append what was decided."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eventstore import limits, validation
from eventstore.errors import IdempotencyConflictError, InvalidInputError, WrongExpectedVersionError
from eventstore.event_codec import AppendableEvent
from eventstore.model import AggregateRef, AppendResult
from eventstore.payload.plain import scalar
from eventstore.repository import fold_name as fold_names
from eventstore.repository import repeated_commands
from eventstore.repository.folding import Evolve, Fold
from eventstore.repository.loader import Loaded, StateLoader
from eventstore.repository.policy import NEVER, CachePolicy, SnapshotPolicy
from eventstore.repository.snapshot_row import aggregate_key
from eventstore.repository.state_codec import JsonStateCodec, StateCodec
from eventstore.repository.stats import RepositoryStats
from eventstore.store import EventStore

S = TypeVar("S")
C = TypeVar("C")

Decide = Callable[[S, C], Sequence[AppendableEvent]]
"""Returns the events that a command leads to in a state, none for a no-op. Pure: called again after a conflict."""

TRANSACT_ATTEMPTS_MAX = 8

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Transacted(Generic[S]):
    """The result of a transaction.

    Attributes:
        before: The state that was decided on; for a repeat under an idempotency key, the state now.
        events: What was decided; empty for a no-op and for a repeat.
        result: What the append did, or did the first time; None for a no-op.
        attempts: How often it was decided: 1 when no other writer was met, 0 for a repeat that was seen at once.
    """

    before: Loaded[S]
    events: tuple[AppendableEvent, ...]
    result: AppendResult | None
    attempts: int

    @property
    def version(self) -> int:
        """The aggregate's version after it; for a repeat, after the first time."""
        return self.before.version if self.result is None else self.result.version


@dataclass(frozen=True, slots=True)
class _Named:
    """A command's key, and what tells the command from others."""

    key: str
    fingerprint: str


class Repository(Generic[S]):
    """States of one aggregate type, folded from their events. Threads may share one repository."""

    def __init__(
        self,
        store: EventStore,
        *,
        aggregate_type: str,
        initial: S | Callable[[], S],
        evolve: Evolve[S],
        fold_version: int = 1,
        fold_name: str | None = None,
        snapshots: SnapshotPolicy = NEVER,
        cache: CachePolicy | None = None,
        codec: StateCodec[S] | None = None,
        state_type: Any = None,
    ) -> None:
        """Make a repository.

        Args:
            store: The store.
            aggregate_type: The type of all aggregates in it.
            initial: The state before the first event, or a function that makes one.
            evolve: Returns the state after an event.
            fold_version: Kept with each snapshot, like the name of `evolve`. Raise it whenever `evolve`, an upcaster or
                the state's shape changes, so that older snapshots are ignored.
            fold_name: Kept with each snapshot in place of the name of `evolve`. Needed for snapshots when `evolve` has
                no name of its own: a lambda, a partial, a closure, a method of an object.
            snapshots: When a snapshot is written.
            cache: How many states are kept in memory; 1,000, asked for newer events each time, when left out.
            codec: States as text; `JsonStateCodec` when left out.
            state_type: The states' class for that codec, such as `Order | None`; the initial state's when left out.

        Raises:
            InvalidInputError: An argument cannot be meant.
        """
        aggregate_type = scalar(aggregate_type)
        name = fold_names.fold_name(aggregate_type, evolve, fold_name, is_kept=snapshots.reads)
        rule = Fold(name, checked_version(fold_version), initial, evolve, aggregate_type)
        if codec is None:
            codec = JsonStateCodec(type(rule.start()) if state_type is None else state_type)
        self._store = store
        self._type = aggregate_type
        self._loader = StateLoader(store.context, rule, codec, snapshots, cache or CachePolicy())

    @property
    def stats(self) -> RepositoryStats:
        """What this repository has done so far."""
        return self._loader.stats()

    def load(
        self,
        aggregate_id: str,
        *,
        as_of_sequence: int | None = None,
        as_of_ms: int | None = None,
    ) -> Loaded[S]:
        """Return an aggregate's state, the initial one at version 0 when it has no events.

        Only events above the state in memory or the snapshot are read, consistently: the answer is as new as the
        call, unless the cache policy allows older ones.

        Args:
            aggregate_id: The aggregate.
            as_of_sequence: The state after this event; the newest when the aggregate has fewer.
            as_of_ms: The state right before the first event with a later timestamp. Timestamps are the writers' word
                and may run backwards, numbers never do.

        Raises:
            InvalidInputError: The id cannot be one, or both `as_of` were given.
            AggregateTypeError: The events are of another type.
            CorruptRowError: An event cannot be read; a state without it would be wrong.
            EventSchemaError: Same as above; register what it names.
            TryLaterError: DynamoDB did not answer in time; loading again is safe.
        """
        aggregate_id = validation.check_aggregate_id(aggregate_id)
        if as_of_sequence is None and as_of_ms is None:
            return self._loader.load(aggregate_id, aggregate_key(aggregate_id))
        check_as_of(as_of_sequence, as_of_ms)
        return self._loader.load_as_of(aggregate_id, aggregate_key(aggregate_id), as_of_sequence, as_of_ms)

    def transact(
        self,
        aggregate_id: str,
        decide: Decide[S, C],
        command: C,
        *,
        idempotency_key: str | None = None,
        command_fingerprint: str | None = None,
        attempts_max: int = TRANSACT_ATTEMPTS_MAX,
    ) -> Transacted[S]:
        """Load, decide, append; after a conflict with another writer load the newest state and decide again.

        What `decide` raises reaches the caller as it is, and nothing is stored.

        Args:
            aggregate_id: The aggregate.
            decide: The decision.
            command: What it is about.
            idempotency_key: Names the command for ever, within the aggregate: a repeat gets the first result and
                decides nothing, whatever it would decide by now. A no-op leaves no trace, so its repeat is decided.
            command_fingerprint: What tells this command from others under the same key, text of 1 to 1,024 bytes; a
                digest of the command's type and fields when left out. Give one where fields differ from delivery to
                delivery, such as a time of receipt, or leave those out with `field(compare=False)`.
            attempts_max: Decisions at most.

        Returns:
            What was decided and stored; `result` is None when there was nothing to store.

        Raises:
            WrongExpectedVersionError: Other writers were faster each time. Nothing is stored; try later.
            InvalidInputError: What was decided cannot be stored, or no fingerprint can be made of the command.
            IdempotencyConflictError: The key stands for another command. Nothing is stored.
            CorruptRowError: The key is there, and its commit is not.
            EventStoreError: As `load` and `EventStore.append`.
        """
        aggregate_id = validation.check_aggregate_id(aggregate_id)
        if isinstance(attempts_max, bool) or not isinstance(attempts_max, int) or attempts_max < 1:
            raise InvalidInputError("attempts_max", f"is {attempts_max!r}; one attempt at least")
        aggregate = AggregateRef(self._type, aggregate_id)
        validation.check_aggregate(aggregate)
        if command_fingerprint is not None:
            validation.check_fingerprint(command_fingerprint, idempotency_key)
        first = named = None
        if idempotency_key is not None:
            idempotency_key = validation.check_text_key(idempotency_key, "idempotency_key", limits.SORT_KEY_MAX_BYTES)
            named = _Named(idempotency_key, command_fingerprint or repeated_commands.fingerprint_of(command))
            first = self._first_result(aggregate, named)
        loaded = self._loader.load(aggregate_id, aggregate_key(aggregate_id))
        if first is not None:
            return Transacted(loaded, (), first, 0)
        attempt = 1
        while True:
            events = tuple(decide(loaded.state, command))
            if not events:
                return Transacted(loaded, events, None, attempt)
            try:
                stored, result = self._append(aggregate, events, loaded.version, named)
            except WrongExpectedVersionError as conflict:
                self._loader.tally.add("conflicts")
                if attempt == attempts_max:
                    raise
                loaded = self._reload(aggregate_id, loaded, conflict, attempt)
                attempt += 1
            else:
                return Transacted(loaded, stored, result, attempt)

    def _append(
        self,
        aggregate: AggregateRef,
        events: tuple[AppendableEvent, ...],
        version: int,
        named: "_Named | None",
    ) -> tuple[tuple[AppendableEvent, ...], AppendResult]:
        """Append under the key; when the same command was faster elsewhere, its result is the answer."""
        if named is None:
            return events, self._store.append(aggregate, events, expected_version=version)
        try:
            return events, self._store.append(
                aggregate,
                events,
                expected_version=version,
                idempotency_key=named.key,
                command_fingerprint=named.fingerprint,
            )
        except IdempotencyConflictError:
            first = self._first_result(aggregate, named)
            if first is None:
                raise
            return (), first

    def _first_result(self, aggregate: AggregateRef, named: "_Named") -> AppendResult | None:
        return repeated_commands.first_result(self._store.context, aggregate, named.key, named.fingerprint)

    def _reload(
        self,
        aggregate_id: str,
        loaded: Loaded[S],
        conflict: WrongExpectedVersionError,
        attempt: int,
    ) -> Loaded[S]:
        """Return the newest state, after a random pause, so that writers of one aggregate spread out."""
        context = self._store.context
        _LOG.info("retry: decision %d about aggregate %r, after: %s", attempt + 1, aggregate_id, conflict)
        context.runtime.sleep(context.options.append_backoff.delay_seconds(attempt, context.runtime.uniform()))
        if conflict.actual is not None and conflict.actual < loaded.version:
            # Memory or snapshot know events that do not exist: a table was replaced.
            return self._loader.load_anew(aggregate_id, aggregate_key(aggregate_id))
        return self._loader.load(aggregate_id, aggregate_key(aggregate_id), newest=True)


def check_as_of(sequence: int | None, at_ms: int | None) -> None:
    """Refuse invalid values.

    Raises:
        InvalidInputError: Names the field.
    """
    if sequence is not None and at_ms is not None:
        raise InvalidInputError("as_of_ms", "is given together with as_of_sequence; give only one of the two")
    for name, value in (("as_of_sequence", sequence), ("as_of_ms", at_ms)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise InvalidInputError(name, f"is {value!r}; give a whole number, 0 or more")


def checked_version(version: int, field: str = "fold_version") -> int:
    """Return a fold's version.

    Raises:
        InvalidInputError: It is not a whole number from 1 on.
    """
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InvalidInputError(field, f"is {version!r}; it counts from 1")
    return version

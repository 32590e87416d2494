"""Aggregates as states: load one, decide, append what was decided."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from eventstore import checks, limits, validation
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.model import AggregateRef
from eventstore.payload import moments
from eventstore.payload.json_text import JsonText
from eventstore.payload.plain import scalar
from eventstore.repository import fold_name as fold_names
from eventstore.repository import repeated_commands
from eventstore.repository.deciding.decision import Decide, DecideMany, decided_on_many, decided_on_one
from eventstore.repository.deciding.transacted import Transacted, TransactedMany
from eventstore.repository.deciding.transactor import Named, Terms, Transactor
from eventstore.repository.folding import Evolve, Fold
from eventstore.repository.loader import Loaded, StateLoader
from eventstore.repository.policy import NEVER, SECONDS_MAX, CachePolicy, SnapshotPolicy
from eventstore.repository.snapshot_row import aggregate_key
from eventstore.repository.state_codec import JsonStateCodec, StateCodec
from eventstore.repository.stats import RepositoryStats
from eventstore.store import EventStore

S = TypeVar("S")
C = TypeVar("C")

TRANSACT_ATTEMPTS_MAX = 8


class Repository(Generic[S]):
    """States of one aggregate type, folded from their events. Threads may share one repository."""

    def __init__(
        self,
        store: EventStore,
        *,
        aggregate_type: str,
        initial: type[S] | Callable[[], S] | S,
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
        self._type = aggregate_type
        self._loader = StateLoader(store.context, rule, codec, snapshots, cache or CachePolicy())
        self._transactor = Transactor(store, rule, self._loader)

    @property
    def stats(self) -> RepositoryStats:
        """What this repository has done so far."""
        return self._loader.stats()

    def load(
        self,
        aggregate_id: str,
        *,
        as_of_sequence: int | None = None,
        as_of_ms: int | datetime | None = None,
        max_staleness_seconds: float | None = None,
    ) -> Loaded[S]:
        """Return an aggregate's state, the initial one at version 0 when it has no events.

        Only events above the state in memory or the snapshot are read, consistently: the answer is as new as the
        call, unless the cache policy allows older ones.

        Args:
            aggregate_id: The aggregate.
            as_of_sequence: The state after this event; the newest when the aggregate has fewer.
            as_of_ms: The state right before the first event with a later timestamp than this: milliseconds since 1970
                UTC, or a `datetime` with a zone. Timestamps are the writers' word
                and may run backwards, numbers never do.
            max_staleness_seconds: How old a state in memory may be that answers without a request, for this call; 0 for
                the newest state. As `CachePolicy` says when left out.

        Raises:
            InvalidInputError: The id cannot be one, or two were given of which one at most can hold.
            AggregateTypeError: The events are of another type.
            CorruptRowError: An event cannot be read; a state without it would be wrong.
            EventSchemaError: Same as above; register what it names.
            TryLaterError: DynamoDB did not answer in time; loading again is safe.
        """
        aggregate_id = validation.check_aggregate_id(aggregate_id)
        check_staleness(max_staleness_seconds, as_of_sequence, as_of_ms)
        if as_of_sequence is None and as_of_ms is None:
            key = aggregate_key(aggregate_id)
            return self._loader.load(aggregate_id, key, max_staleness_seconds=max_staleness_seconds)
        at_ms = checked_as_of(as_of_sequence, as_of_ms)
        return self._loader.load_as_of(aggregate_id, aggregate_key(aggregate_id), as_of_sequence, at_ms)

    def transact(
        self,
        aggregate_id: str,
        decide: Decide[S, C],
        command: C,
        *,
        idempotency_key: str | None = None,
        command_fingerprint: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        max_staleness_seconds: float | None = None,
        attempts_max: int = TRANSACT_ATTEMPTS_MAX,
    ) -> Transacted[S]:
        """Load, decide, append; after a conflict with another writer load the newest state and decide again.

        What `decide` raises reaches the caller as it is, and so does what `evolve` raises about the decided events;
        nothing is stored then.

        Args:
            aggregate_id: The aggregate.
            decide: The decision: returns a sequence of events, one event, None for a no-op, or a `Decision` with an
                answer for the caller or with rows of other tables.
            command: What it is about.
            idempotency_key: Names the command for ever, within the aggregate: a repeat gets the first result and
                decides nothing, whatever it would decide by now. A no-op leaves no trace, so its repeat is decided.
            command_fingerprint: What tells this command from others under the same key, text of 1 to 1,024 bytes; a
                digest of the command's type and fields when left out. Give one where fields differ from delivery to
                delivery, such as a time of receipt, or leave those out with `field(compare=False)`.
            metadata: For each decided event, plain JSON, best made by `eventstore.metadata`; a name that an event has
                of its own stays as it is.
            max_staleness_seconds: As in `load`, for the first decision; after a conflict the newest state is loaded.
            attempts_max: Decisions at most.

        Returns:
            What was decided and stored, with the state after it; `result` is None when there was nothing to store.

        Raises:
            WrongExpectedVersionError: Other writers were faster each time. Nothing is stored; try later.
            RowConditionError: The condition of a row in `Decision.also` does not hold. Nothing is stored.
            InvalidInputError: What was decided cannot be stored, or no fingerprint can be made of the command.
            IdempotencyConflictError: The key stands for another command. Nothing is stored.
            CorruptRowError: The key is there, and its commit is not.
            EventStoreError: As `load` and `EventStore.append`.
        """
        aggregate_id = validation.check_aggregate_id(aggregate_id)
        aggregate = AggregateRef(self._type, aggregate_id)
        validation.check_aggregate(aggregate)
        fingerprint = _checked_fingerprint(command_fingerprint, idempotency_key)
        named = _named(idempotency_key, lambda: fingerprint or repeated_commands.fingerprint_of(command))
        terms = _terms(named, metadata, max_staleness_seconds, attempts_max, is_many=False)
        done = self._transactor.run(
            {aggregate_id: aggregate},
            lambda states: decided_on_one(decide(states[aggregate_id], command), aggregate_id),
            terms,
        )
        return Transacted(
            done.before[aggregate_id],
            done.events.get(aggregate_id, ()),
            done.results.get(aggregate_id),
            done.attempts,
            done.answer,
            state=done.states[aggregate_id],
        )

    def transact_many(
        self,
        aggregate_ids: Sequence[str],
        decide: DecideMany[S, C],
        command: C,
        *,
        idempotency_key: str | None = None,
        command_fingerprint: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        max_staleness_seconds: float | None = None,
        attempts_max: int = TRANSACT_ATTEMPTS_MAX,
    ) -> TransactedMany[S]:
        """Load several aggregates, decide once about all, and append to those that change in one transaction.

        After a conflict with another writer all are loaded anew and decided on again. Those that were loaded and get no
        events must be as they were read as well when the others are stored: the decision rests on them too. A no-op
        checks nothing, and the states of one may be of moments that differ a little.

        Args:
            aggregate_ids: 1 to 99 aggregates of this repository's type, each once, in the order in which `decide` sees
                them. Together with their events they have room in one transaction: one action each that gets no events,
                the others as in `EventStore.append_many`.
            decide: The decision: gets the states by aggregate id, and returns a dict of aggregate id to events (a
                sequence, one event, None), None for a no-op, or a `Decision` whose `events` is such a dict.
            command: What it is about.
            idempotency_key: Names the command for ever, within each of the aggregates: a repeat gets the first results
                and decides nothing. Give the same aggregates in the same order with each delivery.
            command_fingerprint: As in `transact`; a digest of the command and of `aggregate_ids` when left out.
            metadata: As in `transact`.
            max_staleness_seconds: As in `transact`.
            attempts_max: Decisions at most.

        Returns:
            What was decided and stored, with the states after it; `results` is empty when there was nothing to store.

        Raises:
            LimitExceededError: It does not fit into one transaction: 100 actions, 4 MB.
            As `transact`: `aggregate_id`, or `field` as `decided['item-1'].events[0]…`, says which one.
        """
        aggregates = self._named_once(aggregate_ids)
        ids = list(aggregates)
        fingerprint = _checked_fingerprint(command_fingerprint, idempotency_key)
        named = _named(idempotency_key, lambda: fingerprint or repeated_commands.fingerprint_of([command, ids]))
        terms = _terms(named, metadata, max_staleness_seconds, attempts_max, is_many=True)
        return self._transactor.run(aggregates, lambda states: decided_on_many(decide(states, command), ids), terms)

    def _named_once(self, aggregate_ids: Sequence[str]) -> dict[str, AggregateRef]:
        """Return the aggregates by their ids, in the caller's order."""
        given: object = aggregate_ids
        if isinstance(given, str | bytes) or not isinstance(given, Sequence):
            raise InvalidInputError("aggregate_ids", f"is a {type(given).__name__}; give a list of ids")
        if not given:
            raise InvalidInputError("aggregate_ids", "is empty; give at least one id")
        most = limits.TRANSACTION_MAX_ACTIONS - 1
        if len(given) > most:
            raise LimitExceededError("aggregate_ids", limit=most, actual=len(given), unit="aggregates")
        found: dict[str, AggregateRef] = {}
        for index, each in enumerate(aggregate_ids):
            name = validation.check_aggregate_id(each, f"aggregate_ids[{index}]")
            if name in found:
                raise InvalidInputError(
                    f"aggregate_ids[{index}]", f"is {name!r}, which is there already; give each once"
                )
            found[name] = AggregateRef(self._type, name)
            validation.check_aggregate(found[name])
        return found


def _checked_fingerprint(fingerprint: str | None, key: str | None) -> str | None:
    if fingerprint is not None:
        validation.check_fingerprint(fingerprint, key)
    return fingerprint


def _named(key: str | None, fingerprint: Callable[[], str]) -> Named | None:
    if key is None:
        return None
    return Named(validation.check_text_key(key, "idempotency_key", limits.SORT_KEY_MAX_BYTES), fingerprint())


def _terms(
    named: Named | None,
    metadata: Mapping[str, Any] | None,
    max_staleness_seconds: float | None,
    attempts_max: int,
    *,
    is_many: bool,
) -> Terms:
    """Return what holds for a transaction.

    Raises:
        InvalidInputError: Names the argument and what to change.
    """
    if isinstance(attempts_max, bool) or not isinstance(attempts_max, int) or attempts_max < 1:
        raise InvalidInputError("attempts_max", f"is {attempts_max!r}; one attempt at least")
    check_staleness(max_staleness_seconds)
    given: object = {} if metadata is None else metadata
    if not isinstance(given, Mapping):
        raise InvalidInputError("metadata", f"is a {type(given).__name__}; give a dict")
    checked = given if isinstance(given, JsonText) else dict(JsonText.of(given, "metadata"))
    return Terms(named, checked, max_staleness_seconds, attempts_max, is_many)


def check_staleness(seconds: float | None, *as_of: int | datetime | None) -> None:
    """Refuse invalid values.

    Raises:
        InvalidInputError: Names the field.
    """
    if seconds is None:
        return
    checks.check_number(seconds, "max_staleness_seconds", least=0, most=SECONDS_MAX)
    if any(each is not None for each in as_of):
        raise InvalidInputError("max_staleness_seconds", "is given together with as_of; a state of old does not age")


def checked_as_of(sequence: int | None, moment: int | datetime | None) -> int | None:
    """Return the moment in milliseconds, None where a number is meant.

    Raises:
        InvalidInputError: Names the field.
    """
    if sequence is not None and moment is not None:
        raise InvalidInputError("as_of_ms", "is given together with as_of_sequence; give only one of the two")
    at_ms = moments.to_ms_or_none(moment, "as_of_ms")
    for name, value in (("as_of_sequence", sequence), ("as_of_ms", at_ms)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise InvalidInputError(name, f"is {value!r}; give a whole number, 0 or more")
    return at_ms


def checked_version(version: int, field: str = "fold_version") -> int:
    """Return a fold's version.

    Raises:
        InvalidInputError: It is not a whole number from 1 on.
    """
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InvalidInputError(field, f"is {version!r}; it counts from 1")
    return version

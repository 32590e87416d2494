"""Read models of one aggregate each: a fold of its events under its own name, kept as a repository keeps states."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from eventstore import validation
from eventstore.errors import InvalidInputError
from eventstore.payload.plain import scalar
from eventstore.repository.folding import Evolve, Fold
from eventstore.repository.loader import Loaded, StateLoader
from eventstore.repository.policy import NEVER, CachePolicy, SnapshotPolicy
from eventstore.repository.repository import check_staleness, checked_as_of, checked_version
from eventstore.repository.snapshot_row import projection_key
from eventstore.repository.state_codec import JsonStateCodec, StateCodec
from eventstore.repository.stats import RepositoryStats
from eventstore.store import EventStore

S = TypeVar("S")


NAME_MAX_BYTES = 512
"""A name is a part of a key, and of what each snapshot is marked with."""


class Projection(Generic[S]):
    """A view of single aggregates, such as an item's movements per week; as fresh as a load. Threads may share it.

    It is folded when it is asked for, from its last state and the events above it. For a view over many aggregates
    feed a `ReadModel`.
    """

    def __init__(
        self,
        store: EventStore,
        name: str,
        *,
        initial: type[S] | Callable[[], S] | S,
        evolve: Evolve[S],
        version: int = 1,
        aggregate_type: str | None = None,
        snapshots: SnapshotPolicy = NEVER,
        cache: CachePolicy | None = None,
        codec: StateCodec[S] | None = None,
        state_type: Any = None,
    ) -> None:
        """Make a projection.

        Args:
            store: The store.
            name: Names it; its snapshots lie beside those of repositories and of other projections.
            initial: As in `Repository`.
            evolve: As in `Repository`; an event that does not matter leaves the state as it is.
            version: As `fold_version` in `Repository`.
            aggregate_type: Refuse aggregates of other types; any when left out.
            snapshots: As in `Repository`.
            cache: As in `Repository`.
            codec: As in `Repository`.
            state_type: As in `Repository`.

        Raises:
            InvalidInputError: An argument cannot be meant.
        """
        self._name = checked_name(name)
        kind = scalar(aggregate_type)
        rule = Fold(f"projection/{self._name}", checked_version(version, "version"), initial, evolve, kind)
        if codec is None:
            codec = JsonStateCodec(type(rule.start()) if state_type is None else state_type)
        self._loader = StateLoader(store.context, rule, codec, snapshots, cache or CachePolicy())

    @property
    def stats(self) -> RepositoryStats:
        """What this projection has done so far."""
        return self._loader.stats()

    def load(
        self,
        aggregate_id: str,
        *,
        as_of_sequence: int | None = None,
        as_of_ms: int | datetime | None = None,
        max_staleness_seconds: float | None = None,
    ) -> Loaded[S]:
        """Return the view of an aggregate; arguments and errors as in `Repository.load`."""
        aggregate_id = validation.check_aggregate_id(aggregate_id)
        check_staleness(max_staleness_seconds, as_of_sequence, as_of_ms)
        key = projection_key(self._name, aggregate_id)
        if as_of_sequence is None and as_of_ms is None:
            return self._loader.load(aggregate_id, key, max_staleness_seconds=max_staleness_seconds)
        at_ms = checked_as_of(as_of_sequence, as_of_ms)
        return self._loader.load_as_of(aggregate_id, key, as_of_sequence, at_ms)


def checked_name(name: str) -> str:
    """Return a name that can be part of a key.

    Raises:
        InvalidInputError: It cannot.
    """
    validation.check_text_key(name, "name", NAME_MAX_BYTES)
    if "/" in name:
        raise InvalidInputError("name", f"is {name!r}; give text without `/`")
    plain: str = scalar(name)
    return plain

"""States for asyncio: `Repository` and `Projection`, awaited."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from eventstore.aio.store import AsyncEventStore
from eventstore.repository.deciding.decision import Decide, DecideMany
from eventstore.repository.deciding.transacted import Transacted, TransactedMany
from eventstore.repository.folding import Evolve
from eventstore.repository.loader import Loaded
from eventstore.repository.policy import NEVER, CachePolicy, SnapshotPolicy
from eventstore.repository.projection import Projection
from eventstore.repository.repository import TRANSACT_ATTEMPTS_MAX, Repository
from eventstore.repository.state_codec import StateCodec
from eventstore.repository.stats import RepositoryStats

S = TypeVar("S")
C = TypeVar("C")


class AsyncRepository(Generic[S]):
    """A `Repository` for asyncio; arguments, results and errors are the same.

    `evolve` and `decide` are plain functions. They run in a thread of the store's pool, for several aggregates at the
    same time: pure ones need not care.
    """

    def __init__(
        self,
        store: AsyncEventStore,
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
        """Make a repository; see `Repository`."""
        self._threads = store.threads
        self._repository = Repository(
            store.blocking,
            aggregate_type=aggregate_type,
            initial=initial,
            evolve=evolve,
            fold_version=fold_version,
            fold_name=fold_name,
            snapshots=snapshots,
            cache=cache,
            codec=codec,
            state_type=state_type,
        )

    @property
    def stats(self) -> RepositoryStats:
        """What this repository has done so far."""
        return self._repository.stats

    async def load(
        self,
        aggregate_id: str,
        *,
        as_of_sequence: int | None = None,
        as_of_ms: int | datetime | None = None,
        max_staleness_seconds: float | None = None,
    ) -> Loaded[S]:
        """See `Repository.load`."""
        return await self._threads.run(
            lambda: self._repository.load(
                aggregate_id,
                as_of_sequence=as_of_sequence,
                as_of_ms=as_of_ms,
                max_staleness_seconds=max_staleness_seconds,
            )
        )

    async def transact(
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
        """See `Repository.transact`; cancelled, its outcome is as unknown as that of `AsyncEventStore.append`."""
        return await self._threads.run(
            lambda: self._repository.transact(
                aggregate_id,
                decide,
                command,
                idempotency_key=idempotency_key,
                command_fingerprint=command_fingerprint,
                metadata=metadata,
                max_staleness_seconds=max_staleness_seconds,
                attempts_max=attempts_max,
            )
        )

    async def transact_many(
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
        """See `Repository.transact_many`; cancelled, its outcome is as unknown as that of `AsyncEventStore.append`."""
        return await self._threads.run(
            lambda: self._repository.transact_many(
                aggregate_ids,
                decide,
                command,
                idempotency_key=idempotency_key,
                command_fingerprint=command_fingerprint,
                metadata=metadata,
                max_staleness_seconds=max_staleness_seconds,
                attempts_max=attempts_max,
            )
        )


class AsyncProjection(Generic[S]):
    """A `Projection` for asyncio; arguments, results and errors are the same."""

    def __init__(
        self,
        store: AsyncEventStore,
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
        """Make a projection; see `Projection`."""
        self._threads = store.threads
        self._projection = Projection(
            store.blocking,
            name,
            initial=initial,
            evolve=evolve,
            version=version,
            aggregate_type=aggregate_type,
            snapshots=snapshots,
            cache=cache,
            codec=codec,
            state_type=state_type,
        )

    @property
    def stats(self) -> RepositoryStats:
        """What this projection has done so far."""
        return self._projection.stats

    async def load(
        self,
        aggregate_id: str,
        *,
        as_of_sequence: int | None = None,
        as_of_ms: int | datetime | None = None,
        max_staleness_seconds: float | None = None,
    ) -> Loaded[S]:
        """See `Projection.load`."""
        return await self._threads.run(
            lambda: self._projection.load(
                aggregate_id,
                as_of_sequence=as_of_sequence,
                as_of_ms=as_of_ms,
                max_staleness_seconds=max_staleness_seconds,
            )
        )

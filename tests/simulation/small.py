"""Small worlds: in half of the seeds bounds and pages are drawn small, down to one, so that whatever is cut is met.

A listing that stops at its first page, or a batch that forgets what did not fit, shows only where there is more than
one page and more than one batch. The product's bounds are large for its own good; a world of thirty commits never meets
them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

from eventstore import limits
from eventstore.append import bulk
from eventstore.backoff import Backoff
from eventstore.context import StoreOptions
from eventstore.dynamodb import transact_get
from eventstore.dynamodb.aimd import AimdSettings
from eventstore.testing.dynamodb.faults.weather import UNLIMITED_ITEMS
from eventstore.testing.dynamodb.tokens import TOKEN_VALID_MS
from relay.assembly import AssemblySettings
from relay.delivery import events as event_reader
from relay.delivery import settler
from relay.delivery.pumps import side_pump
from relay.delivery.work import intake, questions, settlements, upkeep
from relay.feed import reader as feed_reader
from relay.feed import shard_consumer
from relay.leases import fleet_table, keeper, lease_writes
from relay.operating.parked import follow, release
from relay.operating.parked import reader as parked_reader
from relay.outbox import guarded
from relay.outbox import reader as outbox_reader

SMALL_SHARE = 0.5
"""Of the seeds."""

_EACH = 0.6
"""Chance that a small world has any one of its bounds small."""

_TRANSACTION_ACTIONS = SimpleNamespace(TRANSACTION_MAX_ACTIONS=2)
"""Reads by transaction in chunks of two; what is appended has a limit of its own."""

CONSTANTS: Mapping[str, tuple[Sequence[tuple[ModuleType, str]], Sequence[Any]]] = {
    "statements": (
        (
            (limits, "BATCH_MAX_STATEMENTS"),
            (lease_writes, "LEASES_MAX"),
            (fleet_table, "LEASES_MAX"),
            (keeper, "LEASES_MAX"),
        ),
        (1, 2),
    ),
    "keys of a batch": (((limits, "BATCH_GET_MAX_KEYS"), (event_reader, "BATCH_GET_MAX_KEYS")), (1, 3)),
    "rows of a query": (((limits, "QUERY_MAX_ROWS"),), (1, 3)),
    "rows of a whole read": (((transact_get, "limits"),), (_TRANSACTION_ACTIONS,)),
    "rows of a guarded deletion": (((guarded, "_ROWS_MAX"),), (1, 2)),
    "earlier rows": (((outbox_reader, "_EARLIER_ROWS_MIN"),), (1, 2)),
    "parked rows": (((parked_reader, "PAGE_ROWS"),), (1, 2)),
    "marks of a release": (((release, "MARKS_AT_ONCE_MAX"),), (1,)),
    "chains that are looked at": (((follow, "_LOOK_MAX"),), (1, 2)),
    "records of a page": (((feed_reader, "PAGE_MAX_RECORDS"), (shard_consumer, "PAGE_MAX_RECORDS")), (1, 3)),
    "rows that are joined": (((intake, "_JOINED_TOGETHER_MAX"),), (1, 2)),
    "rows that are asked for": (((questions, "_ASKED_TOGETHER_MAX"),), (3, 5)),
    "commits that are fetched": (((questions, "_FETCHED_TOGETHER_MAX"),), (1, 2)),
    "commits that are settled": (
        ((upkeep, "SETTLED_TOGETHER_MAX"), (settlements, "SETTLED_TOGETHER_MAX")),
        (1, 2),
    ),
    "settlers": (((settler, "SETTLERS"),), (1,)),
    "commits for a side": (((side_pump, "BATCH_COMMITS_MAX"),), (1, 2)),
    "appends in a window": (((bulk, "WINDOW_PER_WORKER"),), (1,)),
}
"""Bounds that are constants of modules: where each stands, and what it may be in a small world."""


@dataclass(frozen=True, slots=True)
class Small:
    """What is small in a world.

    Attributes:
        page_items: Items that a page of DynamoDB holds, also in the calm.
        token_valid_ms: How long DynamoDB knows the token of a transaction.
        append_attempts: Of an append, and of a read of a writer.
        rounds: Of an append whose version is left to the store.
        slots: Requests of a store at once.
        batch_max_bytes: Of a body for the index.
        is_limit_known: Whether workers know how large a message the broker takes; else they have to hear it.
        constants: Bounds of the product that are constants, by their names in `CONSTANTS`.
    """

    page_items: int = UNLIMITED_ITEMS
    token_valid_ms: int = TOKEN_VALID_MS
    append_attempts: int = 8
    rounds: int = 16
    slots: int = 32
    batch_max_bytes: int = 5 * 1024 * 1024
    is_limit_known: bool = True
    constants: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_small(self) -> bool:
        """Whether anything is."""
        return self != Small()

    def options(self, embed_max_bytes: int) -> StoreOptions:
        """Return the options of a writer's store."""
        return StoreOptions(
            embed_max_bytes=embed_max_bytes,
            append_backoff=Backoff(attempts_max=self.append_attempts),
            contention_backoff=Backoff(attempts_max=self.rounds, base_seconds=0.02, cap_seconds=1.0),
            limiter=AimdSettings(start=self.slots, maximum=self.slots),
        )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the product's constants be small within the block."""
        with ExitStack() as stack:
            for name, value in self.constants.items():
                for module, constant in CONSTANTS[name][0]:
                    stack.enter_context(patch.object(module, constant, value))
            yield


def draw(seed: str) -> Small:
    """Return what is small in the world of a seed."""
    chance = Random(f"small {seed}")
    if chance.random() >= SMALL_SHARE:
        return Small()

    def pick(usual: Any, *small: Any) -> Any:
        return chance.choice(small) if small and chance.random() < _EACH else usual

    usual = Small()
    return Small(
        page_items=pick(usual.page_items, 1, 2, 3),
        token_valid_ms=pick(usual.token_valid_ms, 1, 1_000),
        append_attempts=pick(usual.append_attempts, 1, 2),
        rounds=pick(usual.rounds, 1, 2),
        slots=pick(usual.slots, 1, 2),
        batch_max_bytes=pick(usual.batch_max_bytes, 1, 2_000),
        is_limit_known=pick(usual.is_limit_known, False, True),
        constants={name: value for name, (_, small) in CONSTANTS.items() if (value := pick(None, *small)) is not None},
    )


def narrowed(seed: str, relay: AssemblySettings) -> AssemblySettings:
    """Return the settings of the relay of a seed, with some of its bounds small when its world is."""
    if not draw(seed).is_small:
        return relay
    chance = Random(f"narrow {seed}")

    def pick(usual: Any, small: Any) -> Any:
        return small if chance.random() < _EACH else usual

    return replace(
        relay,
        flow=replace(relay.flow, bytes_max=pick(relay.flow.bytes_max, 3_000)),
        sweep=replace(relay.sweep, page_max_rows=pick(relay.sweep.page_max_rows, 1)),
        dynamodb=replace(relay.dynamodb, attempts_max=pick(relay.dynamodb.attempts_max, 1)),
        shard_consumer=replace(
            relay.shard_consumer,
            checkpoint_interval_seconds=pick(relay.shard_consumer.checkpoint_interval_seconds, 0.0),
        ),
    )

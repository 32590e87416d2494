"""A writer as a process of its own, whose replies get lost on both sides of the write. It prints what was acknowledged.

python -m tests.support.writer_process AGGREGATE_ID WRITER COMMITS SEED
"""

import json
import random
import sys
from typing import Any

from botocore.exceptions import ReadTimeoutError

from eventstore import (
    ANY,
    AggregateRef,
    Backoff,
    EventStore,
    NewEvent,
    OutcomeUnknownError,
    StoreOptions,
    TryLaterError,
    connect,
    settings,
)

LOST_BEFORE, LOST_AFTER = 0.08, 0.08
"""Shares of the transactions that never reach the tables, and of those whose reply is lost behind the write."""

REPEATED = 0.1
"""Share of keyed appends that are sent once more after they were acknowledged."""

CALLS_MAX = 50
"""Calls of one append; more would mean that it never gets through."""


class LossyClient:
    """Passes calls on, and loses replies of transactions.

    Attributes:
        before: Transactions that were lost on their way to the tables.
        after: Transactions whose reply was lost.
    """

    def __init__(self, inner: Any, chance: random.Random) -> None:
        self._inner = inner
        self._chance = chance
        self.before = 0
        self.after = 0

    def transact_write_items(self, **request: Any) -> Any:
        drawn = self._chance.random()
        if drawn < LOST_BEFORE:
            self.before += 1
            raise ReadTimeoutError(endpoint_url="lost before the write")
        reply = self._inner.transact_write_items(**request)
        if drawn > 1 - LOST_AFTER:
            self.after += 1
            raise ReadTimeoutError(endpoint_url="lost behind the write")
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def tell(line: dict[str, Any]) -> None:
    """Print one line of JSON."""
    sys.stdout.write(json.dumps(line) + "\n")


def main(aggregate_id: str, writer: str, commits: str, seed: str) -> None:
    """Append so many commits, each of one event that says which it is; every second writer uses keys."""
    chance = random.Random(int(seed))
    inner = connect(settings.load().endpoint)
    client = LossyClient(inner, chance)
    options = StoreOptions(contention_backoff=Backoff(attempts_max=32, base_seconds=0.02, cap_seconds=0.4))
    store = EventStore.open(client, options=options)
    aggregate, has_keys, tries_later = AggregateRef("ITEM", aggregate_id), int(writer) % 2 == 0, 0
    for number in range(int(commits)):
        key = f"{writer}-{number}" if has_keys else None
        event = NewEvent("COUNTED", {"writer": int(writer), "number": number})
        for _ in range(CALLS_MAX):
            try:
                result = store.append(aggregate, [event], expected_version=ANY, idempotency_key=key)
                break
            except OutcomeUnknownError:
                if not has_keys:  # a repeat could store it twice
                    raise
                tries_later += 1
            except TryLaterError:
                tries_later += 1
        else:
            raise AssertionError(f"append {number} did not get through in {CALLS_MAX} calls")
        if has_keys and chance.random() < REPEATED:
            repeat = store.append(aggregate, [event], expected_version=ANY, idempotency_key=key)
            assert repeat.already_stored, "the repeat was taken for a new append"
            assert (repeat.commit_id, repeat.version) == (result.commit_id, result.version)
        tell({"number": number, "version": result.version, "commit_id": result.commit_id})
    counts = store.metrics().counts
    summary = {
        "lost_before": client.before,
        "lost_after": client.after,
        "attempts": counts.attempts,
        "stale": counts.stale,
        "conflicts": counts.conflicts,
        "repeats": counts.repeats,
        "tries_later": tries_later,
    }
    tell({"summary": summary})


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A follower of events with equal and neighbouring timestamps, which are stored between its looks."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError

from eventstore import AggregateRef, EventStore, NewEvent, StoreOptions, TableNames
from eventstore.backoff import Backoff
from eventstore.dynamodb import tables
from eventstore.errors import TryLaterError
from eventstore.testing import InMemoryDynamoDB, ManualRuntime
from eventstore.timeline import follower
from eventstore.timeline.seen import Seen

NAMES = TableNames()
LOOKS = 3
EVENTS_MAX = 3
OVERLAP_MS = 1_000
_TEMPLATE = tables.load_template()
_OPTIONS = StoreOptions(read_backoff=Backoff(attempts_max=1))


@dataclass(frozen=True, slots=True)
class Following:
    """Events that a follower is to give.

    Attributes:
        offsets: Of each event's timestamp, in ms.
        before: Before which look each is stored.
        fails_at: The call of the first look that DynamoDB refuses, so that the look ends there; None for none.
        step_ms: Time between two looks.
    """

    offsets: tuple[int, ...]
    before: tuple[int, ...]
    fails_at: int | None
    step_ms: int

    def words(self) -> tuple[str, ...]:
        """Return it in words."""
        stored = [
            f"an event of {offset} ms is stored before look {look + 1}"
            for offset, look in zip(self.offsets, self.before, strict=True)
        ]
        cut = "" if self.fails_at is None else f"; call {self.fails_at} of the first is refused"
        return *stored, f"{LOOKS} looks are taken, {self.step_ms} ms apart{cut}"

    def check(self) -> None:
        """Each event is given once, those of one look in their order."""
        runtime = ManualRuntime()
        way = _Way()
        database = InMemoryDynamoDB(clock=runtime, passage=way)
        with patch.object(tables, "load_template", lambda: _TEMPLATE):
            tables.init(database.client(), NAMES, runtime, index_shards=1, protect=False)
        store = EventStore.open(database.client(), NAMES, options=_OPTIONS, runtime=runtime)
        start_ms = runtime.now_ms()
        seen, given = Seen(start_ms - OVERLAP_MS), []
        for look in range(LOOKS):
            for number, offset in enumerate(self.offsets):
                if self.before[number] == look:
                    event = NewEvent("E", {}, timestamp_ms=start_ms + offset)
                    store.append(AggregateRef("A", f"a{number}"), [event], expected_version=0)
            way.until_refused = self.fails_at if look == 0 else None
            part = self._look(store, seen)
            assert part == sorted(part), f"one look gave {part}"
            given += [aggregate for _, aggregate in part]
            runtime.advance(self.step_ms / 1000)
        assert sorted(given) == [f"a{number}" for number in range(len(self.offsets))], f"it gave {given}"

    def _look(self, store: EventStore, seen: Seen) -> list[tuple[int, str]]:
        part: list[tuple[int, str]] = []
        with contextlib.suppress(TryLaterError):
            for event, _ in follower.look(store.context, seen, OVERLAP_MS, None):
                part.append((event.timestamp_ms, event.aggregate_id))
        return part


class _Way:
    """Refuses one of the calls, once it is told which."""

    until_refused: int | None = None

    def carry(
        self, _operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        if self.until_refused is not None:
            self.until_refused -= 1
            if self.until_refused == 0:
                raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Call")
        return effect()


def followings() -> Iterator[Following]:
    """Yield up to `EVENTS_MAX` events of two timestamps, stored before each look, and calls that are refused."""
    for count in range(EVENTS_MAX + 1):
        for offsets, before in product(product((0, 1), repeat=count), product(range(LOOKS), repeat=count)):
            for step_ms, fails_at in product((0, 400), (None, 1, 2)):
                yield Following(offsets, before, fails_at, step_ms)

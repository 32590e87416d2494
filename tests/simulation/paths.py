"""Rare paths by name: what the product must have been seen to do in a long run, or the run proves less than it seems.

A fault that strikes is no path that is gone: here a path counts where the product itself takes it. Each has the number
of seeds after which a run fails that never met it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from eventstore.append import verdict
from eventstore.append.verdict import KeysUsed, OtherVersion, OwnCommit
from relay.delivery.commit import OwedCommit
from relay.delivery.flow import Flow
from relay.delivery.pumps.bus_pump import BusPump
from relay.delivery.work.settlements import Settlement
from relay.destinations.bus.bus import Bus
from tests.simulation.coverage import Coverage
from tests.simulation.looking import preceded

OFTEN, SELDOM, RARELY = 100, 200, 1_000
"""Seeds after which a path is to have been met: those that many seeds meet, some do, and one in a hundred does."""

PATHS: Mapping[str, int] = {
    # Pages of DynamoDB behind the first, by the product alone
    "page two: Scan inventory_outbox": OFTEN,
    "page two: Query inventory_outbox": OFTEN,
    "page two: Query inventory_events": OFTEN,
    "page two: Query inventory_relay": OFTEN,
    "page two: DescribeStream": OFTEN,
    "the rest of a batch of reads": OFTEN,
    # Of appends
    "an own commit is recognised": OFTEN,
    "a key was used before": OFTEN,
    "another writer was faster": OFTEN,
    # Of the fence and of claims
    "nobody may send a message now": OFTEN,
    "a deletion waits for a certain lease": SELDOM,
    "a side answers for what was let go": SELDOM,
    "a mark waits for a permit": RARELY,
    # Of the flow
    "earlier commits are brought along": OFTEN,
    "more are left to be brought": OFTEN,
    "a row is another commit's": OFTEN,
    "a note says what others have noted": RARELY,
    "a commit is late for a side": OFTEN,
    "a limit of the broker is heard of": SELDOM,
    # Of what the product says in its log
    "settle.postponed": OFTEN,
    "question.postponed": OFTEN,
    "commit.parked": OFTEN,
    "checkpoint.write_failed": OFTEN,
    "lease.fenced": OFTEN,
    "lease.lost": OFTEN,
    "lease.requested": OFTEN,
    "shard.lost": OFTEN,
    "shard.finished": OFTEN,
    "shard.finish_failed": SELDOM,
    "feed.replaced": OFTEN,
    "feed.trimmed": OFTEN,
    "bus.silent": OFTEN,
    "bus.taken_after_refusals": OFTEN,
    "delivery.paused": OFTEN,
    "outbox.replaced": OFTEN,
    "settings.differ": OFTEN,
}


class Paths:
    """Looks on while the product works.

    Args:
        coverage: Where a path is counted.
    """

    def __init__(self, coverage: Coverage) -> None:
        self._marks = coverage.marks

    def asked(self, operation: str, request: Mapping[str, Any]) -> None:
        """Look at a request on its way to DynamoDB."""
        if "ExclusiveStartKey" in request:
            self._met(f"page two: {operation} {request['TableName']}")
        elif "ExclusiveStartShardId" in request:
            self._met(f"page two: {operation}")

    def replied(self, reply: Mapping[str, Any]) -> None:
        """Look at a reply of DynamoDB."""
        if reply.get("UnprocessedKeys"):
            self._met("the rest of a batch of reads")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on within the block."""
        with ExitStack() as stack:
            for owner, name, change in (
                (verdict, "judge", self._judging),
                (BusPump, "_may_send", self._asking_permits),
                (Flow, "settlement", self._settling),
                (Flow, "side_answered", self._hearing_sides),
                (Flow, "unmarked", lambda method: preceded(method, self._unmarked)),
                (Flow, "brought", self._bringing),
                (Flow, "is_foreign", lambda method: preceded(method, self._foreign)),
                (Flow, "noted", lambda method: preceded(method, self._noted)),
                (Bus, "_heed_limit", lambda method: preceded(method, self._limited)),
            ):
                stack.enter_context(patch.object(owner, name, change(getattr(owner, name))))
            yield

    def _met(self, path: str) -> None:
        self._marks[path] += 1

    def _judging(self, judge: Callable[..., Any]) -> Callable[..., Any]:
        names = {
            OwnCommit: "an own commit is recognised",
            KeysUsed: "a key was used before",
            OtherVersion: "another writer was faster",
        }

        @wraps(judge)
        def judged(*given: Any) -> Any:
            found = judge(*given)
            if type(found) in names:
                self._met(names[type(found)])
            return found

        return judged

    def _asking_permits(self, method: Callable[..., bool]) -> Callable[..., bool]:
        @wraps(method)
        def may_send(pump: BusPump, *given: Any) -> bool:
            may = method(pump, *given)
            if not may:
                self._met("nobody may send a message now")
            return may

        return may_send

    def _settling(self, method: Callable[..., Settlement]) -> Callable[..., Settlement]:
        @wraps(method)
        def settlement(flow: Flow, *, may_delete: bool) -> Settlement:
            work = method(flow, may_delete=may_delete)
            if not may_delete and any(commit.delivered >= set(flow._names) for commit in work.notes):
                self._met("a deletion waits for a certain lease")
            if any(commit.is_late for commit in work.notes):
                self._met("a commit is late for a side")
            return work

        return settlement

    def _hearing_sides(self, method: Callable[..., None]) -> Callable[..., None]:
        @wraps(method)
        def side_answered(flow: Flow, name: str, **what: Any) -> None:
            if any(commit.is_gone for commit in (*what.get("taken", ()), *what.get("left", ()))):
                self._met("a side answers for what was let go")
            method(flow, name, **what)

        return side_answered

    def _unmarked(self, _flow: Flow, _commit: OwedCommit) -> None:
        self._met("a mark waits for a permit")

    def _bringing(self, method: Callable[..., None]) -> Callable[..., None]:
        @wraps(method)
        def brought(flow: Flow, bring: Any, rows: Collection[Any], asked_at: float, *, more: bool) -> None:
            if rows:
                self._met("earlier commits are brought along")
            if more:
                self._met("more are left to be brought")
            method(flow, bring, rows, asked_at, more=more)

        return brought

    def _foreign(self, _flow: Flow, commits: Iterable[OwedCommit]) -> None:
        if list(commits):
            self._met("a row is another commit's")

    def _noted(self, _flow: Flow, notes: Mapping[OwedCommit, frozenset[str]]) -> None:
        if any(names - commit.delivered for commit, names in notes.items()):
            self._met("a note says what others have noted")

    def _limited(self, _bus: Bus, _error: Any) -> None:
        self._met("a limit of the broker is heard of")


def never_met(coverage: Coverage, runs: int) -> list[str]:
    """Return the paths that so many runs should have met and have not."""
    return sorted(name for name, seeds in PATHS.items() if runs >= seeds and not coverage.marks[name])

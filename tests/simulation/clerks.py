"""Those who append and look closely at what they are told: versions, keys, rows that go along, what has arrived."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventstore import ANY, EXISTS, NO_EVENTS, AggregateRef, Append, AppendResult, EventStore, NewEvent
from eventstore.errors import (
    EventStoreError,
    IdempotencyConflictError,
    NotSettledError,
    OutcomeUnknownError,
    ParkedError,
    TryLaterError,
    WrongExpectedVersionError,
)
from eventstore.expectation import Expectation
from tests.simulation.checkers import DESTINATIONS
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.requests import new_events
from tests.simulation.visitors import Surroundings, Visitor
from tests.simulation.writers import AGGREGATE_TYPE

KEPT_MAX = 8
"""Results that are remembered, to be asked for again under their keys."""

SETTLE_SECONDS = (0.5, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class Kept:
    """An append under a key, and what came of it.

    Attributes:
        append: As it was given.
        request: Its name.
        result: The first result.
    """

    append: Append
    request: str
    result: AppendResult


class Clerk(Visitor):
    """Appends in every way, one call a visit; what its process did not hear of is let be."""

    visits = (8, 12)
    writes = True

    def __init__(self, name: str, visits: int, around: Surroundings) -> None:
        super().__init__(name, visits, around)
        self._calls = 0
        self._kept: list[Kept] = []

    def begin_anew(self) -> None:
        """Have more to do; what former tables held is none of the present ones' business."""
        super().begin_anew()
        self._kept.clear()

    def _visit(self, store: EventStore, _runtime: SimulatedRuntime) -> None:
        self._calls += 1
        kinds = [self._append_one, self._append_one, self._append_many, self._append_all, self._mix_keys]
        if self._kept:
            kinds += [self._repeat, self._change_content, self._wait]
        self._draw.choice(kinds)(store)

    def _request(self, place: int = 0) -> str:
        return f"{self.name}-{self._calls}.{place}"

    def _ids(self, count: int) -> list[str]:
        most = self._around.settings.aggregates
        return [f"item-{number}" for number in self._draw.sample(range(most), min(count, most))]

    def _expected(self, aggregate_id: str) -> int | Expectation:
        """Return something that may hold: also numbers of the past, and some that nobody has reached."""
        version = self._ledger.versions.get(aggregate_id, 0)
        near = max(0, version + self._draw.choice((-3, -2, -1, 1)))
        return self._draw.choice((ANY, ANY, EXISTS, NO_EVENTS, version, version, version, near))

    def _new(self, aggregate_id: str, place: int = 0, *, group: int = 1, has_key: bool) -> Append:
        request = self._request(place)
        events = new_events(request, self._draw.choice((1, 1, 2, 3)), group=group)
        key = f"key-{request}" if has_key else None
        return Append(AggregateRef(AGGREGATE_TYPE, aggregate_id), events, self._expected(aggregate_id), key)

    def _append_one(self, store: EventStore) -> None:
        append = self._new(self._ids(1)[0], has_key=self._draw.random() < 0.5)
        before = self._versions([append])
        try:
            result = _send(store, append)
        except EventStoreError as error:
            self._refused([append], before, error)
            return
        self._stored(append, result)

    def _append_many(self, store: EventStore) -> None:
        ids, has_key = self._ids(3), self._draw.random() < 0.5
        appends = [self._new(name, place, group=len(ids), has_key=has_key) for place, name in enumerate(ids)]
        before = self._versions(appends)
        try:
            results = store.append_many(appends)
        except EventStoreError as error:
            self._refused(appends, before, error)
            return
        for append, result in zip(appends, results, strict=True):
            self._stored(append, result)

    def _append_all(self, store: EventStore) -> None:
        """More than go at a time; appends of one aggregate keep their order."""
        ids = self._ids(2)
        appends = [self._new(self._draw.choice(ids), place, has_key=False) for place in range(self._draw.randint(4, 9))]
        before = self._versions(appends)
        outcomes = list(store.append_all(appends, concurrency=self._draw.choice((1, 2))))
        last: dict[str, int] = {}
        for outcome in outcomes:
            if outcome.result is None:
                assert outcome.error is not None, "one of the two"
                self._refused([outcome.append], before, outcome.error)
                continue
            self._stored(outcome.append, outcome.result)
            if outcome.result.first_sequence <= last.get(outcome.append.aggregate.id, 0):
                self._ledger.broken("appends of one aggregate keep their order", f"{outcome}")
            last[outcome.append.aggregate.id] = outcome.result.version
        places = [each.index for each in outcomes]
        if places != list(range(len(appends))) or [each.append for each in outcomes] != appends:
            self._ledger.broken("every append has its outcome", f"{places} of {len(appends)}")

    def _mix_keys(self, store: EventStore) -> None:
        """Append together what was stored before and what was not."""
        if not self._kept:
            return
        kept = self._draw.choice(self._kept)
        others = [name for name in self._ids(2) if name != kept.append.aggregate.id]
        if not others:
            return
        new = self._new(others[0], group=2, has_key=True)
        self._expect_conflict([kept.append, new], lambda: store.append_many([kept.append, new]))

    def _repeat(self, store: EventStore) -> None:
        """The same under the same key, whatever is expected by now: the first result."""
        kept = self._draw.choice(self._kept)
        expected = self._expected(kept.append.aggregate.id)
        append = Append(kept.append.aggregate, kept.append.events, expected, kept.append.idempotency_key)
        try:
            result = _send(store, append)
        except WrongExpectedVersionError as error:
            if expected is not EXISTS or self._ledger.versions.get(append.aggregate.id, 0):
                self._ledger.broken("a repeat gets the first result", f"{kept.result}, now {error!r}")
            return
        except OutcomeUnknownError:
            return
        first = kept.result
        is_first = (result.commit_id, result.first_sequence, result.version) == (
            first.commit_id,
            first.first_sequence,
            first.version,
        )
        if not is_first or not result.already_stored or result.aggregate != first.aggregate:
            self._ledger.broken("a repeat gets the first result", f"{first}, now {result}")

    def _change_content(self, store: EventStore) -> None:
        """Something else under the same key."""
        kept = self._draw.choice(self._kept)
        aggregate, key = kept.append.aggregate, kept.append.idempotency_key
        other = new_events(self._request(), len(kept.append.events) + self._draw.choice((0, 1)))
        append = Append(aggregate, other, self._expected(aggregate.id), key)
        self._expect_conflict([append], lambda: [_send(store, append)])

    def _expect_conflict(self, appends: Sequence[Append], send: Callable[[], list[AppendResult]]) -> None:
        taken = {kept.append.idempotency_key: kept.result.commit_id for kept in self._kept}
        try:
            results = send()
        except IdempotencyConflictError as error:
            if taken.get(error.key) != error.stored_commit_id:
                self._ledger.broken("a conflict of keys names the commit that has it", f"{error}")
        except OutcomeUnknownError:
            return
        except WrongExpectedVersionError as error:
            # An expectation without a number is asked for before anything is sent.
            is_asked = isinstance(error.expected, Expectation) and not error.actual
            if not is_asked:
                self._ledger.broken("changed content under a key is refused", f"as {error!r}")
        else:
            self._ledger.broken("changed content under a key is refused", f"{appends} as {results}")
        for append in appends:
            if _request_of(append) not in {kept.request for kept in self._kept}:
                self._ledger.refuse(_request_of(append))

    def _wait(self, store: EventStore) -> None:
        """Wait until somebody has it, and look whether that is so."""
        kept = self._draw.choice(self._kept)
        destination = self._draw.choice((None, *DESTINATIONS))
        wanted = DESTINATIONS if destination is None else (destination,)
        key = (kept.result.aggregate.id, kept.result.version)
        try:
            store.wait_settled(kept.result, self._draw.choice(SETTLE_SECONDS), destination)
        except NotSettledError as error:
            false = [name for name in error.delivered if not self._ledger.has(name, self._ledger.commits[key])]
            if false:
                self._ledger.broken("what is said to have arrived has", f"{key} at {false}, by {error}")
        except ParkedError as error:
            if key not in self._around.checkers.ever_parked:
                self._ledger.broken("what is said to be parked is", f"{key}: {error}")
        else:
            missing = [name for name in wanted if not self._ledger.has(name, self._ledger.commits[key])]
            if missing:
                self._ledger.broken("what is said to have arrived has", f"{key} at {missing}")

    def _versions(self, appends: Sequence[Append]) -> dict[str, tuple[int, int]]:
        """Return what each aggregate is at, and what a reader must see of it at least."""
        ids = {append.aggregate.id for append in appends}
        return {name: (self._ledger.versions.get(name, 0), self._sight.version(name)) for name in ids}

    def _stored(self, append: Append, result: AppendResult) -> None:
        request, expected = _request_of(append), append.expected_version
        self._ledger.acknowledge(request, result)
        first = result.first_sequence
        is_met = expected is ANY or (first > 1 if expected is EXISTS else first - 1 == expected)
        if not is_met:
            self._ledger.broken("what is stored meets what was expected", f"{expected}, stored from {first} on")
        if result.version - first + 1 != len(append.events) or result.attempts < 1:
            self._ledger.broken("a result is about its append", f"{result} of {len(append.events)} events")
        if append.idempotency_key is not None:
            self._kept = [*self._kept[-KEPT_MAX + 1 :], Kept(append, request, result)]

    def _refused(self, appends: Sequence[Append], before: dict[str, tuple[int, int]], error: EventStoreError) -> None:
        """Look whether a refusal is a true one; then nothing of it is stored, now or later."""
        if isinstance(error, OutcomeUnknownError):
            return
        if isinstance(error, WrongExpectedVersionError):
            self._check_conflict(appends, before, error)
        elif not isinstance(error, TryLaterError):
            self._ledger.broken("a writer is told what it can act upon", f"{appends}: {error!r}")
        for append in appends:
            self._ledger.refuse(_request_of(append))

    def _check_conflict(
        self, appends: Sequence[Append], before: dict[str, tuple[int, int]], error: WrongExpectedVersionError
    ) -> None:
        given = {append.expected_version for append in appends if append.aggregate.id == error.aggregate_id}
        was, least = before[error.aggregate_id]
        now = self._ledger.versions.get(error.aggregate_id, 0)
        detail = f"{error!r}: expected {given}, it was at {was} (seen: {least}) and is at {now}"
        if error.expected not in given:
            self._ledger.broken("a conflict names what was expected", detail)
        if error.actual is not None and not least <= error.actual <= now:
            self._ledger.broken("a conflict names the version that is there", detail)
        if error.at_least > now:
            self._ledger.broken("a conflict names the version that is there", detail)
        could_hold = now > 0 and least > 0 if error.expected is EXISTS else was == now == error.expected
        if could_hold:
            self._ledger.broken("a conflict is a true one", detail)


def _send(store: EventStore, append: Append) -> AppendResult:
    return store.append(
        append.aggregate,
        append.events,
        expected_version=append.expected_version,
        idempotency_key=append.idempotency_key,
    )


def _request_of(append: Append) -> str:
    first: NewEvent = append.events[0]
    return str(first.data["request"])

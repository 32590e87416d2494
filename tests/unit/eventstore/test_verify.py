"""Verification: every fault that it looks for is found, named once, and nothing sound is called a fault."""

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import ANY, AggregateRef, EventStore, Finding, FindingKind, InvalidInputError, NewEvent, Severity
from eventstore.testing import InMemoryDynamoDB
from eventstore.timeline.query import DAY_MS
from eventstore.verify import verifier
from eventstore.verify.event_ids import EventIds
from eventstore.verify.verifier import WalkProgress

from .worlds import TurnedRuntime, Watched, append

DAY = 1_700_006_400_000
"""2023-11-15 00:00 UTC."""

EVENTS, OUTBOX, KEYS = "inventory_events", "inventory_outbox", "inventory_idempotency"


@pytest.fixture
def watched(database: InMemoryDynamoDB) -> Watched:
    return Watched(database.client())


@pytest.fixture
def clock() -> TurnedRuntime:
    return TurnedRuntime(DAY + DAY_MS)


@pytest.fixture
def store(watched: Watched, clock: TurnedRuntime) -> EventStore:
    """Return a store with a commit of two events, one of three, and other aggregates around."""
    store = EventStore.open(watched, runtime=clock)  # type: ignore[arg-type]
    append(store, "a", DAY, DAY + 1)
    append(store, "a", DAY + 2, DAY + 3, DAY + 4)
    for number in range(5):
        append(store, f"other-{number}", DAY, DAY)
    return store


@pytest.fixture
def change(database: InMemoryDynamoDB) -> Callable[..., None]:
    """Change or delete a row behind the store's back."""
    client = database.client()

    def change(table: str, aggregate_id: str, number: int, **attributes: Any) -> None:
        key = {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": str(number)}}
        item = client.get_item(TableName=table, Key=key)["Item"]
        client.delete_item(TableName=table, Key=key)
        if not attributes:
            return
        for name, value in attributes.items():
            item.pop(name, None)
            if value is not None:
                item[name] = {"N": str(value)} if isinstance(value, int) else {"S": value}
        client.put_item(TableName=table, Item=item)

    return change


Change = Callable[..., None]


def brief(findings: Any) -> list[tuple[str, str, int]]:
    """Return kinds, aggregates and numbers of findings."""
    return [(finding.kind.value, finding.aggregate_id, finding.number) for finding in findings]


def test_a_sound_store_has_no_findings(store: EventStore, clock: TurnedRuntime) -> None:
    """
    Whatever part of it is looked at, and at one look.
    """
    store.append(AggregateRef("ITEM", "keyed"), [NewEvent("X", {})], expected_version=0, idempotency_key="k")

    assert list(store.verify()) == []
    assert list(store.verify("a")) == []
    assert list(store.verify(since_ms=DAY)) == []
    assert clock.slept == []


UNREADABLE = [("corrupt_row", "a", 1), ("corrupt_row", "a", 2)]
CASES: list[tuple[str, list[tuple[int, dict[str, Any]]], list[tuple[str, str, int]]]] = [
    ("a hole in the middle of a commit", [(4, {})], [("hole", "a", 4), ("broken_commit", "a", 5)]),
    ("a lost first event", [(1, {})], [("hole", "a", 1), ("broken_commit", "a", 2)]),
    ("a lost first commit", [(1, {}), (2, {})], [("hole", "a", 1)]),
    ("a lost end", [(5, {})], [("broken_commit", "a", 4)]),
    ("a row of another commit", [(4, {"commitId": "x"})], [("broken_commit", "a", 3), ("broken_commit", "a", 4)]),
    ("a row that says another range", [(5, {"commitFirst": 4})], [("broken_commit", "a", 5)]),
    ("a number outside of its commit", [(1, {"commitFirst": 7, "commitLast": 8})], [("broken_commit", "a", 1)]),
    ("another type", [(2, {"aggregateType": "ORDER"})], [("type_changed", "a", 2), ("wrong_index_key", "a", 2)]),
    ("no payload", [(3, {"eventData": None})], [("corrupt_row", "a", 3)]),
    ("a payload that is not JSON", [(3, {"eventData": "{"})], [("corrupt_row", "a", 3)]),
    ("metadata that is not JSON", [(2, {"metadata": ""})], [("corrupt_row", "a", 2)]),
    ("a number where text belongs", [(4, {"commitId": 7})], [("corrupt_row", "a", 4)]),
    ("a whole commit unreadable", [(1, {"epoch": None}), (2, {"epoch": None})], UNREADABLE),
    ("a year that nobody can say", [(5, {"timestamp": 10**18})], [("corrupt_row", "a", 5)]),
    ("no index key", [(5, {"dayShard": None})], [("wrong_index_key", "a", 5)]),
    ("the index key of another day", [(5, {"dayShard": "2023-11-16#1"})], [("wrong_index_key", "a", 5)]),
    ("a write shard that nobody reads", [(5, {"eventTypeShard": "COUNTED#4"})], [("wrong_index_key", "a", 5)]),
    (
        "time that runs backwards",
        [(2, {"timestamp": DAY - 5, "dayShard": "2023-11-14#0"})],
        [("time_backwards", "a", 2)],
    ),
]


@pytest.mark.parametrize(("changes", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_fault_of_a_history_is_found(store: EventStore, change: Change, changes: Any, expected: Any) -> None:
    """
    By the walk over everything, by the look at the aggregate, and by the walk over what is new; once each.
    """
    for number, attributes in changes:
        change(EVENTS, "a", number, **attributes)
    for number in (2, 5):
        change(OUTBOX, "a", number)

    assert brief(store.verify()) == expected
    assert brief(store.verify("a")) == expected
    assert brief(store.verify(since_ms=DAY - 5)) == expected


def test_only_notes_are_notes(store: EventStore, change: Change) -> None:
    """
    A timestamp is the caller's word, so one that runs backwards is worth knowing and allowed.
    """
    append(store, "a", DAY - 7)
    change(EVENTS, "other-3", 2, dayShard="?")

    found = {finding.kind: finding for finding in store.verify()}

    assert found[FindingKind.TIME_BACKWARDS] == Finding(
        Severity.NOTE, FindingKind.TIME_BACKWARDS, "a", 6, "the timestamp is 11 ms older than that of the event before"
    )
    assert found[FindingKind.WRONG_INDEX_KEY].severity is Severity.FAULT
    assert "'?'" in found[FindingKind.WRONG_INDEX_KEY].sentence


def test_an_event_id_is_used_once(store: EventStore, change: Change) -> None:
    """
    In one aggregate and among several.
    """
    (first, *_, last) = store.load("a")
    change(EVENTS, "a", 5, eventId=first.event_id)
    change(OUTBOX, "a", 5)
    assert brief(store.verify("a")) == [("duplicate_event_id", "a", 5)]

    change(EVENTS, "a", 5, eventId=last.event_id)
    change(EVENTS, "other-2", 2, eventId=first.event_id)
    change(OUTBOX, "other-2", 2)
    (found,) = store.verify()
    assert found.kind is FindingKind.DUPLICATE_EVENT_ID
    assert {found.aggregate_id, found.sentence.split("'")[1]} == {"a", "other-2"}
    assert list(store.verify("other-2")) == []


def test_a_row_without_a_whole_number_is_found(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    Between 1 and 2 there is no event, and before 1 neither.
    """
    for number in ("0", "1.5"):
        row = {"aggregateId": {"S": "other-0"}, "sequenceNumber": {"N": number}}
        database.client().put_item(TableName=EVENTS, Item=row)

    assert brief(store.verify()) == [("corrupt_row", "other-0", 0)] * 2


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"commitId": "x"}, [("outbox_differs", "a", 3)]),
        ({"firstSequence": 4}, [("outbox_differs", "a", 4)]),
        ({"aggregateType": "ORDER"}, [("outbox_differs", "a", 3)]),
        ({"firstSequence": 0}, [("corrupt_row", "a", 5)]),
        ({"events": "["}, [("corrupt_row", "a", 5)]),
        ({"commitId": None}, [("corrupt_row", "a", 5)]),
    ],
)
def test_an_outbox_row_says_what_the_events_say(
    store: EventStore, change: Change, attributes: dict[str, Any], expected: Any
) -> None:
    """
    Commit, range and type.
    """
    if "firstSequence" in attributes or "aggregateType" in attributes:
        attributes["events"] = None
    change(OUTBOX, "a", 5, **attributes)

    assert brief(store.verify()) == expected
    assert brief(store.verify("a")) == expected
    assert list(store.verify("other-1")) == []


def test_an_outbox_row_carries_the_events_as_they_are(store: EventStore, change: Change) -> None:
    """
    A copy that says something else would be delivered instead of the event.
    """
    change(EVENTS, "a", 4, eventData='{"time":0}')

    (found,) = store.verify("a")

    assert (found.kind, found.number) == (FindingKind.OUTBOX_DIFFERS, 4)
    assert "another content" in found.sentence


def test_an_outbox_row_owes_events_that_exist(store: EventStore, change: Change) -> None:
    """
    Of a commit that a restore has lost, all are missing.
    """
    for number in (3, 4, 5):
        change(EVENTS, "a", number)

    (found,) = store.verify()

    assert (found.kind, found.number) == (FindingKind.OUTBOX_WITHOUT_EVENTS, 3)
    assert found.sentence.endswith("these do not exist: 3, 4, 5")


def test_an_idempotency_key_names_a_commit_that_exists(store: EventStore, change: Change) -> None:
    """
    Otherwise a repeat would be told that its events are stored.
    """
    keyed = AggregateRef("ITEM", "keyed")
    store.append(keyed, [NewEvent("X", {})], expected_version=0, idempotency_key="first")
    store.append(keyed, [NewEvent("X", {})], expected_version=1, idempotency_key="second")
    change(OUTBOX, "keyed", 2)
    change(EVENTS, "keyed", 2)
    (found,) = store.verify()
    assert (found.kind, found.aggregate_id, found.number) == (FindingKind.KEY_WITHOUT_COMMIT, "keyed", 2)
    assert "'second'" in found.sentence

    store.append(keyed, [NewEvent("X", {})], expected_version=1)
    assert brief(store.verify("keyed")) == [("key_without_commit", "keyed", 2)]
    assert brief(store.verify(since_ms=DAY)) == [("key_without_commit", "keyed", 2)]


def test_a_key_that_cannot_be_read_is_found(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    Beside keys that can.
    """
    database.client().put_item(TableName=KEYS, Item={"aggregateId": {"S": "a"}, "key": {"S": "k"}})

    assert brief(store.verify()) == [("corrupt_row", "a", 0)]


class HalfStored(Watched):
    """Hides the first event of a commit from the first reads, as while a transaction is being applied."""

    looks = 2

    def _hide(self, request: Any, reply: Any) -> Any:
        if self.looks and request["TableName"] == EVENTS and "IndexName" not in request:
            rows = reply["Items"]
            kept = [row for row in rows if (row["aggregateId"]["S"], row["sequenceNumber"]["N"]) != ("a", "3")]
            self.looks -= len(kept) < len(rows)
            reply["Items"] = kept
        return reply

    def scan(self, **request: Any) -> Any:
        return self._hide(request, self.inner.scan(**request))

    def query(self, **request: Any) -> Any:
        return self._hide(request, super().query(**request))


@pytest.mark.parametrize("arguments", [{}, {"aggregate_id": "a"}, {"since_ms": DAY}])
def test_a_commit_that_is_being_stored_is_no_fault(
    store: EventStore, database: InMemoryDynamoDB, clock: TurnedRuntime, arguments: Any
) -> None:
    """
    Its rows may become readable one by one; what seems to be missing is looked at again.
    """
    watched = HalfStored(database.client())
    busy = EventStore.open(watched, runtime=clock)  # type: ignore[arg-type]

    assert list(busy.verify(**arguments)) == []
    assert watched.looks == 0


class LongApplied(Watched):
    """Hides a commit from all reads but transactional ones, as while a transaction is applied for long."""

    commit_id = ""

    def _hide(self, rows: Any) -> Any:
        return [row for row in rows if row["commitId"]["S"] != self.commit_id]

    def scan(self, **request: Any) -> Any:
        return self._of_events(request, self.inner.scan(**request))

    def query(self, **request: Any) -> Any:
        return self._of_events(request, super().query(**request))

    def _of_events(self, request: Any, reply: Any) -> Any:
        if request["TableName"] == EVENTS and "IndexName" not in request:
            reply["Items"] = self._hide(reply["Items"])
        return reply

    def batch_get_item(self, **request: Any) -> Any:
        reply = self.inner.batch_get_item(**request)
        reply["Responses"] = {table: self._hide(rows) for table, rows in reply["Responses"].items()}
        return reply


@pytest.mark.parametrize("arguments", [{}, {"aggregate_id": "a"}, {"since_ms": DAY}])
def test_a_commit_that_is_applied_for_long_is_no_fault(
    store: EventStore, database: InMemoryDynamoDB, clock: TurnedRuntime, arguments: Any
) -> None:
    """
    Its outbox row and its key's row show, its events do not yet: they are asked for in a transaction.
    """
    added = store.append(
        AggregateRef("ITEM", "a"), [NewEvent("ADDED", {})] * 2, expected_version=ANY, idempotency_key="late"
    )
    applied = LongApplied(database.client())
    applied.commit_id = added.commit_id
    busy = EventStore.open(applied, runtime=clock)  # type: ignore[arg-type]

    assert list(busy.verify(**arguments)) == []


class Shuffled(Watched):
    """Scans rows in an order that tears aggregates apart, as no documentation rules out."""

    def scan(self, **request: Any) -> Any:
        reply = self.inner.scan(**request)
        reply["Items"].sort(key=lambda row: row.get("sequenceNumber", {}).get("N", ""))
        return reply


def test_a_scan_without_order_makes_no_faults(
    store: EventStore, database: InMemoryDynamoDB, clock: TurnedRuntime
) -> None:
    """
    What seems to be a hole is looked at by a Query, which has an order.
    """
    shuffled = EventStore.open(Shuffled(database.client()), runtime=clock)  # type: ignore[arg-type]

    assert list(shuffled.verify()) == []


def test_a_lasting_fault_is_looked_at_three_times_and_said_once(
    store: EventStore, change: Change, clock: TurnedRuntime
) -> None:
    """
    With a pause between the looks.
    """
    change(EVENTS, "a", 4)
    change(OUTBOX, "a", 5)

    assert brief(store.verify("a")) == [("hole", "a", 4), ("broken_commit", "a", 5)]
    assert clock.slept == [0.1, 0.1]


def test_findings_come_while_the_walk_goes_on(store: EventStore, change: Change, watched: Watched) -> None:
    """
    The first finding does not wait for the outbox.
    """
    for number in range(5):
        change(EVENTS, f"other-{number}", 1, dayShard="?")
    watched.calls.clear()

    next(iter(store.verify()))

    assert watched.calls == {"get_item": 1, "scan": 1}


def test_one_aggregate_does_not_flood(store: EventStore, change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Above a bound its findings are only said to be more.
    """
    monkeypatch.setattr(verifier, "FINDINGS_MAX_PER_AGGREGATE", 3)
    for number in range(1, 6):
        change(EVENTS, "a", number, dayShard="?")

    kinds = [finding.kind.value for finding in store.verify("a")]

    assert kinds == ["wrong_index_key"] * 3 + ["more"]


def test_since_looks_at_what_is_new(store: EventStore, change: Change) -> None:
    """
    At aggregates with an event of that time or a later one, with their whole history.
    """
    change(EVENTS, "a", 1, dayShard="?")
    change(EVENTS, "other-1", 2, dayShard="?")
    append(store, "a", DAY + 50)

    assert brief(store.verify(since_ms=DAY + 50)) == [("wrong_index_key", "a", 1)]


def test_since_forgets_whom_it_has_checked_when_there_are_too_many(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Some are then checked twice; their event ids are not taken for a second use, and a note says what was not seen.
    """
    monkeypatch.setattr(verifier, "_REMEMBERED_AGGREGATES", 2)

    assert brief(store.verify(since_ms=DAY)) == [("event_ids_forgotten", "", 0)]


def test_progress_is_told(store: EventStore) -> None:
    """
    After each page, and at the end with the sums.
    """
    told: list[WalkProgress] = []
    list(store.verify(progress=told.append))

    assert told[0] == WalkProgress(15, 5, 0)
    assert told[-1] == WalkProgress(15, 6, 7)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"aggregate_id": ""}, "aggregate.id"),
        ({"aggregate_id": "a", "since_ms": 5}, "since_ms"),
        ({"since_ms": -5}, "since_ms"),
        ({"event_ids_max": 0}, "event_ids_max"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(store: EventStore, arguments: Any, field: str) -> None:
    """
    By the call itself.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.verify(**arguments)

    assert caught.value.field in (field, "from_ms")


def test_event_ids_are_remembered_within_a_bound() -> None:
    """
    Exactly while there are no more than the bound; then for at least half as many.
    """
    ids = EventIds(10)
    for number in range(10):
        assert ids.meet(f"id-{number}", f"aggregate-{number}") is None
    assert [ids.meet(f"id-{number}", "x") for number in (0, 9)] == ["aggregate-0", "aggregate-9"]
    assert not ids.has_forgotten

    for number in range(10, 1_000):
        assert ids.meet(f"id-{number}", f"aggregate-{number}") is None
        if number % 7 == 0:
            assert ids.meet(f"id-{number - 4}", "x") == f"aggregate-{number - 4}"
    assert ids.has_forgotten
    assert ids.meet("id-0", "x") is None


def test_a_store_with_more_ids_than_are_remembered_says_so(store: EventStore) -> None:
    """
    What was not looked for is not called sound.
    """
    (found,) = store.verify(event_ids_max=14)

    assert (found.severity, found.kind) == (Severity.NOTE, FindingKind.EVENT_IDS_FORGOTTEN)
    assert "within 7 events" in found.sentence
    assert list(store.verify(event_ids_max=15)) == []

"""Two writers append to one aggregate on the in-memory DynamoDB; their calls meet in every order and are lost."""

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from eventstore import AggregateRef, EventStore, NewEvent, TableNames
from eventstore.dynamodb import tables
from eventstore.errors import OutcomeUnknownError, TryLaterError, WrongExpectedVersionError
from eventstore.expectation import Expectation
from eventstore.model import AppendResult
from eventstore.testing import InMemoryDynamoDB, ManualRuntime
from eventstore.testing.dynamodb.errors import ServiceError
from tests.exhaustive.append.writer import HandWriter
from tests.exhaustive.explorer import Step, World

ORDER = AggregateRef("Order", "order-1")
NAMES = TableNames()
_TEMPLATE = tables.load_template()

WRITES = frozenset({"TransactWriteItems"})


@dataclass(frozen=True, slots=True)
class Scene:
    """What the writers do, and what may go wrong.

    Attributes:
        expected: The version that each writer expects.
        keys: The idempotency key of each; None for none. Writers with one key append the same.
        faults: How many calls of each writer may be lost.
        kinds: How a call may be lost.
    """

    expected: Sequence[int | Expectation]
    keys: Sequence[str | None] = (None, None)
    faults: int = 2
    kinds: Sequence[str] = ("reply", "request", "late")


class EvenRuntime(ManualRuntime):
    """No chance in pauses: each is its shortest."""

    def uniform(self) -> float:
        return 0.0


class _Way:
    """Hands each call to the writer whose client made it."""

    def __init__(self) -> None:
        self.writers: list[HandWriter] = []

    def carry(self, operation: str, request: Mapping[str, Any], effect: Any) -> dict[str, Any]:
        for writer in self.writers:
            if writer.is_current():
                return writer.carry(operation, request, effect)
        reply: dict[str, Any] = effect()
        return reply


@dataclass(slots=True)
class Stored:
    """What is in the tables.

    Attributes:
        events: Number and commit id of each event, in order.
        by: How many events each writer has there.
        outbox: Commit ids of the rows that are owed.
    """

    events: list[tuple[int, str]] = field(default_factory=list)
    by: Counter[str] = field(default_factory=Counter)
    outbox: set[str] = field(default_factory=set)


class Appends(World):
    """Two appends under way, of which each call is a step."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        way = _Way()
        self.database = InMemoryDynamoDB(clock=ManualRuntime(), passage=way)
        with patch.object(tables, "load_template", lambda: _TEMPLATE):  # parsing it takes longer than a whole course
            tables.init(self.database.client(), NAMES, ManualRuntime(), protect=False)
        self.left = [scene.faults] * len(scene.expected)
        for number, (expected, key) in enumerate(zip(scene.expected, scene.keys, strict=True)):
            name = "AB"[number]
            store = EventStore.open(self.database.client(), NAMES, runtime=EvenRuntime(seed=number))
            way.writers.append(HandWriter(name))
            way.writers[-1].start(lambda s=store, e=expected, k=key, n=name: _append(s, e, k, n))  # type: ignore[misc]
        self.writers = way.writers

    def steps(self) -> Sequence[Step]:
        """See `World`."""
        steps = []
        for number, writer in enumerate(self.writers):
            if writer.operation is not None:
                what = f"{writer.name}'s {writer.operation}"
                steps.append(Step(f"{what} is answered", writer.go_through))
                if self.left[number]:
                    steps += self._losses(number, writer, what)
            for place in range(len(writer.late)):
                steps.append(Step(f"{writer.name}'s late request {place + 1} arrives", lambda w=writer: _arrive(w)))
                break  # those of one writer arrive in their order
        return steps

    def check(self) -> None:
        """See `World`."""
        stored = self._stored()
        numbers = [number for number, _ in stored.events]
        assert numbers == list(range(1, len(numbers) + 1)), f"the events are numbered {numbers}"
        commits = {commit for _, commit in stored.events}
        assert stored.outbox == commits, f"{commits} are stored, and {stored.outbox} are owed"
        for writer in self.writers:
            self._check_writer(writer, stored)
        shared = [key for key in self.scene.keys if key is not None]
        if len(set(shared)) < len(shared):
            assert len(stored.events) <= 1, f"one key stands for {len(stored.events)} events"
        if self.is_done() and all(writer.error is None for writer in self.writers):
            self._check_all_stored(stored)

    def fingerprint(self) -> object:
        """See `World`."""
        client = self.database.observer()
        rows = [repr(client.scan(TableName=name)["Items"]) for name in (NAMES.events, NAMES.outbox, NAMES.idempotency)]
        told = [
            (each.operation, each.heard, len(each.late), repr(each.result), repr(each.error)) for each in self.writers
        ]
        return (*rows, *told, *self.left)

    def is_done(self) -> bool:
        """See `World`."""
        return all(writer.operation is None and not writer.late for writer in self.writers)

    def close(self) -> None:
        """See `World`."""
        for writer in self.writers:
            writer.end()

    def _losses(self, number: int, writer: HandWriter, what: str) -> list[Step]:
        kinds = {
            "reply": (f"{what} takes effect, and the reply is lost", writer.lose_reply),
            "request": (f"{what} never arrives", writer.lose_request),
            "late": (f"{what} is late", writer.delay),
        }
        wanted = [kind for kind in self.scene.kinds if kind != "late" or writer.operation in WRITES]

        def losing(do: Any) -> Any:
            def lose() -> None:
                self.left[number] -= 1
                do()

            return lose

        return [Step(kinds[kind][0], losing(kinds[kind][1]), is_fault=True) for kind in wanted]

    def _stored(self) -> Stored:
        stored, client = Stored(), self.database.observer()
        for item in client.scan(TableName=NAMES.events)["Items"]:
            stored.events.append((int(item["sequenceNumber"]["N"]), item["commitId"]["S"]))
            stored.by[item["eventData"]["S"]] += 1
        stored.events.sort()
        stored.outbox = {item["commitId"]["S"] for item in client.scan(TableName=NAMES.outbox)["Items"]}
        return stored

    def _check_writer(self, writer: HandWriter, stored: Stored) -> None:
        key = self.scene.keys[self.writers.index(writer)]
        mine = stored.by[_data(writer.name, key)]
        assert mine <= 1, f"{writer.name}'s event is stored {mine} times"
        if writer.result is not None:
            found = [commit for number, commit in stored.events if number == writer.result.version]
            assert found == [writer.result.commit_id], (
                f"{writer.name} was told {writer.result.version}, and there is {found}"
            )
        elif isinstance(writer.error, WrongExpectedVersionError):
            assert mine == 0, f"{writer.name} was refused, and its event is stored"
        elif writer.error is not None and not isinstance(writer.error, OutcomeUnknownError):
            assert isinstance(writer.error, TryLaterError), f"{writer.name} ended with {writer.error!r}"
            assert mine == 0, f"{writer.name} was told that nothing is stored, and its event is"

    def _check_all_stored(self, stored: Stored) -> None:
        wanted = len(set(self.scene.keys)) if None not in self.scene.keys else len(self.writers)
        assert len(stored.events) == wanted, f"all were told that they have stored, and there are {len(stored.events)}"


def _append(store: EventStore, expected: int | Expectation, key: str | None, name: str) -> AppendResult:
    event = NewEvent("OrderPlaced", {"by": key or name})
    return store.append(ORDER, [event], expected_version=expected, idempotency_key=key)


def _data(name: str, key: str | None) -> str:
    return f'{{"by":"{key or name}"}}'


def _arrive(writer: HandWriter) -> None:
    with contextlib.suppress(ServiceError):
        writer.late.pop(0)()

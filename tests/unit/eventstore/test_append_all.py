"""Many independent appends: order, bounds, and outcomes one by one."""

import contextvars
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from eventstore import (
    ANY,
    AggregateRef,
    Append,
    BulkProgress,
    EventStore,
    InvalidInputError,
    StoreOptions,
    WrongExpectedVersionError,
)
from eventstore.testing import InMemoryDynamoDB
from tests.support.waiting import until

from .conftest import ITEM, event


def item(number: int) -> AggregateRef:
    return AggregateRef("ITEM", f"item-{number}")


def test_outcomes_come_in_input_order_and_aggregates_keep_theirs(store: EventStore) -> None:
    """
    Seven aggregates take turns over 210 appends that expect numbers; each is stored where it expects.
    """
    appends = [Append(item(number % 7), [event(number)], number // 7) for number in range(210)]

    outcomes = list(store.append_all(appends, concurrency=8))

    assert [outcome.index for outcome in outcomes] == list(range(210))
    assert [outcome.error for outcome in outcomes] == [None] * 210
    assert [outcome.result.version for outcome in outcomes if outcome.result] == [n // 7 + 1 for n in range(210)]
    assert [each.data["number"] for each in store.load("item-3")] == list(range(3, 210, 7))


def test_a_refusal_concerns_one_append_alone(store: EventStore) -> None:
    """
    What another append stored stays, and what cannot be stored is an outcome with an error, not an end.
    """
    appends: list[Any] = [
        Append(item(1), [event(1)], 0),
        Append(item(1), [event(2)], 5),
        Append(item(2), [], 0),
        "no append",
        Append(item(1), [event(3)], 1),
    ]

    outcomes = list(store.append_all(appends))

    assert [type(outcome.error) for outcome in outcomes] == [
        type(None),
        WrongExpectedVersionError,
        InvalidInputError,
        InvalidInputError,
        type(None),
    ]
    assert [outcome.result is not None for outcome in outcomes] == [True, False, False, False, True]
    assert outcomes[1].append is appends[1]


def test_the_input_is_not_read_ahead_further_than_the_window(store: EventStore) -> None:
    """
    An endless input is read as far as its outcomes are taken, plus four per unit of concurrency.
    """
    read = 0

    def endless() -> Iterator[Append]:
        nonlocal read
        while True:
            read += 1
            yield Append(item(read), [event(read)], 0)

    outcomes = store.append_all(endless(), concurrency=2)
    assert read == 0
    for taken in range(1, 21):
        next(outcomes)
        assert read <= taken + 8
    outcomes.close()  # type: ignore[attr-defined]


def test_a_slow_append_does_not_let_the_input_run_away(database: InMemoryDynamoDB) -> None:
    """
    While the first one hangs, seven behind it are done, one after the other, and an eighth is not even read.
    """
    head, gate, inner, read = threading.Event(), threading.Semaphore(0), database.client(), 0
    read_at_release: list[int] = []

    class Gated:
        def transact_write_items(self, **request: Any) -> Any:
            is_head = "item-1/" in f"{request['TransactItems'][0]['Put']['Item']['aggregateId']['S']}/"
            assert head.wait(10.0) if is_head else gate.acquire(timeout=10.0)
            return inner.transact_write_items(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    def endless() -> Iterator[Append]:
        nonlocal read
        while True:
            read += 1
            if read == 8:
                gate.release()
            yield Append(item(read), [event(read)], 0)

    def on_progress(progress: BulkProgress) -> None:
        if progress.done == 7:
            read_at_release.append(read)
            head.set()
        gate.release()

    store = EventStore.open(Gated())  # type: ignore[arg-type]
    outcomes = store.append_all(endless(), concurrency=2, progress=on_progress)
    assert next(outcomes).append.aggregate == item(1)
    for _ in range(100):
        gate.release()
    outcomes.close()  # type: ignore[attr-defined]

    assert read_at_release == [8]


def test_a_closed_run_sends_no_more(store: EventStore) -> None:
    """
    What was on its way is stored, whole; the workers are gone.
    """
    outcomes = store.append_all((Append(item(number), [event()], 0) for number in range(1000)), concurrency=2)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("append-")]
    assert store.metrics().counts.appends <= 16


def test_a_failing_input_is_raised_behind_what_was_read(store: EventStore) -> None:
    """
    What was read before is stored and given back first.
    """

    def failing() -> Iterator[Append]:
        yield Append(item(1), [event()], 0)
        yield Append(item(2), [event()], 0)
        raise OSError("the file is gone")

    outcomes = store.append_all(failing())

    assert [next(outcomes).error, next(outcomes).error] == [None, None]
    with pytest.raises(OSError, match="the file is gone"):
        next(outcomes)


def test_progress_counts_every_outcome(store: EventStore) -> None:
    """
    It is told once per outcome, and ends at the totals.
    """
    seen: list[BulkProgress] = []
    appends = [Append(item(number % 3), [event(), event()], ANY if number < 9 else 0) for number in range(10)]

    list(store.append_all(appends, progress=seen.append))

    assert [progress.done for progress in seen] == list(range(1, 11))
    assert seen[-1] == BulkProgress(done=10, stored=9, failed=1, events=18)


def test_an_import_can_be_run_again(store: EventStore) -> None:
    """
    With keys the second run stores nothing, and says so.
    """
    appends = [Append(item(number % 3), [event(number)], ANY, f"line-{number}") for number in range(12)]
    list(store.append_all(appends[:7]))

    outcomes = list(store.append_all(appends))

    assert [outcome.result.already_stored for outcome in outcomes if outcome.result] == [True] * 7 + [False] * 5
    assert sum(store.current_version(f"item-{number}") for number in range(3)) == 12


def test_so_many_are_on_their_way_at_once(database: InMemoryDynamoDB) -> None:
    """
    Three appends meet inside of the client: three workers carry them; never a fourth.
    """
    meeting, inner = threading.Barrier(3), database.client()
    lock, inside, most = threading.Lock(), 0, 0

    class Meeting:
        def transact_write_items(self, **request: Any) -> Any:
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            meeting.wait(10.0)
            with lock:
                inside -= 1
            return inner.transact_write_items(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    store = EventStore.open(Meeting(), options=StoreOptions())  # type: ignore[arg-type]

    outcomes = list(store.append_all([Append(item(n), [event()], 0) for n in range(12)], concurrency=3))

    assert all(outcome.error is None for outcome in outcomes)
    assert most == 3


@pytest.mark.parametrize("concurrency", [0, 65, True, "8"])
def test_a_concurrency_that_cannot_be_is_refused_at_once(store: EventStore, concurrency: Any) -> None:
    """
    The refusal does not wait for the first outcome.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.append_all([Append(ITEM, [event()], 0)], concurrency=concurrency)

    assert caught.value.field == "concurrency"


def test_a_defect_is_raised(store: EventStore, client: Any) -> None:
    """
    What is not an error of the store is a defect, and ends the run.
    """
    client.before = [ZeroDivisionError("defect")]

    with pytest.raises(ZeroDivisionError):
        list(store.append_all([Append(ITEM, [event()], 0)]))


def test_an_outcome_does_not_wait_for_the_next_input(store: EventStore) -> None:
    """
    A pipeline that is fed by a queue acknowledges each message before the next one comes, also the last.
    """
    messages: queue.Queue[int | None] = queue.Queue()

    def fed() -> Iterator[Append]:
        while (number := messages.get(timeout=10)) is not None:
            yield Append(item(number), [event(number)], 0)

    outcomes = store.append_all(fed())
    for number in range(3):
        messages.put(number)
        assert next(outcomes).index == number
    messages.put(None)

    assert list(outcomes) == []


def test_a_run_is_closed_while_its_input_has_nothing(store: EventStore) -> None:
    """
    An input that gives nothing does not hold up the end; what it gives afterwards is not sent.
    """
    gate, given = threading.Event(), threading.Event()

    def stalled() -> Iterator[Append]:
        yield Append(item(1), [event()], 0)
        gate.wait(20)
        given.set()
        yield Append(item(2), [event()], 0)

    outcomes = store.append_all(stalled())
    assert next(outcomes).error is None
    outcomes.close()  # type: ignore[attr-defined]
    assert not given.is_set()
    gate.set()
    assert given.wait(10)
    until(lambda: not [each for each in threading.enumerate() if each.name == "append-input"], "the reader has ended")

    assert store.current_version("item-2") == 0


class Unspeakable:
    """A value that is nothing, and cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


@pytest.mark.parametrize(
    "bad",
    [
        Append(AggregateRef("ITEM", Unspeakable()), [event()], 0),  # type: ignore[arg-type]
        Append(AggregateRef("ITEM", ["item-1"]), [event()], 0),  # type: ignore[arg-type]
        Append(AggregateRef("ITEM", "\ud800"), [event()], 0),
        Append(None, [event()], 0),  # type: ignore[arg-type]
        Append(item(9), 5, 0),  # type: ignore[arg-type]
        Append(item(9), [event(value=object())], 0),
        Append(item(9), [None], 0),
        Append(item(9), [event()], None),  # type: ignore[arg-type]
        Append(item(9), [event()], 0, 7),  # type: ignore[arg-type]
        None,
    ],
    ids=range(10),
)
def test_a_bad_value_is_an_outcome_like_others(store: EventStore, bad: Any) -> None:
    """
    Whatever the input gives, it concerns its own place alone: what is before and behind it is stored and said.
    """
    good = [Append(item(number), [event(number)], 0) for number in range(6)]

    outcomes = list(store.append_all([*good[:3], bad, *good[3:]], concurrency=2))

    assert [type(outcome.error) for outcome in outcomes[:3] + outcomes[4:]] == [type(None)] * 6
    assert isinstance(outcomes[3].error, InvalidInputError)


def test_a_defect_is_raised_behind_the_outcomes_of_all_that_was_sent(store: EventStore, client: Any) -> None:
    """
    Nothing that is stored lacks its outcome when an unexpected exception ends the run.
    """
    client.before = [None, ZeroDivisionError("defect")]
    found: list[int] = []

    appends = [Append(item(number), [event(number)], 0) for number in range(9)]
    outcomes = store.append_all(appends, concurrency=1)
    with pytest.raises(ZeroDivisionError):
        found.extend(outcome.index for outcome in outcomes)

    assert found == [number for number in range(9) if store.current_version(f"item-{number}")]
    assert found[0] == 0


def test_the_input_is_read_in_the_callers_context(store: EventStore) -> None:
    """
    A generator sees the caller's context variables, as it does where it is simply iterated.
    """
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user")
    user.set("ann")

    outcomes = list(store.append_all(Append(item(1), [event(user=user.get())], 0) for _ in range(1)))

    assert outcomes[0].append.events[0].data["user"] == "ann"

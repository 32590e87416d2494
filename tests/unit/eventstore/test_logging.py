"""What the library logs, by standard logging: retries, a cut limit, an ignored snapshot; never a payload."""

import logging
import subprocess
import sys
from typing import Any

import pytest

from eventstore import (
    EXISTS,
    AggregateRef,
    EventStore,
    JsonStateCodec,
    NewEvent,
    Repository,
    SearchUnreachableError,
    SnapshotPolicy,
)
from eventstore.backoff import Backoff, Deadline
from eventstore.search.calls import ask
from eventstore.search.client import SearchLostError
from eventstore.testing import ManualRuntime

from .conftest import ITEM, FaultyClient, event, lost, throttle


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Return logger, level and text of what the library logged."""
    return [
        (record.name, record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.split(".")[0] == "eventstore"
    ]


@pytest.fixture(autouse=True)
def every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="eventstore")


def test_nothing_is_logged_while_all_is_well(store: EventStore, caplog: pytest.LogCaptureFixture) -> None:
    """
    A store that works has nothing to say.
    """
    store.append(ITEM, [event()], expected_version=0)
    store.append(ITEM, [event()], expected_version=EXISTS)
    store.load(ITEM)

    assert said(caplog) == []


def test_a_retry_of_an_append_and_a_cut_limit(
    store: EventStore, client: FaultyClient, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Which attempt of how many, at what, and why; the limit is cut once for the throttle.
    """
    client.before = [throttle(), lost()]

    result = store.append(ITEM, [NewEvent("COUNTED", {"secret": "sesame"})], expected_version=0)

    assert [(name, level) for name, level, _ in said(caplog)] == [
        ("eventstore.dynamodb.limiter", "WARNING"),
        ("eventstore.append.appender", "INFO"),
        ("eventstore.append.appender", "INFO"),
    ]
    cut, first, second = [text for _, _, text in said(caplog)]
    at = f"commit {result.commit_id} of aggregate 'item-1'"
    assert cut == "limit: from 32 to 16 requests at once, after a throttle"
    assert first == f"retry: attempt 2 of 4 at {at}, after: ThrottlingException: slow down"
    assert second.startswith(f"retry: attempt 3 of 4 at {at}, after: Read timeout")
    assert "sesame" not in caplog.text


def test_a_retry_of_a_read(store: EventStore, client: FaultyClient, caplog: pytest.LogCaptureFixture) -> None:
    """
    The operation, by its name.
    """
    inner, faults = client.inner, [throttle()]

    class Throttled:
        def query(self, **request: Any) -> Any:
            if faults:
                raise faults.pop()
            return inner.query(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner = Throttled()
    store.load(ITEM)

    assert said(caplog) == [
        (
            "eventstore.dynamodb.caller",
            "INFO",
            "retry: attempt 2 of 4 at query, after: ThrottlingException: slow down",
        )
    ]


def test_another_writer_who_was_faster(
    store: EventStore, client: FaultyClient, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A round of an append whose version is left to the store, and a decision that is made again.
    """
    inner = client.inner
    rival = EventStore.open(inner)
    rival.append(ITEM, [event()], expected_version=0)
    waits = [True, True]
    repository = Repository(store, aggregate_type="ITEM", initial=0, evolve=count)

    class Rivalled:
        def transact_write_items(self, **request: Any) -> Any:
            if waits.pop():
                rival.append(ITEM, [event()], expected_version=EXISTS)
            return inner.transact_write_items(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner = Rivalled()
    waits[:] = [False, True]
    store.append(ITEM, [event()], expected_version=EXISTS)
    waits[:] = [False, True]
    repository.transact("item-1", lambda _, command: [event(command)], 7)

    conflict = "aggregate 'item-1' is at version 4, not 3: load it and decide again"
    assert [text for _, _, text in said(caplog)] == [
        "retry: round 2 of 16 at an append to aggregate 'item-1', after: another writer was faster",
        f"retry: decision 2 about aggregate 'item-1', after: {conflict}",
    ]


def count(state: int, _: Any) -> int:
    return state + 1


class Picky(JsonStateCodec):
    """A codec that can neither write nor read, and quotes what it was given."""

    def encode(self, state: int) -> str:
        raise ValueError(f"sesame {state}")

    def decode(self, text: str) -> int:
        raise ValueError(f"sesame {text}")


def test_a_snapshot_that_is_ignored(store: EventStore, caplog: pytest.LogCaptureFixture) -> None:
    """
    It is of another version of the fold, or its codec cannot read it; what the codec quotes of the state stays out.
    """
    store.append(AggregateRef("ITEM", "item-1"), [event(), event()], expected_version=0)
    always = SnapshotPolicy.every(1)
    Repository(store, aggregate_type="ITEM", initial=0, evolve=count, snapshots=always).load("item-1")
    Repository(store, aggregate_type="ITEM", initial=0, evolve=count, snapshots=always, fold_version=2).load("item-1")
    Repository(
        store, aggregate_type="ITEM", initial=0, evolve=count, snapshots=always, fold_version=2, codec=Picky(int)
    ).load("item-1")

    found = said(caplog)
    assert {(name, level) for name, level, _ in found} == {("eventstore.repository.snapshots", "WARNING")}
    ignored, unread, unwritten = [text for _, _, text in found]
    assert ignored.startswith("snapshot of 'item-1' ignored: it is of another fold, version of one, or epoch")
    assert unread == "snapshot of 'item-1' ignored: its codec raised ValueError; the events are read instead"
    assert unwritten == "snapshot of 'item-1' not written: its codec raised ValueError"
    assert "sesame" not in caplog.text


def test_a_retry_of_a_search(caplog: pytest.LogCaptureFixture) -> None:
    """
    The index is asked again.
    """
    runtime = ManualRuntime()

    def fail(_: float) -> None:
        raise SearchLostError("no route")

    with pytest.raises(SearchUnreachableError):
        ask(runtime, Backoff(2, 0, 0), Deadline(runtime, 5), fail)

    assert said(caplog) == [
        ("eventstore.search.calls", "INFO", "retry: attempt 2 of 2 at the search index, after: no route")
    ]


def test_a_program_that_has_not_set_logging_up_hears_nothing() -> None:
    """
    Not even warnings, which Python prints when nobody has asked; and nothing is done to the root logger.
    """
    program = (
        "import logging, eventstore\n"
        "logging.getLogger('eventstore.dynamodb.limiter').warning('limit')\n"
        "assert logging.getLogger().handlers == []\n"
        "assert [type(each) for each in logging.getLogger('eventstore').handlers] == [logging.NullHandler]\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert (done.stdout, done.stderr) == ("", "")

"""The demo's verdict is about everything that can be seen from outside, and not about ids alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from eventstore.system import SystemRuntime
from relay.cli.demo import _report
from relay.demo import scenario
from relay.demo.main_job import Figures, MainJob
from relay.demo.world import EmbeddedWorld
from relay.testing import ReceivedMessage
from relay.testing.checker import IndexedDocument, Promise

COMMITS = 30


class SpoiledConsumer:
    """Passes messages on, of which one is spoiled."""

    def __init__(self, inner: Any, spoil: Callable[[ReceivedMessage], ReceivedMessage]) -> None:
        self._inner = inner
        self._spoil = spoil
        self._came = 0

    def receive(self, timeout_seconds: float) -> list[ReceivedMessage]:
        messages: list[ReceivedMessage] = self._inner.receive(timeout_seconds)
        if messages and not self._came:
            messages[0] = self._spoil(messages[0])
        self._came += len(messages)
        return messages

    def close(self) -> None:
        self._inner.close()


class SpoiledIndex:
    """Passes calls on; one document is spoiled."""

    def __init__(self, inner: Any, spoil: Callable[[IndexedDocument], IndexedDocument]) -> None:
        self._inner = inner
        self._spoil = spoil

    def documents(self) -> Iterator[IndexedDocument]:
        first, *others = self._inner.documents()
        yield from (self._spoil(first), *others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def run(spoil: Callable[[EmbeddedWorld], None]) -> Figures:
    runtime = SystemRuntime()
    world = EmbeddedWorld(runtime)
    spoil(world)
    job = MainJob(world, list(scenario.commits(1, COMMITS)), "thirty commits", runtime)
    try:
        figures, _ = job.run()
    finally:
        job.abort()
        world.close()
    return figures


def bus(spoil: Callable[[ReceivedMessage], ReceivedMessage]) -> Callable[[EmbeddedWorld], None]:
    def apply(world: EmbeddedWorld) -> None:
        world.consumer = SpoiledConsumer(world.consumer, spoil)

    return apply


def index(spoil: Callable[[IndexedDocument], IndexedDocument]) -> Callable[[EmbeddedWorld], None]:
    def apply(world: EmbeddedWorld) -> None:
        world.index = SpoiledIndex(world.index, spoil)

    return apply


SPOILED = {
    "a body": (bus(lambda message: replace(message, body=b"{}")), Promise.SENT_AS_STORED, "body is"),
    "a header": (
        bus(lambda message: replace(message, headers={**message.headers, "cloudEvents_commitid": "another"})),
        Promise.SENT_AS_STORED,
        "header cloudEvents_commitid is",
    ),
    "a payload in the index": (
        index(lambda found: replace(found, source={**found.source, "data": {}})),
        Promise.INDEXED_AS_STORED,
        "data is",
    ),
    "a document of another month": (
        index(lambda found: replace(found, index="inventory-events-2001.01")),
        Promise.OWN_MONTH,
        "is in inventory-events-2001.01, not in inventory-events-",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_content_is_part_of_the_verdict(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Every event is there, once and in order, and one is not as it was written: that is not clean, and it is told.
    """
    spoil, promise, words = SPOILED[name]
    figures = run(spoil)

    assert (figures.missing, figures.order_breaks, figures.outbox_left, figures.duplicates) == (0, 0, 0, 0)
    assert figures.commits == COMMITS
    assert figures.events == figures.distinct_published == figures.indexed >= COMMITS
    assert not figures.is_clean
    assert dict(figures.verdict.counts) == {promise: 1}
    _report(figures, [], "nothing", as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{promise} (broken 1 times)" in shown
    assert words in shown
    assert "NOT CLEAN" in shown


def test_a_demo_in_which_all_is_well_is_clean() -> None:
    """
    The same without any spoiling.
    """
    assert run(lambda _: None).is_clean

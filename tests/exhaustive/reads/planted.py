"""Deliberate bugs of reads."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from eventstore.dynamodb.caller import Caller
from eventstore.read import gapless
from eventstore.timeline.place import Place
from eventstore.timeline.seen import Seen
from relay.destination import CommitKey
from relay.sweep import sweep
from tests.exhaustive.area import PlantedBug


@contextmanager
def _one_page() -> Iterator[None]:
    honest = Caller.pages

    def pages(self: Caller, *what: Any, **how: Any) -> Iterator[Any]:
        for reply in honest(self, *what, **how):
            yield reply
            return

    with patch.object(Caller, "pages", pages):
        yield


@contextmanager
def _torn_commits() -> Iterator[None]:
    with patch.object(gapless._Place, "is_within_commit", lambda _self, _until: False):
        yield


@contextmanager
def _one_event_a_millisecond() -> Iterator[None]:
    honest = Seen.is_new

    def is_new(self: Seen, place: Place) -> bool:
        known = {each.timestamp_ms for each in self._known}
        return honest(self, place) and place.timestamp_ms not in known

    with patch.object(Seen, "is_new", is_new):
        yield


@contextmanager
def _nothing_is_remembered() -> Iterator[None]:
    honest = Seen.end_pass

    def end_pass(self: Seen) -> None:
        honest(self)
        self._known.clear()

    with patch.object(Seen, "end_pass", end_pass):
        yield


@contextmanager
def _each_page_by_itself() -> Iterator[None]:
    honest = sweep.kept_from_bus

    def kept(rows: Iterable[Any], _blocked: CommitKey | None, now_ms: int) -> sweep.KeptFromBus:
        return honest(rows, None, now_ms)

    with patch.object(sweep, "kept_from_bus", kept):
        yield


BUGS = (
    PlantedBug("only the first page is read", _one_page, "pages of a history", "it gave [1], and not [1, 2]", 2),
    PlantedBug("a commit is given in part", _torn_commits, "transactions not yet to be seen", "it gave [1]", 2),
    PlantedBug("one event a millisecond", _one_event_a_millisecond, "followers", "it gave ['a0']", 3),
    PlantedBug("what was given is forgotten", _nothing_is_remembered, "followers", "it gave ['a0', 'a0'", 2),
    PlantedBug("each page of a walk by itself", _each_page_by_itself, "walks over the outbox", "kept are []", 3),
)

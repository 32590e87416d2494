"""Deliberate bugs of delivery; each must be found by a shortest course."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from relay.delivery import order, settling
from relay.delivery.aggregate import Aggregate, Turn
from relay.delivery.commit import OwedCommit
from relay.delivery.flow import Flow
from relay.delivery.page import Fate
from relay.delivery.pumps.bus_pump import BusPump
from relay.destination import BUS
from tests.exhaustive.area import PlantedBug


@contextmanager
def _no_predecessor() -> Iterator[None]:
    honest = order.next_step

    def next_step(lowest: OwedCommit, known: order.Known, now: float) -> order.Step:
        return honest(lowest, replace(known, reach=max(known.reach, lowest.row.first - 1)), now)

    with patch.object(order, "next_step", next_step):
        yield


@contextmanager
def _from_the_beginning() -> Iterator[None]:
    honest = Flow.unsent

    def unsent(self: Flow, turns: Collection[Turn]) -> None:
        for turn in turns:
            turn.commit.sent = 0
        honest(self, turns)

    with patch.object(Flow, "unsent", unsent):
        yield


@contextmanager
def _no_pause() -> Iterator[None]:
    honest = Flow._refuse

    def refuse(self: Flow, turn: Turn, reason: str, now: float, uniform: float) -> None:
        honest(self, turn, reason, now, uniform)
        turn.aggregate.refusal, turn.aggregate.due_at, turn.commit.seen_at = None, 0.0, now
        self._judge(turn.aggregate, now)

    with patch.object(Flow, "_refuse", refuse):
        yield


@contextmanager
def _any_lease() -> Iterator[None]:
    with patch.object(BusPump, "_may_send", lambda _self, _turn, _now: True):
        yield


@contextmanager
def _the_bus_is_enough() -> Iterator[None]:
    honest = settling.due

    def due(commit: OwedCommit, destinations: Collection[str], **how: Any) -> settling.Due:
        return honest(commit, [BUS], **how)

    with patch.object(settling, "due", due):
        yield


@contextmanager
def _let_go_is_settled() -> Iterator[None]:
    honest = Flow._remove

    def remove(self: Flow, aggregate: Aggregate, commit: OwedCommit, fate: Fate) -> None:
        honest(self, aggregate, commit, Fate.SETTLED if fate is Fate.WITHDRAWN else fate)

    with patch.object(Flow, "_remove", remove):
        yield


@contextmanager
def _brought_for_nobody() -> Iterator[None]:
    with patch.object(Aggregate, "is_claimed", lambda _self, _last: True):
        yield


@contextmanager
def _silence_is_forgotten() -> Iterator[None]:
    honest = Flow.unsent

    def unsent(self: Flow, turns: Collection[Turn]) -> None:
        honest(self, [turn for turn in turns if not turn.is_silent])

    with patch.object(Flow, "unsent", unsent):
        yield


BUGS = (
    PlantedBug("nobody asks for the commit before", _no_predecessor, "order", "is sent when the bus has", 2),
    PlantedBug(
        "a lost connection begins a commit anew", _from_the_beginning, "order", "was confirmed, and goes again", 6
    ),
    PlantedBug("a refused event is tried at once", _no_pause, "refusals", "is tried again at once", 4),
    PlantedBug("any lease will do", _any_lease, "a lease is lost", "nobody who may claims it", 3),
    PlantedBug("a row goes once the bus has it", _the_bus_is_enough, "settling", "index lacks it", 5),
    PlantedBug("what is let go counts as settled", _let_go_is_settled, "a shard lets go", "may pass", 2),
    PlantedBug("a commit is brought for nobody", _brought_for_nobody, "a shard lets go", "the end cannot", 4),
    PlantedBug("what was silent is never taken up", _silence_is_forgotten, "silence", "the end cannot", 4),
)

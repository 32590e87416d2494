"""Deliberate bugs of leases."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from relay.leases import rules
from relay.leases.held import HeldLease
from tests.exhaustive.area import PlantedBug


@contextmanager
def _never_fenced() -> Iterator[None]:
    with patch.object(HeldLease, "is_fenced", lambda held: held.is_over()):
        yield


@contextmanager
def _taken_early() -> Iterator[None]:
    def expired(view: rules.View) -> list[str]:
        return [key for key, lease in view.fleet.leases.items() if lease.owner not in {None, view.me}]

    with patch.object(rules, "_expired", expired):
        yield


@contextmanager
def _never_taken() -> Iterator[None]:
    with patch.object(rules, "_expired", lambda _view: []):
        yield


BUGS = (
    PlantedBug("nobody takes what is abandoned", _never_taken, "two shards", "held in the calm", 3),
    PlantedBug("an owner believes in its lease for ever", _never_fenced, "who works when", "two believe", 3),
    PlantedBug("a lease is taken from who is alive", _taken_early, "who works when", "two believe", 1),
)

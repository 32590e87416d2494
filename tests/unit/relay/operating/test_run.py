"""A worker that is told to stop says whether it left something behind, by a line and by its exit code."""

from importlib import import_module
from typing import Any

import pytest

from eventstore.ports import Flag
from relay.cli.destinations import Destinations
from relay.daemon import Abandoned
from relay.destinations.index.index import Index
from tests.support.waiting import until

from .conftest import Night, Typed


def run_and_stop(night: Night, monkeypatch: pytest.MonkeyPatch, *, events: int = 1, delivered: int) -> Typed:
    """Type `relay run` for a commit of so many events; stop it when the bus has taken so many messages."""
    module: Any = import_module("relay.cli.run")
    flags: list[Flag] = []
    monkeypatch.setattr(module, "stop_on_signals", lambda stop, _hasten: flags.append(stop))
    monkeypatch.setattr(module.logs, "configure", lambda *_: None)
    monkeypatch.setattr(
        module, "open_destinations", lambda *_: Destinations(night.bus(), (Index(night.index, night.runtime),))
    )
    monkeypatch.setenv("RELAY_BUS_BUDGET_SECONDS", "1")
    monkeypatch.setenv("RELAY_INDEX_BULK_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv("RELAY_DRAIN_SECONDS", "5")
    night.append("a", events=events)

    def stop_it() -> None:
        until(lambda: len(night.on_bus()) == delivered, "the bus has taken what is meant")
        flags[0].set()

    stopper = night.runtime.spawn("stopper", stop_it)
    typed = night.type("run")
    assert stopper.join(10.0)
    return typed


def test_a_stop_that_finishes_everything_ends_with_0(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nothing is said: the log has it.
    """
    found = run_and_stop(night, monkeypatch, delivered=1)

    assert (found.code, found.out, found.err) == (0, "", "")


def test_a_stop_that_cuts_a_commit_off_ends_with_4(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The broker has taken its first event and says nothing; the line says what that means.
    """
    night.broker.stall()

    found = run_and_stop(night, monkeypatch, events=2, delivered=1)

    assert found.code == 4
    assert found.out == ""
    assert found.err == (
        "stopped, and left behind commits that were cut off: 1. Nothing is lost; some messages may come again\n"
    )
    assert len(night.items()) == 1


def test_everything_that_was_left_behind_is_named() -> None:
    """
    Parts by name, commits by number.
    """
    assert str(Abandoned(("leave", "bus"), 1_200)) == (
        "parts that did not end in time: leave, bus; commits that were cut off: 1,200"
    )

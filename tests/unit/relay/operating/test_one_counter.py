"""`relay status` and `/metrics` show one and the same count of the outbox."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from eventstore.rows.refused import RefusedMark, encode
from eventstore.testing.manual_runtime import ManualRuntime
from relay import metrics
from relay.observing import gauges
from relay.observing.recording import RecordingMeter
from relay.permit import FlagPermit
from relay.sweep.sweep import SweepSettings
from relay.sweep.sweeper import Sweeper

from .conftest import OLD_MS, Night, mark

NEVER_SECONDS = 1e12
"""No row is so old, so that a walk counts and takes nothing."""


@dataclass(frozen=True)
class Row:
    """A row of the outbox, and what it adds to the count when bus and index are in force."""

    delivered: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()
    first: str = "1"
    committed_at: str | None = "1735689600000"
    owed: tuple[str, ...] = ()
    counted_parked: tuple[str, ...] = ()
    unreadable: int = 0
    refused: tuple[str, ...] = ()
    counted_refused: tuple[str, ...] = ()


ROWS = {
    "owed to both": Row(owed=("bus", "index")),
    "owed to the index": Row(delivered=("bus",), owed=("index",)),
    "parked for a destination in force": Row(parked=("index",), owed=("bus",), counted_parked=("index",)),
    "parked for all in force": Row(parked=("bus", "index"), counted_parked=("bus", "index")),
    "parked for one not in force": Row(delivered=("bus",), parked=("file",), owed=("index",), counted_parked=("file",)),
    "parked for one not in force, else complete": Row(
        delivered=("bus", "index"), parked=("file",), counted_parked=("file",)
    ),
    "parked for what has it": Row(delivered=("bus",), parked=("bus",), owed=("index",)),
    "unreadable": Row(first="none", unreadable=1),
    "unreadable and marked": Row(first="none", parked=("bus",), unreadable=1),
    "broken": Row(committed_at=None, owed=("bus", "index")),
    "complete": Row(delivered=("bus", "index")),
    "complete for others, too": Row(delivered=("bus", "file", "index", "past")),
    "refused by the bus": Row(refused=("bus",), owed=("bus", "index"), counted_refused=("bus",)),
    "refused by what has it": Row(delivered=("bus",), refused=("bus",), owed=("index",)),
    "refused and parked": Row(refused=("bus",), parked=("bus",), owed=("index",), counted_parked=("bus",)),
    "refused by one not in force": Row(refused=("file",), owed=("bus", "index")),
    "delivered to others only": Row(delivered=("file", "past"), owed=("bus", "index")),
}


@dataclass(frozen=True)
class Shown:
    """What an operator reads in one place; zeros are left out."""

    owed: dict[str, int] = field(default_factory=dict)
    parked: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0
    has_oldest: bool = False


def write(night: Night, rows: list[Row]) -> None:
    """Put rows there, each of an aggregate of its own."""
    for number, row in enumerate(rows):
        night.append(f"item-{number}")
        night.change(
            f"item-{number}",
            1,
            firstSequence={"N": row.first} if row.first.isdecimal() else {"S": row.first},
            committedAt=None if row.committed_at is None else {"N": row.committed_at},
            delivered={"SS": list(row.delivered)} if row.delivered else None,
            parked={"M": {name: mark("too_large", "it is too large") for name in row.parked}},
            refused=encode({name: RefusedMark(3, 0, OLD_MS, "nack") for name in row.refused}) if row.refused else None,
        )


def status(night: Night) -> Shown:
    """Return what `relay status` says."""
    outbox = night.type("status", "--json").data["outbox"]
    return Shown(
        nonzero(outbox["owed"]),
        nonzero(outbox["parked_for"]),
        nonzero(outbox["refused_by"]),
        outbox["unreadable"],
        (outbox["oldest_age_seconds"] or 0.0) > 0.0,
    )


def measured(night: Night) -> Shown:
    """Return what `/metrics` says after a walk of the sweep."""
    keeper: Any = None
    meter, clock = RecordingMeter(night.runtime), ManualRuntime(OLD_MS + 1_000)
    sweep = night.relay().sweep()
    sweeper = Sweeper(sweep=sweep, keeper=keeper, runtime=clock, settings=SweepSettings())
    sweeper._note(sweep.walk(FlagPermit(night.runtime.flag()), age_seconds=NEVER_SECONDS))
    gauges.watch_sweep(meter, sweeper, clock)
    found = {metric.name: meter.series(metric) for metric in metrics.CATALOGUE}
    return Shown(
        nonzero({name: count for (name,), count in found["relay_outbox_owed_commits"].items()}),
        nonzero({name: count for (name,), count in found["relay_outbox_parked_commits"].items()}),
        nonzero({name: count for (name,), count in found["relay_outbox_refused_commits"].items()}),
        int(found["relay_outbox_unreadable_commits"].get((), 0)),
        found["relay_outbox_oldest_owed_seconds"][()] > 0.0,
    )


def nonzero(counts: dict[str, Any]) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items() if count}


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_counts_the_same_in_status_and_metrics(night: Night, kind: str) -> None:
    """
    Whatever state a row is in: owed, parked for whom it may be, unreadable, broken or complete.
    """
    row = ROWS[kind]
    write(night, [row])
    expected = Shown(
        dict.fromkeys(row.owed, 1),
        dict.fromkeys(row.counted_parked, 1),
        dict.fromkeys(row.counted_refused, 1),
        row.unreadable,
        bool(row.owed) and row.committed_at is not None,
    )

    assert status(night) == expected
    assert measured(night) == expected


@pytest.mark.parametrize("seed", range(8))
def test_any_mix_of_rows_counts_the_same_in_status_and_metrics(night: Night, seed: int) -> None:
    """
    Counts of rows add up, in whatever order a walk meets them.
    """
    rows = Random(seed).choices(list(ROWS.values()), k=12)
    write(night, rows)
    owed, parked = [name for row in rows for name in row.owed], [name for row in rows for name in row.counted_parked]
    refused = [name for row in rows for name in row.counted_refused]
    expected = Shown(
        {name: owed.count(name) for name in owed},
        {name: parked.count(name) for name in parked},
        {name: refused.count(name) for name in refused},
        sum(row.unreadable for row in rows),
        any(row.owed and row.committed_at is not None for row in rows),
    )

    assert status(night) == measured(night) == expected


@pytest.mark.parametrize("kind", ["unreadable", "parked for one not in force", "parked for all in force"])
def test_a_row_that_waits_for_a_person_raises_the_alert(night: Night, kind: str) -> None:
    """
    The alert of docs/reference/metrics.md adds parked and unreadable rows; `relay status` names the next step.
    """
    write(night, [ROWS[kind]])

    found = measured(night)

    assert sum(found.parked.values()) + found.unreadable > 0
    assert "Next: `relay parked list` shows what waits for a person." in night.type("status").out

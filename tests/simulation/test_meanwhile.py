"""What was true all the time, what at some time, and what at none."""

from decimal import Decimal
from typing import Any

from tests.simulation.meanwhile import Meanwhile, Row, RowKey, delivered, marks

PARKED: Row = {"parked": {"M": {"bus": {"M": {}}}}}
SENT: Row = {"delivered": {"SS": ["bus"]}}


def key(name: str) -> RowKey:
    return name, Decimal(1)


def seen(**states: list[Row | None]) -> Meanwhile:
    return Meanwhile({key(name): each for name, each in states.items()}, is_paused=False, began=0.0)


def is_parked(_key: RowKey, row: Row) -> bool:
    return bool(marks(row) - delivered(row))


def test_what_did_not_change_is_sure() -> None:
    """
    And possible as well.
    """
    found = seen(still=[PARKED], other=[SENT])

    assert found.sure(is_parked) == found.possible(is_parked) == {key("still")}


def test_what_changed_meanwhile_is_possible_alone() -> None:
    """
    A command may have come before the change or after it.
    """
    found = seen(parked_later=[{}, PARKED], released=[PARKED, {}], gone=[PARKED, None], new=[None, PARKED])

    assert found.sure(is_parked) == set()
    assert found.possible(is_parked) == {key(name) for name in ("parked_later", "released", "gone", "new")}


def test_delivered_outranks_a_mark() -> None:
    """
    As operators are told.
    """
    both: dict[str, Any] = {**PARKED, **SENT}

    assert seen(both=[both]).possible(is_parked) == set()

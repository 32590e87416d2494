"""The outbox's stream switched off and on again, as an operator does it by UpdateTable."""

from typing import Any

from tests.support.servers import Corner
from tests.support.waiting import until

TABLE = "inventory_outbox"


def switch_off(corner: Corner) -> None:
    """Take the stream away."""
    corner.client.update_table(TableName=TABLE, StreamSpecification={"StreamEnabled": False})
    _await_active(corner)


def switch_on(corner: Corner) -> str:
    """Give the table a new stream, and return its label."""
    view = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    corner.client.update_table(TableName=TABLE, StreamSpecification=view)
    _await_active(corner)
    return label(corner)


def label(corner: Corner) -> str:
    """Return the label of the stream that the table has."""
    return str(_table(corner)["LatestStreamLabel"])


def _table(corner: Corner) -> dict[str, Any]:
    found: dict[str, Any] = corner.client.describe_table(TableName=TABLE)["Table"]
    return found


def _await_active(corner: Corner) -> None:
    until(lambda: _table(corner)["TableStatus"] == "ACTIVE", "the table is as it was told to be")

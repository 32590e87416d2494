"""What is still to do about a commit, judged per destination. Pure."""

from collections.abc import Collection

from eventstore.outbox_row import OutboxRow


def lacking(row: OutboxRow, destinations: Collection[str]) -> frozenset[str]:
    """Return the destinations for which the commit is work: they do not have it and it is not parked for them.

    `delivered` outranks `parked`. That a commit may have to wait behind an earlier one is for `relay.delivery.order` to
    say.
    """
    return frozenset(destinations) - row.delivered - frozenset(row.parked)


def is_settled(delivered: Collection[str], destinations: Collection[str]) -> bool:
    """Tell whether every destination has the commit, so that its row goes."""
    return frozenset(destinations) <= frozenset(delivered)

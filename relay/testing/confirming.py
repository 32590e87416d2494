"""How a broker puts its confirms together: RabbitMQ's rule for `multiple`, as a value."""

from collections.abc import Collection

from relay.destinations.bus.broker import Acked, Nacked


def answers(confirmed: Collection[int], rejected: Collection[int], unanswered: Collection[int]) -> list[Acked | Nacked]:
    """Return what a channel says at once, acks first.

    What lies below everything that is still open, and below everything that is answered the other way, becomes one
    answer with `multiple`; the rest is answered one by one. A single confirm is never `multiple`, a single nack is one
    where it can be.

    Args:
        confirmed: Tags that every queue has taken.
        rejected: Tags that some queue has rejected.
        unanswered: Tags about which the broker says nothing yet.
    """
    open_from = min(unanswered, default=None)
    acked = _coalesced(confirmed, rejected, open_from) if len(confirmed) > 1 else [(tag, False) for tag in confirmed]
    nacked = _coalesced(rejected, confirmed, open_from)
    return [*(Acked(tag, multiple) for tag, multiple in acked), *(Nacked(tag, multiple) for tag, multiple in nacked)]


def _coalesced(tags: Collection[int], others: Collection[int], open_from: int | None) -> list[tuple[int, bool]]:
    """Return the tags to name, each with whether it speaks for all below it."""
    ordered = sorted(tags)
    if not ordered:
        return []
    cut_off = min([ordered[-1] + 1 if open_from is None else open_from, *others])
    below = [tag for tag in ordered if tag < cut_off]
    return [*((tag, True) for tag in below[-1:]), *((tag, False) for tag in ordered[len(below) :])]

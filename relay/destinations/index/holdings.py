"""What the indices hold, against what they once held: an index that was deleted or emptied is noticed. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

HOW_TO = "docs/how-to/restore-the-index.md"

LOSS_ADVICE = (
    "restore a snapshot, or accept the loss with `relay topology apply --accept-losses`; no command indexes settled"
    f" events again: {HOW_TO}"
)


@dataclass(frozen=True, slots=True)
class Holding:
    """What is known of one index.

    Attributes:
        uuid: Its identity: another one under the same name is another index.
        documents: How many it holds; None while that cannot be known, as of a closed index.
        managed: Whether a lifecycle policy manages it, which may delete it.
        lost: How many it held and holds no more; stays until the index is restored, or a person accepts it.
    """

    uuid: str
    documents: int | None
    managed: bool = False
    lost: int = 0


Holdings = Mapping[str, Holding]


@dataclass(frozen=True, slots=True)
class Loss:
    """An index that lacks what it once held.

    Attributes:
        index: Its name.
        lost: How many documents it lacks.
        is_gone: Whether there is no such index any more.
    """

    index: str
    lost: int
    is_gone: bool

    @property
    def problem(self) -> str:
        """What is wrong, as a predicate."""
        if self.is_gone:
            return f"is gone, which held {self.lost:,} events"
        return f"has lost {self.lost:,} events that it held"

    def __str__(self) -> str:
        """Return a clause about it."""
        return f"index {self.index} {self.problem}"


def learnt(known: Holdings, found: Holdings) -> dict[str, Holding]:
    """Return what is known after a look.

    Counts of one index only grow, as nothing that the relay does deletes a document. Another index under the same name
    is a restored one when it holds at least as much as is known; else the difference is lost, however much it holds
    later. An index that a lifecycle policy manages, and that is gone, was deleted by it, and is forgotten.
    """
    after = {index: before for index, before in known.items() if index in found or not before.managed}
    for index, now in found.items():
        before = known.get(index)
        after[index] = now if before is None else _after(before, now)
    return after


def _after(before: Holding, now: Holding) -> Holding:
    if now.documents is None:
        return replace(before, managed=now.managed)
    held = before.documents or 0
    if now.uuid == before.uuid:
        return replace(now, lost=before.lost + max(0, held - now.documents))
    if before.managed:
        return now
    return replace(now, lost=max(0, held + before.lost - now.documents))


def losses(known: Holdings, found: Holdings) -> Iterator[Loss]:
    """Yield what is missing, given what is known after a look and what that look found."""
    for index, holding in sorted(known.items()):
        if index not in found:
            lost = (holding.documents or 0) + holding.lost
            if lost:
                yield Loss(index, lost, is_gone=True)
        elif holding.lost:
            yield Loss(index, holding.lost, is_gone=False)


def shrunk(known: Holdings, found: Holdings) -> bool:
    """Tell whether one and the same index holds less than is known.

    A copy of a shard that has just become the primary may show its newest documents late: whoever sees this looks again
    before believing it.
    """
    return any(
        index in found
        and found[index].uuid == before.uuid
        and (found[index].documents or 0) < (before.documents or 0)
        and found[index].documents is not None
        for index, before in known.items()
    )


def accepted(known: Holdings, found: Holdings) -> dict[str, Holding]:
    """Return what is known once a person has accepted that what is missing is missing."""
    return {
        index: replace(known[index], lost=0) if now.documents is None and index in known else now
        for index, now in found.items()
    }

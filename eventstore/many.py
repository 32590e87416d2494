"""Several aggregates in one transaction: what must hold of the appends together."""

from collections.abc import Sequence

from eventstore import limits
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.expectation import NO_EVENTS
from eventstore.model import Append


def check_together(appends: Sequence[Append]) -> None:
    """Check what appends of one transaction must be to each other.

    Raises:
        InvalidInputError: There is none, one is no `Append`, an aggregate stands there twice, or only some have keys.
        LimitExceededError: They come to more than 100 actions.
    """
    given: object = appends
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise InvalidInputError("appends", f"is a {type(given).__name__}; give a list of Append")
    if not appends:
        raise InvalidInputError("appends", "is empty; give at least one Append")
    seen: dict[str, int] = {}
    for index, append in enumerate(appends):
        check_is_append(append, f"appends[{index}]")
        aggregate_id = getattr(append.aggregate, "id", None)
        if isinstance(aggregate_id, str) and seen.setdefault(aggregate_id, index) != index:
            raise InvalidInputError(
                f"appends[{index}].aggregate.id",
                f"is {aggregate_id!r}, as in appends[{seen[aggregate_id]}]: put the events of one aggregate together",
            )
    keyed = sum(append.idempotency_key is not None for append in appends)
    if keyed not in (0, len(appends)):
        missing = next(index for index, append in enumerate(appends) if append.idempotency_key is None)
        raise InvalidInputError(
            f"appends[{missing}].idempotency_key",
            "is missing while others have one: a repeat could not be answered for this append; give all or none a key",
        )


def check_size(appends: Sequence[Append]) -> None:
    """Check that checked appends fit into one transaction.

    Raises:
        LimitExceededError: They come to more than 100 actions.
    """
    actions = sum(actions_of(append) for append in appends)
    if actions > limits.TRANSACTION_MAX_ACTIONS:
        raise LimitExceededError("appends", limit=limits.TRANSACTION_MAX_ACTIONS, actual=actions, unit="actions")


def actions_of(append: Append) -> int:
    """Return the most actions an append can come to: its events, the outbox row, the check and the key's row."""
    checks = append.expected_version != NO_EVENTS  # of EXISTS and ANY only the table knows; count what they may need
    return len(append.events) + 1 + checks + (append.idempotency_key is not None)


def check_is_append(append: object, field: str) -> None:
    """Check that a caller gave an `Append`.

    Raises:
        InvalidInputError: It is something else.
    """
    if not isinstance(append, Append):
        raise InvalidInputError(field, f"is a {type(append).__name__}; give an Append")

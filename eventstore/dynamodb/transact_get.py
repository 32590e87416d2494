"""Rows read in the one way that a transaction in progress cannot blur: TransactGetItems.

GetItem, Query and BatchGetItem may answer from before a transaction that is still being applied, consistent reads too.
TransactGetItems sees all of it or nothing, or is in conflict with it. Source: AWS, "Isolation levels" in "DynamoDB
transactions: how it works".
"""

from collections.abc import Sequence
from typing import Any

from eventstore import limits
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.errors import (
    DynamoError,
    NotAppliedError,
    OutcomeLostError,
    RefusedError,
    TransactionCancelledError,
)
from eventstore.errors import ThrottledError
from eventstore.rows.item import Item, describe_key

Place = tuple[str, Item]
"""A table and a key in it."""

_TOO_MUCH = "ValidationError"
"""Reason of a cancelled TransactGetItems that time does not heal: its items are together larger than 4 MB. Source: AWS,
API reference of TransactGetItems."""


def items(caller: Caller, places: Sequence[Place]) -> list[Item | None]:
    """Return the rows at places, in their order; None where there is none.

    Up to 100 are asked for together. Those in conflict with a write are asked for again alone, and halves of those
    that are together larger than 4 MB; more than 100, or such, are not of one moment.

    Raises:
        ThrottledError: In conflict or refused for load at the last attempt: nothing is known.
        UnreachableError: No answer at the last attempt.
        TryLaterError: The deadline had passed before the first.
        SetUpError: As `Caller.read`.
    """
    found: dict[int, Item | None] = {}
    for start in range(0, len(places), limits.TRANSACTION_MAX_ACTIONS):
        chunk = range(start, min(start + limits.TRANSACTION_MAX_ACTIONS, len(places)))
        found.update(_together(caller, places, chunk))
    return [found[index] for index in range(len(places))]


def items_once(caller: Caller, places: Sequence[Place]) -> dict[int, Item | None]:
    """Make one attempt at reading rows; return those that were read, by their index; None where there is none.

    Those in conflict with a write are left out, so that they delay nobody else's answer. Halves of places whose rows
    are together larger than 4 MB are asked for one after the other; a single row never is.

    Args:
        caller: Its attempts are not used.
        places: At most 100.

    Raises:
        ThrottledError: Refused for load: nothing is known.
        UnreachableError: No answer.
        SetUpError: As `Caller.read`.
    """
    found: dict[int, Item | None] = {}
    left: list[Sequence[int]] = [range(len(places))] if places else []
    while left:  # what is put back is fewer each time
        wanted = left.pop()
        try:
            found.update(_ask(caller, places, wanted))
        except (TransactionCancelledError, RefusedError) as error:
            if _is_too_much(error) and len(wanted) > 1:
                middle = len(wanted) // 2
                left += [wanted[middle:], wanted[:middle]]
            elif isinstance(error, TransactionCancelledError):
                _, calm = _split(wanted, error)
                left += [calm] if calm else []
            else:
                raise caller.public(error, _request(places, wanted)) from error
        except (NotAppliedError, OutcomeLostError) as error:
            raise caller.gave_up(error) from error
        except DynamoError as error:
            raise caller.public(error, _request(places, wanted)) from error
    return found


def _together(caller: Caller, places: Sequence[Place], wanted: Sequence[int]) -> dict[int, Item | None]:
    """Return the rows at the wanted ones of places, by their index."""
    found: dict[int, Item | None] = {}
    left = wanted
    last: DynamoError | None = None
    for attempt in caller.attempts():
        caller.note_retry(attempt, "transact_get_items", last)
        try:
            return {**found, **_ask(caller, places, left)}
        except (TransactionCancelledError, RefusedError) as error:
            if _is_too_much(error):
                if len(left) == 1:
                    raise caller.public(error, _request(places, left)) from error
                middle = len(left) // 2
                for half in (left[:middle], left[middle:]):
                    found.update(_together(caller, places, half))
                return found
            last = error
            left, calm = _split(left, error)
            if calm:
                found.update(_together(caller, places, calm))
        except (NotAppliedError, OutcomeLostError) as error:
            last = error
        except DynamoError as error:
            raise caller.public(error, _request(places, left)) from error
    if isinstance(last, TransactionCancelledError):
        reason = f"DynamoDB did not say whether {_described(places, left)} there: {last}"
        raise ThrottledError(reason, retry_after_seconds=caller.backoff.cap_seconds) from last
    raise caller.gave_up(last) from last


def _ask(caller: Caller, places: Sequence[Place], wanted: Sequence[int]) -> dict[int, Item | None]:
    reply = caller.once(caller.client.transact_get_items, needs="Responses", **_request(places, wanted))
    responses = reply["Responses"]
    if len(responses) != len(wanted):
        raise OutcomeLostError("the reply does not answer every key")
    return {index: response.get("Item") or None for index, response in zip(wanted, responses, strict=True)}


def _request(places: Sequence[Place], wanted: Sequence[int]) -> dict[str, Any]:
    return {
        "TransactItems": [{"Get": {"TableName": places[index][0], "Key": places[index][1]}} for index in wanted],
    }


def _is_too_much(error: TransactionCancelledError | RefusedError) -> bool:
    """Tell whether reading fewer rows at once may succeed."""
    return isinstance(error, RefusedError) or any(reason.code == _TOO_MUCH for reason in error.reasons)


def _split(
    wanted: Sequence[int], error: TransactionCancelledError | RefusedError
) -> tuple[Sequence[int], Sequence[int]]:
    """Return the places that were in conflict, and the others when there are any to be asked for on their own."""
    reasons = error.reasons if isinstance(error, TransactionCancelledError) else ()
    hit = [index for index, reason in zip(wanted, reasons, strict=False) if reason.code != "None"]
    if not hit or len(hit) == len(wanted):
        return wanted, ()
    conflicting = set(hit)
    return hit, [index for index in wanted if index not in conflicting]


def _described(places: Sequence[Place], left: Sequence[int]) -> str:
    table, key = places[left[0]]
    others = f" and {len(left) - 1} others are" if len(left) > 1 else " is"
    return f"{describe_key(key)} of {table}{others}"

"""Writes of many leases by one call: taken, renewed, created and removed, each on a condition of its own.

A worker carries many shards, and a call to DynamoDB may take long. One call writes up to 25 leases, and each has an
answer of its own, so that what happens to one concerns no other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore import limits
from eventstore.dynamodb import statements
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.errors import ConditionFailedError, DynamoError, NotAppliedError, OutcomeLostError
from eventstore.dynamodb.statements import WriteStatement
from eventstore.errors import EventStoreError, TryLaterError
from eventstore.rows.item import Item
from relay.leases import records
from relay.leases.errors import LeaseLostError
from relay.leases.fleet import Lease

LEASES_MAX = limits.BATCH_MAX_STATEMENTS
"""Leases in one call."""

_KEY = '"recordType" = ? AND "recordKey" = ?'
_NEW = ("recordType", "recordKey", "term", "counter", "state", "updatedAt")

Answer = Item | ConditionFailedError | TryLaterError
"""The row as it is now (nothing in it where none was asked for), or what is in the way, or that nobody knows."""


class LeaseWrites:
    """Writes leases, up to `LEASES_MAX` in a call. Every write can be made again without harm.

    Methods raise `SetUpError` when the table is absent or may not be used; some of the writes may have happened.

    Args:
        caller: Bounds the attempts of one call; a lease that DynamoDB refuses for load is tried again beside others.
        table: The relay table.
    """

    def __init__(self, caller: Caller, table: str) -> None:
        self._caller = caller
        self._table = table
        members = ", ".join(f"'{name}': ?" for name in _NEW)
        moved = '"counter" = "counter" + ?'
        # A table's name has letters, digits, and `_-.`; everything else goes in as parameters.
        self._insert = f'INSERT INTO "{table}" VALUE {{{members}}}'
        self._renew = f'UPDATE "{table}" SET {moved} WHERE {_KEY} AND "owner" = ? AND "term" = ? RETURNING ALL NEW *'  # noqa: S608
        self._take = (
            f'UPDATE "{table}" SET "owner" = ? SET "term" = ? SET "counter" = ? REMOVE "handOverTo"'  # noqa: S608
            f' WHERE {_KEY} AND "owner" {{owner}} AND "term" = ? AND "counter" = ? AND "state" = ? RETURNING ALL NEW *'
        )
        self._delete = f'DELETE FROM "{table}" WHERE {_KEY} AND "owner" IS MISSING AND "term" = ? AND "counter" = ?'  # noqa: S608

    def create(self, keys: Sequence[str], now_ms: int) -> dict[str, bool | TryLaterError]:
        """Create leases that nobody holds; False for one that is there already."""
        made = {}
        for key in keys:
            item = records.new_lease(key, now_ms)
            made[key] = WriteStatement(self._insert, [item[name] for name in _NEW])
        answers = self._each(made)
        return {
            key: answer if isinstance(answer, TryLaterError) else not isinstance(answer, ConditionFailedError)
            for key, answer in answers.items()
        }

    def renew(self, terms: Mapping[str, int], owner: str) -> dict[str, Lease | EventStoreError]:
        """Send a heartbeat for leases, given with their terms, and return each as it is afterwards.

        Returns:
            `LeaseLostError` for one that is not held by this owner under this term; any other error, for one that may
            not have been renewed.
        """
        statements_by_key = {
            key: WriteStatement(self._renew, [_n(1), *_place(key), _s(owner), _n(term)]) for key, term in terms.items()
        }
        renewed: dict[str, Lease | EventStoreError] = {}
        for key, answer in self._each(statements_by_key, wants_item=True).items():
            if isinstance(answer, ConditionFailedError):
                renewed[key] = LeaseLostError(key, worker_id=owner, term=terms[key])
            else:
                renewed[key] = self._decoded(answer)
        return renewed

    def take(self, seen: Sequence[Lease], owner: str) -> dict[str, Lease | EventStoreError | None]:
        """Take leases that have not changed since they were seen; None for one that has.

        Returns:
            Each as it is under its new term, also when the reply to an attempt was lost; or why nobody knows.
        """
        by_key = {lease.key: lease for lease in seen}
        answers = self._each({lease.key: self._take_of(lease, owner) for lease in seen}, wants_item=True)
        taken = {key: self._taken(by_key[key], owner, answer) for key, answer in answers.items()}
        # Taken by an attempt whose reply was lost, or handed to us: then others count from a time before this call.
        ours = {
            key: lease.term
            for key, lease in taken.items()
            if isinstance(lease, Lease) and isinstance(answers[key], ConditionFailedError)
        }
        for key, renewed in self.renew(ours, owner).items():
            taken[key] = None if isinstance(renewed, LeaseLostError) else renewed
        return taken

    def remove(self, seen: Sequence[Lease]) -> dict[str, bool | TryLaterError]:
        """Remove leases that nobody holds and that have not changed since they were seen; tell whether each is gone."""
        made = {
            lease.key: WriteStatement(self._delete, [*_place(lease.key), _n(lease.term), _n(lease.counter)])
            for lease in seen
        }
        return {
            key: answer if isinstance(answer, TryLaterError) else not isinstance(answer, ConditionFailedError)
            for key, answer in self._each(made).items()
        }

    def _take_of(self, seen: Lease, owner: str) -> WriteStatement:
        before = [] if seen.owner is None else [_s(seen.owner)]
        text = self._take.replace("{owner}", "= ?" if before else "IS MISSING")
        now = [_s(owner), _n(seen.term + 1), _n(seen.counter + 1)]
        condition = [*before, _n(seen.term), _n(seen.counter), _s(records.READING)]
        return WriteStatement(text, [*now, *_place(seen.key), *condition], shows_obstacle=True)

    def _taken(self, seen: Lease, owner: str, answer: Answer) -> Lease | EventStoreError | None:
        if not isinstance(answer, ConditionFailedError):
            return self._decoded(answer)
        if not answer.item:
            return None
        there = self._decoded(answer.item)
        if isinstance(there, Lease) and (there.owner, there.term) != (owner, seen.term + 1):
            return None
        return there

    def _decoded(self, answer: Item | TryLaterError) -> Lease | EventStoreError:
        if isinstance(answer, TryLaterError):
            return answer
        try:
            return records.decode_lease(answer, self._table)
        except EventStoreError as error:
            return error

    def _each(self, made: Mapping[str, WriteStatement], *, wants_item: bool = False) -> dict[str, Answer]:
        """Make one call for up to `LEASES_MAX` writes, again for those that it does not decide, within its bound."""
        assert len(made) <= LEASES_MAX, "the caller cuts it into calls"
        answers: dict[str, Answer] = {}
        left, last = list(made), None
        for _ in self._caller.attempts() if left else ():
            try:
                outcomes = statements.execute(self._caller, self._table, [made[key] for key in left])
            except (NotAppliedError, OutcomeLostError) as error:
                last = error
                continue
            undecided: list[str] = []
            for key, outcome in zip(left, outcomes, strict=True):
                if isinstance(outcome, NotAppliedError | OutcomeLostError):
                    last = outcome
                    undecided.append(key)
                elif wants_item and not outcome_has_item(outcome):
                    last = OutcomeLostError("the reply does not show the row")
                    undecided.append(key)
                else:
                    answers[key] = outcome
            left = undecided
            if not left:
                break
        if left:
            unknown = self._caller.gave_up(last, "a write of leases")
            answers |= dict.fromkeys(left, unknown)
        return answers


def outcome_has_item(outcome: Item | DynamoError) -> bool:
    """Tell whether an answer says enough: a row, or a refusal."""
    return isinstance(outcome, DynamoError) or bool(outcome)


def _place(key: str) -> tuple[Mapping[str, Any], ...]:
    return _s(records.RECORD_TYPE), _s(key)


def _s(value: str) -> Mapping[str, Any]:
    return {"S": value}


def _n(value: int) -> Mapping[str, Any]:
    return {"N": str(value)}

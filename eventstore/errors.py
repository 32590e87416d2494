"""Every error the library raises, grouped by who must act.

EventStoreError
├── InvalidInputError        the caller's input must change; nothing was sent
│   ├── NotJsonError             a payload or metadata value is not plain JSON
│   ├── InvalidTokenError        a page token is damaged, or of another query
│   ├── LimitExceededError       larger than DynamoDB or a routing key can take
│   ├── IdempotencyConflictError the key stands for something else already
│   └── SearchExpiredError       the view behind a page token is gone: begin again
├── DecideAgainError         another writer was there: load the aggregate and decide again
│   ├── WrongExpectedVersionError
│   ├── AggregateTypeError
│   └── RowConditionError        the condition of a row given as `also` did not hold
├── TryLaterError            the same call may succeed later
│   ├── ThrottledError
│   ├── UnreachableError
│   ├── NotSettledError          bus or index do not have the commit yet
│   └── SearchUnreachableError   the search index did not answer
├── OutcomeUnknownError      it happened or not: look before doing it again
├── SetUpError               an operator must act: tables or permissions
│   ├── TableMissingError
│   ├── TableLayoutError
│   ├── IndexMissingError        a read needs an index that was left out
│   ├── EndpointError            no region, no URL, or a proxy or TLS handshake that fails
│   ├── AccessDeniedError
│   ├── MissingExtraError        an optional dependency is not installed
│   └── SearchRefusedError       the search index refuses: wrong server, wrong mapping, or a raw body it does not take
├── CorruptRowError          a stored row cannot be read
│   ├── EventSchemaError         nothing registered can read an event of this type and version
│   └── NewerRowError            a later release wrote it: upgrade this one
├── ParkedError              a destination cannot take the commit: a person must look
└── RequestRefusedError      DynamoDB refused what we sent: a defect of this library
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eventstore.expectation import Expectation


class Portable:
    """What errors inherit beside `Exception`, so that pickle and copy carry them, whatever their constructor takes.

    An exception is rebuilt by handing its message to its constructor, which fails for one that takes something else.
    In a process pool such a failure breaks the pool, and the caller never hears of the error itself.
    """

    if TYPE_CHECKING:
        args: tuple[Any, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild it from message and attributes, without its constructor."""
        return _rebuilt, (type(self), self.args), self.__dict__


def _rebuilt(cls: type[Exception], args: tuple[Any, ...]) -> Exception:
    return cls.__new__(cls, *args)


class EventStoreError(Portable, Exception):
    """Base of every error this library raises. It survives `pickle` and `copy`: attributes included, causes not."""


class InvalidInputError(EventStoreError, ValueError):
    """An argument cannot be stored as it is; change it. Nothing was sent.

    Attributes:
        field: Path of the offending value, such as `events[2].data.price`.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotJsonError(InvalidInputError):
    """A payload or metadata value is not plain JSON; convert it before the append."""


class InvalidTokenError(InvalidInputError):
    """A page token is damaged, of another query, or of another version of this library; start that read again."""

    def __init__(self, reason: str) -> None:
        super().__init__("token", reason)


class LimitExceededError(InvalidInputError):
    """Something is larger than the store can take; split it, or keep large bodies elsewhere and store a link.

    Attributes:
        limit: The largest value allowed.
        actual: What was given, in the same unit.
        unit: `bytes`, `events`, `rows`, `aggregates`, `actions` or `days`.
    """

    def __init__(self, field: str, *, limit: int, actual: int, unit: str) -> None:
        super().__init__(field, f"{actual:,} {unit}, at most {limit:,} are allowed")
        self.limit = limit
        self.actual = actual
        self.unit = unit


class IdempotencyConflictError(InvalidInputError):
    """An idempotency key was used before, for something else. Nothing was stored; give each content its own key.

    Attributes:
        aggregate_id: The key's scope.
        key: The key.
        stored_commit_id: The commit that was stored under it.
        stored_digest: Digest of that commit's content, or the fingerprint of the command that led to it.
        given_commit_id: The commit that was refused now; None where the command was refused.
        given_digest: Digest of its content, or the command's fingerprint. Where both are the same, the commit itself is
            a repeat, but other appends of the same `append_many` are not.
    """

    def __init__(
        self,
        aggregate_id: str,
        key: str,
        *,
        stored_commit_id: str,
        stored_digest: str,
        given_commit_id: str | None,
        given_digest: str,
    ) -> None:
        if given_commit_id is None:
            what = f"which another command led to: its fingerprint is {stored_digest}, not {given_digest}"
        elif stored_digest == given_digest:
            what = "which was not stored together with the other appends of this call"
        else:
            what = (
                f"whose content has the digest {stored_digest}, not {given_digest} as of commit {given_commit_id} now"
            )
        super().__init__(
            "idempotency_key",
            f"{key!r} of aggregate {aggregate_id!r} stands for commit {stored_commit_id}, {what}",
        )
        self.aggregate_id = aggregate_id
        self.key = key
        self.stored_commit_id = stored_commit_id
        self.stored_digest = stored_digest
        self.given_commit_id = given_commit_id
        self.given_digest = given_digest


class SearchExpiredError(InvalidInputError):
    """The view behind a page token is gone: the next page was not requested in time, or the index was restarted.

    Begin again without the token; or go on behind the last event with `new_view=True`, which also shows events that
    were indexed meanwhile.
    """

    def __init__(self) -> None:
        super().__init__(
            "token",
            "names a view that is gone: start again without the token, or continue after it with new_view=True",
        )


class DecideAgainError(EventStoreError):
    """The caller's view of the aggregate is out of date: load it and decide again."""


class WrongExpectedVersionError(DecideAgainError):
    """Another writer came first, or the caller believed in events that do not exist.

    Attributes:
        aggregate_id: The aggregate.
        expected: The version the caller expected, or `EXISTS` where there are no events.
        actual: The version found by a consistent read after the refusal; None when that read failed, which is then
            the error's cause. That it is not the expected one is sure all the same.
        at_least: A version that the aggregate has reached: `actual`, or what the refusal itself has shown.
    """

    def __init__(
        self, aggregate_id: str, *, expected: int | Expectation, actual: int | None, at_least: int = 0
    ) -> None:
        known = f"version {actual}" if actual is not None else f"version {at_least} or later" if at_least else None
        is_at = f"is at {known}, not {expected}" if known else f"is not at version {expected}"
        super().__init__(f"aggregate {aggregate_id!r} {is_at}: load it and decide again")
        self.aggregate_id = aggregate_id
        self.expected = expected
        self.actual = actual
        self.at_least = at_least if actual is None else actual


class AggregateTypeError(DecideAgainError):
    """The id belongs to an aggregate of another type, for ever; use another id.

    Attributes:
        aggregate_id: The aggregate.
        expected: The type the caller named.
        actual: The type the stored events have.
    """

    def __init__(self, aggregate_id: str, *, expected: str, actual: str) -> None:
        super().__init__(f"aggregate {aggregate_id!r} is of type {actual!r}, not {expected!r}: an id keeps its type")
        self.aggregate_id = aggregate_id
        self.expected = expected
        self.actual = actual


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row given as `also` whose condition did not hold.

    Attributes:
        field: Where it stands among the caller's arguments: `also[1]`, or `appends[0].also[1]`.
        index: Its place in that list.
        table: Its table, as it was given.
        row: The row that is there, as plain Python; None when `return_row` did not ask for it, and when there is none.
    """

    field: str
    index: int
    table: str
    row: Mapping[str, Any] | None


class RowConditionError(DecideAgainError):
    """The condition of a row that was given as `also` did not hold: an address is taken, for example.

    Nothing was stored, of the events and of any row. Whether another decision helps is for the caller to know.

    Attributes:
        field: The first such row's place among the caller's arguments: `also[1]`, or `appends[0].also[1]`.
        index: Its place in that list.
        table: Its table, as it was given.
        row: The row that is there, as plain Python; None when `return_row` did not ask for it, and when there is none.
        refused: All such rows, this one first.
    """

    def __init__(self, refused: Sequence[RefusedRow]) -> None:
        first = refused[0]
        others = f", nor do those of {', '.join(each.field for each in refused[1:])}" if refused[1:] else ""
        super().__init__(
            f"{first.field}: the condition on the row of table {first.table!r} does not hold{others};"
            " nothing was stored"
        )
        self.field = first.field
        self.index = first.index
        self.table = first.table
        self.row = first.row
        self.refused = tuple(refused)


class TryLaterError(EventStoreError):
    """The same call may succeed later, and repeating it does no harm."""


class ThrottledError(TryLaterError):
    """DynamoDB kept refusing for load or conflicts until the attempts were used up; nothing was stored.

    Attributes:
        retry_after_seconds: When a next attempt is worth its while.
    """

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(f"{message}; try again in {retry_after_seconds:.1f} s")
        self.retry_after_seconds = retry_after_seconds


class UnreachableError(TryLaterError):
    """DynamoDB did not answer; nothing was stored by this call."""


class NotSettledError(TryLaterError):
    """The destinations did not have a commit in time. It is stored and owed, and will arrive: wait again, or continue.

    Attributes:
        aggregate_id: Its aggregate.
        commit_id: The commit.
        delivered: Destinations that had it.
    """

    def __init__(self, aggregate_id: str, *, commit_id: str, delivered: Collection[str], reason: str) -> None:
        super().__init__(f"commit {commit_id} of aggregate {aggregate_id!r} is stored, but {reason}")
        self.aggregate_id = aggregate_id
        self.commit_id = commit_id
        self.delivered = frozenset(delivered)


class SearchUnreachableError(TryLaterError):
    """The search index was not reached, is overloaded or failing; asking again is safe."""


class OutcomeUnknownError(EventStoreError):
    """The reply was lost and asking again did not help: the write has happened or not. Look before doing it again.

    Of an append: with an idempotency key, repeat the call. Without one, load the aggregate: where an event carries
    `commit_id`, it is stored; otherwise decide again. The message says which of the two to do. Should the commit land
    after that look, the next append at that version fails with `WrongExpectedVersionError`; nothing is doubled.

    It is not a `TryLaterError`: a caller that simply repeats what may have happened can store it twice.

    Attributes:
        aggregate_id: The aggregate; None when the write was not about one.
        commit_id: The commit whose fate is unknown; None when the write was not about one.
    """

    def __init__(self, message: str, *, aggregate_id: str | None = None, commit_id: str | None = None) -> None:
        super().__init__(message)
        self.aggregate_id = aggregate_id
        self.commit_id = commit_id


class SetUpError(EventStoreError):
    """Tables, permissions or settings are wrong; an operator must act."""


class TableMissingError(SetUpError):
    """A table is absent.

    Attributes:
        table: Its name.
    """

    def __init__(self, table: str, *, is_own: bool = True) -> None:
        cure = (
            "run `eventstore init`, or check the endpoint and the prefix"
            if is_own
            else "it was named in `also`; make it, or check its name and the endpoint"
        )
        super().__init__(f"table {table!r} does not exist: {cure}")
        self.table = table


class TableLayoutError(SetUpError):
    """A table exists with another layout than `infra/tables.yaml` says; nothing was changed.

    Attributes:
        table: Its name.
        differences: One sentence per difference.
    """

    def __init__(self, table: str, differences: Sequence[str]) -> None:
        super().__init__(
            f"table {table!r} has another layout: {'; '.join(differences)}. Fix that, or use another table prefix"
        )
        self.table = table
        self.differences = tuple(differences)


class IndexMissingError(SetUpError):
    """A read needs an index that the table was made without; add it as `infra/tables.yaml` says, or use another read.

    Attributes:
        table: The table.
        index: The index.
    """

    def __init__(self, table: str, index: str) -> None:
        super().__init__(f"table {table!r} has no index {index!r}, which this read needs: add it to the table")
        self.table = table
        self.index = index


class EndpointError(SetUpError):
    """Nothing was sent, and nothing can be: region or endpoint are wrong, or proxy or TLS handshake fail."""


class AccessDeniedError(SetUpError):
    """The credentials cannot be had, are wrong, or may not do this; the message says what to do."""


class MissingExtraError(SetUpError):
    """Something needs a package that is not installed.

    Attributes:
        extra: The extra of `dynamo-eventstore` that brings it.
    """

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs a package that is not installed: install `dynamo-eventstore[{extra}]`")
        self.extra = extra


class SearchRefusedError(SetUpError):
    """The search index refuses a request for a reason that does not go away by itself.

    The address is not Elasticsearch's, the index was made from another template, or a `raw` body is not understood.

    Attributes:
        status: HTTP status.
        reason: Elasticsearch's words.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the search index refuses: {reason} (status {status})")
        self.status = status
        self.reason = reason


class CorruptRowError(EventStoreError):
    """A stored row cannot be read as what it should be.

    Attributes:
        table: Where it lies.
        key: Its key, as text.
        field: The attribute that cannot be read.
        reason: What is wrong with it.
    """

    def __init__(self, table: str, *, key: str, field: str, reason: str) -> None:
        super().__init__(f"row {key} of {table}: attribute {field!r} {reason}")
        self.table = table
        self.key = key
        self.field = field
        self.reason = reason


class EventSchemaError(CorruptRowError):
    """The program cannot read an event of this type and schema version: register what the message names.

    The row itself is sound. A newer program wrote a version that this one does not know, an upcaster is missing, an
    upcaster raised, the class does not take the payload, or the registry is strict and does not know the type.

    Attributes:
        event_type: The event's type where reading stopped.
        schema_version: The version where reading stopped.
    """

    def __init__(
        self,
        table: str,
        *,
        key: str,
        field: str,
        reason: str,
        event_type: str,
        schema_version: int,
    ) -> None:
        super().__init__(table, key=key, field=field, reason=reason)
        self.event_type = event_type
        self.schema_version = schema_version


class NewerRowError(CorruptRowError):
    """A later release wrote a row, in a layout that this one does not know. The row is sound: upgrade this process.

    Attributes:
        layout: The row's layout number.
        known: The highest that this release reads.
    """

    def __init__(self, table: str, *, key: str, field: str, layout: int, known: int) -> None:
        reason = f"is {layout}, and this release knows row layouts up to {known}: upgrade it"
        super().__init__(table, key=key, field=field, reason=reason)
        self.layout = layout
        self.known = known


class ParkedError(EventStoreError):
    """A destination cannot take a commit as it is; the commit is stored, and waits for a person to look at it.

    Attributes:
        aggregate_id: Its aggregate.
        commit_id: The commit.
        destination: Who cannot take it.
        reason: Why, as the relay wrote it.
    """

    def __init__(self, aggregate_id: str, *, commit_id: str, destination: str, reason: str) -> None:
        super().__init__(
            f"commit {commit_id} of aggregate {aggregate_id!r} is stored, and parked for {destination}: {reason}",
        )
        self.aggregate_id = aggregate_id
        self.commit_id = commit_id
        self.destination = destination
        self.reason = reason


class RequestRefusedError(EventStoreError):
    """DynamoDB refused a request as malformed, which is a defect of this library; please report it.

    Attributes:
        code: DynamoDB's error code.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"DynamoDB refused the request ({code}): {message}")
        self.code = code

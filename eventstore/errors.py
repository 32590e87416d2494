"""Every error the library raises, grouped by who must act.

EventStoreError
├── InvalidInputError        the caller's input must change; nothing was sent
│   ├── NotJsonError             a payload or metadata value is not plain JSON
│   └── LimitExceededError       larger than DynamoDB or a routing key can take
├── DecideAgainError         another writer was there: load the aggregate and decide again
│   ├── WrongExpectedVersionError
│   └── AggregateTypeError
├── TryLaterError            the same call may succeed later
│   ├── ThrottledError
│   ├── UnreachableError
│   └── OutcomeUnknownError      stored or not: load the aggregate and look
├── SetUpError               an operator must act: tables or permissions
│   ├── TableMissingError
│   ├── TableLayoutError
│   ├── EndpointError            no region, or an endpoint that is no URL
│   └── AccessDeniedError
├── CorruptRowError          a stored row cannot be read
└── RequestRefusedError      DynamoDB refused what we sent: a defect of this library
"""

from collections.abc import Sequence


class EventStoreError(Exception):
    """Base of every error this library raises."""


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


class LimitExceededError(InvalidInputError):
    """Something is larger than the store can take; split it, or keep large bodies elsewhere and store a link.

    Attributes:
        limit: The largest value allowed.
        actual: What was given, in the same unit.
        unit: `bytes`, `events` or `actions`.
    """

    def __init__(self, field: str, *, limit: int, actual: int, unit: str) -> None:
        super().__init__(field, f"{actual:,} {unit}, at most {limit:,} are allowed")
        self.limit = limit
        self.actual = actual
        self.unit = unit


class DecideAgainError(EventStoreError):
    """What the caller believed of the aggregate is not so: load it and decide again."""


class WrongExpectedVersionError(DecideAgainError):
    """Another writer came first, or the caller believed in events that do not exist.

    Attributes:
        aggregate_id: The aggregate.
        expected: The version the caller expected.
        actual: The version found by a consistent read after the refusal.
    """

    def __init__(self, aggregate_id: str, *, expected: int, actual: int) -> None:
        super().__init__(
            f"aggregate {aggregate_id!r} is at version {actual}, not {expected}: load it and decide again",
        )
        self.aggregate_id = aggregate_id
        self.expected = expected
        self.actual = actual


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


class TryLaterError(EventStoreError):
    """The same call may succeed later."""


class ThrottledError(TryLaterError):
    """DynamoDB kept refusing for load or conflicts until the bound of attempts; nothing was stored.

    Attributes:
        retry_after_seconds: When a next attempt is worth its while.
    """

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(f"{message}; try again in {retry_after_seconds:.1f} s")
        self.retry_after_seconds = retry_after_seconds


class UnreachableError(TryLaterError):
    """DynamoDB did not answer; nothing was stored by this call."""


class OutcomeUnknownError(TryLaterError):
    """The reply was lost and asking again did not help: the commit may be stored or not.

    Load the aggregate: where an event carries `commit_id`, it is stored; otherwise decide again. Should the commit
    land after that look, the next append at that version fails with `WrongExpectedVersionError`; nothing is doubled.

    Attributes:
        aggregate_id: The aggregate.
        commit_id: The commit whose fate is unknown.
    """

    def __init__(self, aggregate_id: str, *, commit_id: str) -> None:
        super().__init__(
            f"whether commit {commit_id} of aggregate {aggregate_id!r} is stored is unknown:"
            " load the aggregate, and append again if no event carries this commit_id",
        )
        self.aggregate_id = aggregate_id
        self.commit_id = commit_id


class SetUpError(EventStoreError):
    """Tables, permissions or settings are not as they must be; an operator must act."""


class TableMissingError(SetUpError):
    """A table is absent.

    Attributes:
        table: Its name.
    """

    def __init__(self, table: str) -> None:
        super().__init__(f"table {table!r} does not exist: run `eventstore init`, or check the endpoint and the prefix")
        self.table = table


class TableLayoutError(SetUpError):
    """A table exists with another layout than `infra/tables.yaml` says; nothing was changed.

    Attributes:
        table: Its name.
        differences: One sentence per difference.
    """

    def __init__(self, table: str, differences: Sequence[str]) -> None:
        super().__init__(f"table {table!r} has another layout: {'; '.join(differences)}. Use another table prefix")
        self.table = table
        self.differences = tuple(differences)


class EndpointError(SetUpError):
    """No client can be made: the region is unknown, or the endpoint is no URL. Name them in the settings."""


class AccessDeniedError(SetUpError):
    """The credentials are missing, wrong, or may not do this."""


class CorruptRowError(EventStoreError):
    """A stored row cannot be read as what it should be.

    Attributes:
        table: Where it lies.
        key: Its key, as text.
        field: The attribute that cannot be read.
    """

    def __init__(self, table: str, *, key: str, field: str, reason: str) -> None:
        super().__init__(f"row {key} of {table}: attribute {field!r} {reason}")
        self.table = table
        self.key = key
        self.field = field


class RequestRefusedError(EventStoreError):
    """DynamoDB refused a request as malformed, which is a defect of this library; please report it.

    Attributes:
        code: DynamoDB's error code.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"DynamoDB refused the request ({code}): {message}")
        self.code = code

"""A search as an immutable value: conditions that must all match, and the direction of time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from eventstore import jsontext
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.payload import moments
from eventstore.payload.plain import scalar
from eventstore.search import fields
from eventstore.validation import TIMESTAMP_MAX_MS

TYPES_MAX = 1000
CONDITIONS_MAX = 100
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1

Scalar = str | int | float | bool
"""What a field of a payload is compared with."""

Bound = int | float | str | datetime
"""An end of a range of a promoted field: a number, text of a date, or a time with a zone."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """A keyword field has one of some values.

    Attributes:
        field: The field in the index.
        values: The values.
    """

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """The event's timestamp lies in a range.

    Attributes:
        from_ms: Inclusive; None leaves the end open.
        until_ms: Exclusive, as above.
    """

    from_ms: int | None
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class PromotedRange:
    """A promoted field lies in a range.

    Attributes:
        path: Its path in the payload.
        at_least: Inclusive; None leaves the end open.
        below: Exclusive, as above.
    """

    path: str
    at_least: int | float | str | None
    below: int | float | str | None


@dataclass(frozen=True, slots=True)
class PromotedWords:
    """A promoted text has all of some words.

    Attributes:
        path: Its path in the payload.
        words: The words.
    """

    path: str
    words: str


Condition = OneOf | Between | PromotedRange | PromotedWords
"""One thing that a query asks of events."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Conditions on events, which must all match; each method returns a new query with one more.

        SearchQuery().event_type("PRICE_CHANGED").data("currency", "EUR").between(from_ms=1_735_689_600_000)

    Without any, every event is meant. Newest first unless `oldest_first` is asked for; events of the same millisecond
    come in the order of their ids, which within one commit is that of its sequence numbers.

    Attributes:
        conditions: What must hold.
        ascending: Whether the oldest come first.
    """

    conditions: tuple[Condition, ...] = ()
    ascending: bool = False

    def event_type(self, *types: str) -> "SearchQuery":
        """Only events of this type, or of one of these.

        Raises:
            InvalidInputError: There is none, or one is empty.
        """
        return self._one_of("event_type", fields.EVENT_TYPE, types)

    def aggregate_type(self, *types: str) -> "SearchQuery":
        """Only events of aggregates of this type, or of one of these; errors as in `event_type`."""
        return self._one_of("aggregate_type", fields.AGGREGATE_TYPE, types)

    def aggregate_id(self, *ids: str) -> "SearchQuery":
        """Only events of this aggregate, or of one of these; errors as in `event_type`."""
        return self._one_of("aggregate_id", fields.AGGREGATE_ID, ids)

    def correlation_id(self, *ids: str) -> "SearchQuery":
        """Only events whose metadata has this `correlation_id`, or one of these; errors as in `event_type`."""
        for each in ids:
            _check_keyword(each, "correlation_id")
        return self._one_of("correlation_id", fields.CORRELATION_ID, ids)

    def between(self, from_ms: int | datetime | None = None, until_ms: int | datetime | None = None) -> "SearchQuery":
        """Only events of a time range, by their timestamps.

        Args:
            from_ms: Inclusive: milliseconds since 1970 UTC, or a `datetime` with a zone.
            until_ms: Exclusive, as above.

        Raises:
            InvalidInputError: Both ends are open, or the range is reversed or empty.
        """
        if from_ms is None and until_ms is None:
            raise InvalidInputError("between", "has neither from_ms nor until_ms; give one of them")
        from_ms = moments.to_ms_or_none(from_ms, "from_ms")
        until_ms = moments.to_ms_or_none(until_ms, "until_ms")
        for name, value in (("from_ms", from_ms), ("until_ms", until_ms)):
            if value is not None and not 0 <= value <= TIMESTAMP_MAX_MS + 1:
                raise InvalidInputError(name, f"is {value}, outside of the years 1970 to 9999")
        if from_ms is not None and until_ms is not None and until_ms <= from_ms:
            raise InvalidInputError("until_ms", f"is {until_ms}, not after from_ms={from_ms}: the range is reversed")
        return self._and(Between(from_ms, until_ms))

    def unpromoted(self, *paths: str) -> "SearchQuery":
        """Only events with a value at this promoted path, or at one of these, that does not fit its type; see `data`.

        Ranges and words do not find such a value. Errors as in `event_type`.
        """
        return self._one_of("unpromoted", fields.UNPROMOTED, paths)

    def data(self, path: str, value: Scalar) -> "SearchQuery":
        """Only events whose payload has exactly this value at a path such as `price.currency`.

        Values are compared as the JSON text they were stored as: 1 does not find 1.0. A list matches by any of its
        elements.

        Raises:
            InvalidInputError: The path is empty, or the value is none that an index keeps: null, a list, a dict, or
                text of more than 1,024 characters.
        """
        return self._and(OneOf(f"{fields.DATA}.{_path(path, 'data')}", (_text_of(value, f"data.{path}"),)))

    def metadata(self, path: str, value: Scalar) -> "SearchQuery":
        """Only events whose metadata has exactly this value at a path; errors as in `data`."""
        return self._and(OneOf(f"{fields.METADATA}.{_path(path, 'metadata')}", (_text_of(value, f"metadata.{path}"),)))

    def promoted_range(
        self,
        path: str,
        at_least: Bound | None = None,
        below: Bound | None = None,
    ) -> "SearchQuery":
        """Only events with a value in a range at a promoted path.

        Whether the field is promoted, and bounds of that type, is checked when the query is used: the types are those
        of `SearchOptions.promoted`.

        Args:
            path: Path in the payload, such as `price.amount`.
            at_least: Inclusive. For a date: milliseconds since 1970 UTC, ISO 8601 text, or a datetime with a zone.
            below: Exclusive, as above.

        Raises:
            InvalidInputError: The path is empty, both ends are open, or the range is reversed or empty.
        """
        path = _path(path, "promoted")
        field = f"promoted.{path}"
        if at_least is None and below is None:
            raise InvalidInputError(field, "has neither at_least nor below; give one of them")
        low, high = _bound(at_least, f"{field}.at_least"), _bound(below, f"{field}.below")
        if isinstance(low, int | float) and isinstance(high, int | float) and high <= low:
            raise InvalidInputError(
                f"{field}.below", f"is {below}, not above at_least={at_least}: the range is reversed"
            )
        return self._and(PromotedRange(path, low, high))

    def promoted_text(self, path: str, words: str) -> "SearchQuery":
        """Only events whose promoted text has all of these words, in any order, whatever their case.

        Raises:
            InvalidInputError: Path or words are empty.
        """
        path = _path(path, "promoted")
        if not isinstance(words, str) or not words.strip():
            raise InvalidInputError(f"promoted.{path}", "has no words to search for; give at least one")
        _check_text(words, f"promoted.{path}")
        return self._and(PromotedWords(path, words))

    def oldest_first(self) -> "SearchQuery":
        """The same events, oldest first."""
        return replace(self, ascending=True)

    def newest_first(self) -> "SearchQuery":
        """The same events, newest first."""
        return replace(self, ascending=False)

    def _one_of(self, name: str, field: str, values: Sequence[str]) -> "SearchQuery":
        if not values:
            raise InvalidInputError(name, "is empty; give at least one")
        if len(values) > TYPES_MAX:
            raise LimitExceededError(name, limit=TYPES_MAX, actual=len(values), unit="values")
        for value in values:
            if not isinstance(value, str) or not value:
                raise InvalidInputError(name, f"is {value!r}; give text that is not empty")
            _check_text(value, name)
        return self._and(OneOf(field, tuple(sorted({scalar(value) for value in values}))))

    def _and(self, condition: Condition) -> "SearchQuery":
        if len(self.conditions) >= CONDITIONS_MAX:
            raise LimitExceededError("query", limit=CONDITIONS_MAX, actual=len(self.conditions) + 1, unit="conditions")
        return replace(self, conditions=(*self.conditions, condition))


def _path(path: str, name: str) -> str:
    if not isinstance(path, str) or not path.strip(".") or "\0" in path:
        raise InvalidInputError(name, f"has the path {path!r}; give names with dots between, such as price.amount")
    _check_text(path, name)
    plain: str = scalar(path)
    return plain


def _text_of(value: Scalar, field: str) -> str:
    match scalar(value):
        case str(text):
            _check_keyword(text, field)
            return text
        case bool() | int():
            return jsontext.encode(value, field)
        case float():
            return jsontext.encode(value, field)
        case _:
            raise InvalidInputError(field, f"is compared with a {type(value).__name__}; give text, a number or a bool")


def _check_keyword(value: str, field: str) -> None:
    _check_text(value, field)
    if len(value.encode("utf-16-le")) // 2 > fields.KEYWORD_MAX_CHARACTERS:  # Elasticsearch counts as Java does
        raise LimitExceededError(field, limit=fields.KEYWORD_MAX_CHARACTERS, actual=len(value), unit="characters")


def _check_text(text: str, field: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(field, "holds half of a surrogate pair") from error


def _bound(value: Bound | None, field: str) -> int | float | str | None:
    plain: Bound | None = scalar(value)
    match plain:
        case None | str():
            return plain
        case bool():
            raise InvalidInputError(field, "is a bool; give a number or a time")
        case int():
            return plain
        case float():
            if not math.isfinite(plain):
                raise InvalidInputError(field, f"is {plain}; leave the end open instead")
            return plain
        case datetime():
            return moments.to_ms(plain, field)
        case _:
            raise InvalidInputError(field, f"is a {type(value).__name__}; give a number or a time")

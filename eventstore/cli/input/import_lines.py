"""Lines of an import: each is an append under its own key, checked as far as possible without a server."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import msgspec

from eventstore import jsontext, limits, validation
from eventstore.append import commit, transaction
from eventstore.cli.input import event_lines, expected
from eventstore.cli.input.event_lines import EventLine
from eventstore.cli.input.old_times import check_times
from eventstore.cli.output.progress import Tell
from eventstore.dynamodb.store_record import INDEX_SHARDS_DEFAULT
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.model import AggregateRef, Append

LINES_MAX = 1_000_000
"""Lines of one input: of each 64 bits are remembered, in about 90 bytes."""

FAULTS_SHOWN = 20

_UUID_LENGTH = 36


class ImportLine(msgspec.Struct, forbid_unknown_fields=True):
    """One line: the aggregate, and an event or a list of events."""

    aggregate_type: str
    aggregate_id: str
    event: EventLine | None = None
    events: list[EventLine] | None = None
    expected_version: int | expected.Word = "any"
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One line's append.

    Attributes:
        number: The line's number.
        append: What it asks for.
        has_own_key: Whether its key stands in the line, and is not made from the import's name and its content.
    """

    number: int
    append: Append
    has_own_key: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking all lines.

    Attributes:
        lines: Lines that can be sent.
        events: Their events.
        faults: What is wrong with others, the first of them; each names its line.
        bad: How many lines cannot be sent.
        without_key: How many that can be sent bring no key of their own.
        last: Number of the last line; 0 when there is none.
    """

    lines: int
    events: int
    faults: tuple[str, ...]
    bad: int
    without_key: int = 0
    last: int = 0


def plan(source: IO[bytes], name: str) -> Iterator[Planned | InvalidInputError]:
    """Yield each line's append, or what is wrong with the line.

    The key of a line that brings none is made of the import's name, of its content, and of how many lines before it say
    the very same. So it stays the same when other lines are added, removed or fixed, and when the input is moved.

    Args:
        source: JSON lines.
        name: Part of every key, so that another input may say the same once more.

    Raises:
        LimitExceededError: There are more lines than can be told apart, or one is too long.
    """
    times: dict[int, int] = {}
    for number, line in event_lines.numbered(source):
        if number > LINES_MAX:
            raise LimitExceededError("input", limit=LINES_MAX, actual=number, unit="lines; split it")
        try:
            yield _planned(line, number, name, times)
        except InvalidInputError as error:
            yield error


def check(source: IO[bytes], name: str, tell: Tell, *, old_times: bool = False) -> Checked:
    """Check all lines, send nothing, and return how many were checked.

    Args:
        source: As in `plan`.
        name: As in `plan`.
        tell: Told how many were checked so far.
        old_times: Whether timestamps before 1990 are meant.

    Raises:
        As `plan`.
    """
    lines = events = bad = without_key = last = 0
    faults: list[str] = []
    for planned in plan(source, name):
        tell(lines + bad, f"{lines + bad:,} lines checked")
        if isinstance(planned, Planned):
            last = planned.number
            fault = _fault_of(planned, old_times=old_times)
            if fault is None:
                lines += 1
                without_key += not planned.has_own_key
                events += len(planned.append.events)
                continue
            planned = fault  # noqa: PLW2901 - from here on it is a fault, wherever it was found
        bad += 1
        if len(faults) < FAULTS_SHOWN:
            faults.append(str(planned))
    return Checked(lines, events, tuple(faults), bad, without_key, last)


def _planned(line: bytes, number: int, name: str, times: dict[int, int]) -> Planned:
    parsed = event_lines.decode(line, number, ImportLine, "a commit")
    if (parsed.event is None) == (parsed.events is None):
        raise InvalidInputError(f"line {number}", "has neither `event` nor `events`, or both; give one of the two")
    given = parsed.events if parsed.event is None else [parsed.event]
    events = event_lines.events_of(given or (), number)
    key = parsed.idempotency_key
    if key is None:
        content = [parsed.aggregate_type, parsed.aggregate_id, jsontext.decode_digits(msgspec.json.encode(given))]
        digest = hashlib.sha256(msgspec.json.encode(content, order="sorted")).digest()
        place = int.from_bytes(digest[:8])  # should two contents share it, the second merely has another count
        times[place] = times.get(place, 0) + 1
        key = f"import:{name}:{digest.hex()[:40]}:{times[place]}"
    append = Append(
        AggregateRef(parsed.aggregate_type, parsed.aggregate_id),
        events,
        expected.meant(parsed.expected_version),
        key,
    )
    return Planned(number, append, parsed.idempotency_key is not None)


def _fault_of(planned: Planned, *, old_times: bool) -> InvalidInputError | None:
    """Return what the store would find wrong with an append by itself."""
    append = planned.append
    stamp = commit.Stamp("-" * _UUID_LENGTH, ("-" * _UUID_LENGTH,) * len(append.events), 0, 1)
    layout = commit.Layout(TableNames(), INDEX_SHARDS_DEFAULT, limits.EMBED_MAX_BYTES_DEFAULT)
    try:
        validation.check_append(append)
        validation.check_events(append.aggregate, append.events)
        if not old_times:
            check_times(append.events)
        transaction.assemble([commit.prepare(append, 0, stamp, layout)])
    except InvalidInputError as error:
        return InvalidInputError(f"line {planned.number}", str(error))
    return None

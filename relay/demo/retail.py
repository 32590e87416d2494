"""Lines of the UCI "Online Retail" form as commits: a stock code is an aggregate, a line an event."""

import csv
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from eventstore.errors import InvalidInputError
from eventstore.limits import COMMIT_MAX_EVENTS
from eventstore.model import AggregateRef, NewEvent
from eventstore.validation import TIMESTAMP_MIN_MS
from relay.demo.planned import PlannedCommit

AGGREGATE_TYPE = "INVENTORY_ITEM"
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


def commits(path: Path, limit: int | None) -> list[PlannedCommit]:
    """Return the commits of a file: the lines of one stock code in one invoice are one commit.

    The whole file is read first, so that an unreadable line leaves nothing half-written.

    Args:
        path: A CSV file with the columns of `COLUMNS`.
        limit: Read up to this many lines; None for all.

    Raises:
        InvalidInputError: The file is absent or a line cannot be read; names the line and the column.
    """
    grouped: dict[tuple[str, str], list[NewEvent]] = {}
    for invoice, stock_code, event in islice(_lines(path), limit):
        events = grouped.setdefault((invoice, stock_code), [])
        events.append(event)
        if len(events) > COMMIT_MAX_EVENTS:
            reason = f"has more than {COMMIT_MAX_EVENTS} lines of stock code {stock_code!r}, too many for a commit"
            raise InvalidInputError(f"{path} invoice {invoice}", reason)
    return [
        PlannedCommit(AggregateRef(AGGREGATE_TYPE, stock_code), tuple(events))
        for (_, stock_code), events in grouped.items()
    ]


def _lines(path: Path) -> Iterator[tuple[str, str, NewEvent]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise InvalidInputError(str(path), f"line 1 lacks the columns {', '.join(missing)}")
            for row in reader:
                yield _line(row, f"{path} line {reader.line_num}")
    except OSError as error:
        raise InvalidInputError(str(path), f"cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(str(path), f"is not a CSV file in UTF-8: {error}") from error


def _line(row: Mapping[str, str | None], where: str) -> tuple[str, str, NewEvent]:
    short = [column for column in COLUMNS if row.get(column) is None]
    if short or None in row:
        raise InvalidInputError(where, f"has no value for {', '.join(short)}" if short else "has too many values")
    cells = {column: str(row[column]) for column in COLUMNS}
    if not cells["InvoiceNo"] or not cells["StockCode"]:
        raise InvalidInputError(where, "has no InvoiceNo or no StockCode")
    quantity = _number(cells, "Quantity", where)
    event = NewEvent(
        type="STOCK_RETURNED" if quantity < 0 else "STOCK_REMOVED",
        data={
            "quantity": int(abs(quantity)),
            "unit_price": _number(cells, "UnitPrice", where),
            "description": cells["Description"],
        },
        metadata={
            "correlation_id": cells["InvoiceNo"],
            "customer": cells["CustomerID"] or None,
            "country": cells["Country"],
        },
        timestamp_ms=_time(cells["InvoiceDate"], where),
    )
    return cells["InvoiceNo"], cells["StockCode"], event


def _number(cells: Mapping[str, str], column: str, where: str) -> float:
    try:
        number = int(cells[column]) if column == "Quantity" else float(cells[column])
    except ValueError as error:
        raise InvalidInputError(where, f"{column} is {cells[column]!r}, which is not a number") from error
    if not math.isfinite(number):
        raise InvalidInputError(where, f"{column} is {cells[column]!r}, which JSON cannot express")
    return number


def _time(text: str, where: str) -> int:
    try:
        at_ms = int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError as error:
        raise InvalidInputError(where, f"InvoiceDate is {text!r}, not YYYY-MM-DD HH:MM:SS") from error
    if at_ms < TIMESTAMP_MIN_MS:
        raise InvalidInputError(where, f"InvoiceDate is {text!r}, before 1970")
    return at_ms

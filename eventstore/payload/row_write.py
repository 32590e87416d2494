"""The caller's own conditional writes of rows in other tables, which an append takes along in its transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RowPut:
    """Stores a row in a table of the caller's own, in place of one with the same key.

        RowPut("emails", {"email": "ann@example.com", "customer": "c-7"}, "attribute_not_exists(email)")

    Attributes:
        table: Name or ARN of a table in the store's account and Region, none of the store's own.
        item: The row with its key, plain Python: text, int, float, `Decimal`, bool, None, bytes, lists, dicts, and sets
            of text, numbers or bytes. At most 400 KB.
        condition: A ConditionExpression on the row that is there; None writes in any case.
        values: What placeholders such as `:owner` in the expressions stand for, plain Python.
        names: What placeholders such as `#owner` stand for.
        return_row: Whether `RowConditionError` shows the row that was in the way.
    """

    table: str
    item: Mapping[str, Any]
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    names: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    return_row: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class RowUpdate:
    """Changes a row of a table of the caller's own, which it makes if it is not there.

    Attributes:
        table: As in `RowPut`.
        key: The row's whole key, plain Python.
        update: An UpdateExpression.
        condition: As in `RowPut`.
        values: As in `RowPut`.
        names: As in `RowPut`.
        return_row: As in `RowPut`.
    """

    table: str
    key: Mapping[str, Any]
    update: str
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    names: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    return_row: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class RowDelete:
    """Removes a row of a table of the caller's own, if it is there.

    Attributes:
        table: As in `RowPut`.
        key: The row's whole key, plain Python.
        condition: As in `RowPut`.
        values: As in `RowPut`.
        names: As in `RowPut`.
        return_row: As in `RowPut`.
    """

    table: str
    key: Mapping[str, Any]
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    names: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    return_row: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class RowCheck:
    """Looks at a row of a table of the caller's own, and leaves it as it is.

    Attributes:
        table: As in `RowPut`.
        key: The row's whole key, plain Python.
        condition: A ConditionExpression on the row that is there, which must hold.
        values: As in `RowPut`.
        names: As in `RowPut`.
        return_row: As in `RowPut`.
    """

    table: str
    key: Mapping[str, Any]
    condition: str
    values: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    names: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    return_row: bool = field(default=False, kw_only=True)


RowWrite = RowPut | RowUpdate | RowDelete | RowCheck
"""What an append takes along as `also`."""

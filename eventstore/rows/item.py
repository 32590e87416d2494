"""DynamoDB items as attribute-value maps: how large they are, and how a field is read out of one."""

from collections.abc import Mapping
from typing import Any

from eventstore.errors import CorruptRowError

Item = Mapping[str, Mapping[str, Any]]


def item_size(item: Item) -> int:
    """Return an item's size in bytes as DynamoDB counts it.

    Source: AWS, "DynamoDB Item sizes and formats": UTF-8 lengths of names and values; a number takes about one byte
    per two digits and one more; containers take three bytes and one per element.
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_size(content)
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(len(text.encode()) for text in content)
        case "NS":
            return sum(_number_size(number) for number in content)
        case "BS":
            return sum(len(part) for part in content)
        case "L":
            return 3 + sum(1 + _value_size(inner) for inner in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(inner) for name, inner in content.items())
        case _:
            raise AssertionError(f"DynamoDB has no kind {kind}")


def _number_size(text: str) -> int:
    return len(text.lstrip("-").replace(".", "")) // 2 + 2


class ItemReader:
    """Reads fields of one item; what is missing or of another kind is a `CorruptRowError` that names the field."""

    def __init__(self, item: Item, table: str) -> None:
        self._item = item
        self._table = table

    def text(self, field: str) -> str:
        """Return a string attribute."""
        return str(self._value(field, "S"))

    def integer(self, field: str) -> int:
        """Return a number attribute that is whole."""
        number = str(self._value(field, "N"))
        try:
            return int(number)
        except ValueError as error:
            raise self.corrupt(field, f"is {number}, not a whole number") from error

    def text_or_none(self, field: str) -> str | None:
        """Return a string attribute, or None when it is absent."""
        return self.text(field) if field in self._item else None

    def text_set(self, field: str) -> frozenset[str]:
        """Return a string-set attribute; absent is empty."""
        return frozenset(self._value(field, "SS")) if field in self._item else frozenset()

    def text_map(self, field: str) -> Mapping[str, Any]:
        """Return a map attribute, its values still typed; absent is empty.

        In change records DynamoDB Local writes an empty map without its kind, as `{}`; nothing else can be meant by it.
        """
        return self._value(field, "M") if self._item.get(field) else {}

    def corrupt(self, field: str, reason: str) -> CorruptRowError:
        """Return the error that names this row and a field of it."""
        return CorruptRowError(self._table, key=describe_key(self._item), field=field, reason=reason)

    def _value(self, field: str, kind: str) -> Any:
        value = self._item.get(field)
        if value is None:
            raise self.corrupt(field, "is missing")
        if kind not in value:
            raise self.corrupt(field, f"is of kind {'/'.join(value)}, not {kind}")
        return value[kind]


def row_key(aggregate_id: str, sequence_number: int) -> dict[str, dict[str, str]]:
    """Return the key of an events or outbox row as DynamoDB wants it."""
    return {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": str(sequence_number)}}


def describe_key(item: Item) -> str:
    """Return the key of a row of `events`, `outbox` or `relay` as a person would write it."""
    if "recordType" in item:
        return f"{item['recordType'].get('S', '?')}/{item.get('recordKey', {}).get('S', '?')}"
    aggregate = item.get("aggregateId", {}).get("S", "?")
    number = item.get("sequenceNumber", {}).get("N", "?")
    return f"{aggregate}/{number}"

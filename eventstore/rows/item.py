"""DynamoDB items as attribute-value maps: how large they are, and how a field is read out of one."""

from collections.abc import Collection, Mapping
from typing import Any, TypeGuard

from eventstore.errors import CorruptRowError, NewerRowError

Item = Mapping[str, Mapping[str, Any]]

INTEGER_MAX = 2**63 - 1
"""What a whole number in a row may be, either side of 0: more fits no header, field or clock. DynamoDB takes more."""

LAYOUT = "layout"
"""Attribute that numbers a row's layout. A row without it has layout 1."""


def item_size(item: Item) -> int:
    """Return an item's size in bytes as DynamoDB counts it.

    Source: AWS, "DynamoDB Item sizes and formats": UTF-8 lengths of names and values; a number takes about one byte
    per two digits and one more; containers take three bytes and one per element.
    """
    total = 0
    for name, value in item.items():
        total += len(name) if name.isascii() else len(name.encode())
        content = value.get("S")
        if content is not None and len(value) == 1:  # nearly all are text, and rows have many
            total += len(content) if content.isascii() else len(content.encode())
        else:
            total += _value_size(value)
    return total


def _text_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return _text_size(content)
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
    """Reads fields of one item; what is missing or of another kind is a `CorruptRowError` that names the field.

    Nothing else is raised, whatever the item holds.
    """

    def __init__(self, item: Item, table: str) -> None:
        self._item = item
        self._table = table

    def text(self, field: str) -> str:
        """Return a string attribute."""
        try:
            text = self._item[field]["S"]
        except (KeyError, TypeError):
            text = self._value(field, "S")  # says what is wrong
        if not (type(text) is str and text.isascii()) and not is_text(text):  # nearly all text is: rows are very many
            raise self.corrupt(field, "is not text")
        return text

    def integer(self, field: str) -> int:
        """Return a number attribute that is whole and within 64 bits."""
        try:
            text = self._item[field]["N"]
        except (KeyError, TypeError):
            text = self._value(field, "N")  # says what is wrong
        try:
            number = int(text)
        except (ValueError, TypeError) as error:
            raise self.corrupt(field, f"is {text}, not a whole number") from error
        if not -INTEGER_MAX <= number <= INTEGER_MAX:
            raise self.corrupt(field, f"is {text}, beyond 64 bits")
        return number

    def check_layout(self, known: int) -> None:
        """Look whether the row's layout is one that the caller reads, before anything else of it is read.

        Raises:
            NewerRowError: A later release wrote the row.
            CorruptRowError: The number cannot be read.
        """
        if LAYOUT not in self._item:
            return
        layout = self.integer(LAYOUT)
        if layout < 1:
            raise self.corrupt(LAYOUT, f"is {layout}; layouts are 1, 2, 3 …")
        if layout > known:
            raise NewerRowError(self._table, key=describe_key(self._item), field=LAYOUT, layout=layout, known=known)

    def text_or_none(self, field: str) -> str | None:
        """Return a string attribute, or None when it is absent."""
        return self.text(field) if field in self._item else None

    def text_set(self, field: str) -> frozenset[str]:
        """Return a string-set attribute; absent is empty."""
        if field not in self._item:
            return frozenset()
        texts = self._value(field, "SS")
        if not isinstance(texts, Collection) or not all(map(is_text, texts)):
            raise self.corrupt(field, "is not a set of texts")
        return frozenset(texts)

    def text_map(self, field: str) -> Mapping[str, Any]:
        """Return a map attribute, its values still typed; absent is empty.

        In change records DynamoDB Local writes an empty map without its kind, as `{}`; nothing else can be meant by it.
        """
        found = self._value(field, "M") if self._item.get(field) else {}
        if not isinstance(found, Mapping):
            raise self.corrupt(field, "is not a map")
        return found

    def corrupt(self, field: str, reason: str) -> CorruptRowError:
        """Return the error that names this row and a field of it."""
        return CorruptRowError(self._table, key=describe_key(self._item), field=field, reason=reason)

    def _value(self, field: str, kind: str) -> Any:
        value = self._item.get(field)
        if value is None:
            raise self.corrupt(field, "is missing")
        if not isinstance(value, Mapping):
            raise self.corrupt(field, "has no kind")
        if kind not in value:
            raise self.corrupt(field, f"is of kind {'/'.join(value)}, not {kind}")
        return value[kind]


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether a value is text that UTF-8 can express: half of a surrogate pair is not."""
    if not isinstance(value, str):
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def content(item: Item, field: str, kind: str) -> Any:
    """Return what an attribute of one kind holds; None when it is missing, or of another kind."""
    value = item.get(field)
    return value.get(kind) if isinstance(value, Mapping) else None


def row_key(aggregate_id: str, sequence_number: int) -> dict[str, dict[str, str]]:
    """Return the key of an events or outbox row as DynamoDB wants it."""
    return {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": str(sequence_number)}}


def describe_key(item: Item) -> str:
    """Return the key of a row of `events`, `outbox` or `relay` as a person would write it."""
    if "recordType" in item:
        return f"{content(item, 'recordType', 'S') or '?'}/{content(item, 'recordKey', 'S') or '?'}"
    return f"{content(item, 'aggregateId', 'S') or '?'}/{content(item, 'sequenceNumber', 'N') or '?'}"

"""JSON Schemas of payloads, checked by the package `jsonschema`: an extra, imported when a schema is added."""

from collections.abc import Mapping
from typing import Any

from eventstore.errors import InvalidInputError, MissingExtraError

_REASON_MAX_CHARACTERS = 300


class PayloadSchema:
    """One compiled schema. References stay within the schema; nothing is ever fetched."""

    def __init__(self, schema: Mapping[str, Any], name: str) -> None:
        """Compile a schema; the dialect is the one it names, 2020-12 when it names none.

        Raises:
            MissingExtraError: The extra is not installed.
            InvalidInputError: It is not a valid schema.
        """
        try:
            import jsonschema  # noqa: PLC0415 - an extra, and slow to import
            import referencing  # noqa: PLC0415 - comes with it
        except ImportError as error:
            raise MissingExtraError("a JSON Schema", extra="jsonschema") from error
        self._name = name
        self._unresolvable = referencing.exceptions.Unresolvable
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        try:
            kind.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise InvalidInputError(f"schema{_path(error.absolute_path)}", _short(error.message)) from error
        self._validator: Any = kind(schema, registry=referencing.Registry())
        self._best_match = jsonschema.exceptions.best_match

    def check(self, data: object, field: str) -> None:
        """Check a payload.

        Args:
            data: The payload, plain values.
            field: Where it stands among the arguments.

        Raises:
            InvalidInputError: It breaks the schema; `field` leads to the most telling fault.
        """
        try:
            fault = self._best_match(self._validator.iter_errors(data))
        except self._unresolvable as error:
            raise InvalidInputError(
                field,
                f"cannot be checked: the schema of {self._name} refers to {error.ref!r}, which is not inside of it",
            ) from error
        if fault is not None:
            raise InvalidInputError(
                f"{field}{_path(fault.absolute_path)}",
                f"breaks the JSON Schema of {self._name}: {_short(fault.message)}",
            )


def _path(parts: Any) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _short(text: str) -> str:
    return text if len(text) <= _REASON_MAX_CHARACTERS else f"{text[:_REASON_MAX_CHARACTERS]}…"

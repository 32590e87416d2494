"""The expressions of one request, with the names and values it brings; what is unused or undefined is refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.expressions import updates
from eventstore.testing.dynamodb.expressions.compiled import (
    Compiled,
    Names,
    check_placeholders,
    checked_names,
    compile_condition,
    compile_projection,
    compile_update,
)
from eventstore.testing.dynamodb.expressions.conditions import Condition
from eventstore.testing.dynamodb.expressions.lexer import invalid
from eventstore.testing.dynamodb.expressions.operands import Path, Values
from eventstore.testing.dynamodb.expressions.projections import ItemProjection
from eventstore.testing.dynamodb.expressions.updates import UpdateAction
from eventstore.testing.dynamodb.values import OF_A_REQUEST, attribute_name_bytes, read_value

_NAMES = "ExpressionAttributeNames"
_VALUES = "ExpressionAttributeValues"
_EXPRESSIONS = ("ProjectionExpression", "FilterExpression", "KeyConditionExpression")
ATTRIBUTES_TO_GET = "AttributesToGet"
"""The one parameter from before there were expressions that is taken: clients and tools still send it."""


class Arguments:
    """Reads the expressions of one request.

    Ask for each expression, then call `finish`.

    Attributes:
        values: The request's values, checked.
        values_bytes: Their size.
    """

    __slots__ = ("_expressions", "_names", "_request", "values", "values_bytes")

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._request = request
        self._expressions: list[Compiled[Any]] = []
        names, values = request.get(_NAMES), request.get(_VALUES)
        self._names: Names = () if names is None else checked_names(names)
        self.values: Values = {}
        self.values_bytes = 0
        for what, given in ((_NAMES, names), (_VALUES, values)):
            if given is not None and not given:
                raise validation(f"{what} must not be empty")
        if values:
            check_placeholders(_VALUES, values)
            read = {name: read_value(value, OF_A_REQUEST) for name, value in values.items()}
            self.values = {name: value for name, (value, _) in read.items()}
            self.values_bytes = sum(size for _, size in read.values())

    def condition(self, label: str) -> Compiled[Condition] | None:
        """Return a condition, if the request has this parameter."""
        text = self._request.get(label)
        if text is None:
            return None
        compiled = compile_condition(label, text, self._names)
        self._note(compiled)
        compiled.tree.check(label, self.values)
        return compiled

    def update(self, label: str) -> Compiled[tuple[UpdateAction, ...]] | None:
        """Return an update, if the request has this parameter."""
        text = self._request.get(label)
        if text is None:
            return None
        compiled = compile_update(label, text, self._names)
        self._note(compiled)
        updates.check(label, compiled.tree, self.values)
        return compiled

    def projection(self) -> ItemProjection | None:
        """Return the projection, if the request has one, as an expression or as AttributesToGet."""
        text, attributes = self._request.get("ProjectionExpression"), self._request.get(ATTRIBUTES_TO_GET)
        if attributes is not None:
            self._check_legacy_alone()
            return _attributes(attributes)
        if text is None:
            return None
        compiled = compile_projection("ProjectionExpression", text, self._names)
        self._note(compiled)
        return compiled.tree

    def _check_legacy_alone(self) -> None:
        given = [name for name in _EXPRESSIONS if name in self._request]
        if given:
            raise validation(
                "Can not use both expression and non-expression parameters in the same request:"
                f" Non-expression parameters: {{{ATTRIBUTES_TO_GET}}} Expression parameters: {{{', '.join(given)}}}"
            )

    def _note(self, compiled: Compiled[Any]) -> None:
        self._expressions.append(compiled)
        for name in compiled.values:
            if name not in self.values:
                detail = "An expression attribute value used in expression is not defined; attribute value"
                raise invalid(compiled.label, f"{detail}: {name}")

    def finish(self) -> None:
        """Refuse names and values that no expression uses."""
        if not self._names and not self.values:
            return
        if not self._expressions:
            what = _VALUES if self.values else _NAMES
            raise validation(f"{what} can only be specified when using expressions")
        self._check_used(_NAMES, {name for name, _ in self._names}, "names")
        self._check_used(_VALUES, set(self.values), "values")

    def _check_used(self, what: str, given: set[str], attribute: str) -> None:
        for compiled in self._expressions:
            given -= getattr(compiled, attribute)
        if given:
            raise validation(f"Value provided in {what} unused in expressions: keys: {{{', '.join(sorted(given))}}}")


def _attributes(names: Sequence[str]) -> ItemProjection:
    if not names:
        raise validation(f"Value '[]' at '{ATTRIBUTES_TO_GET}' failed to satisfy constraint: length at least 1")
    for name in names:
        attribute_name_bytes(name)
    if len(set(names)) != len(names):
        raise validation(f"One or more parameter values were invalid: Duplicate value in {ATTRIBUTES_TO_GET}")
    return ItemProjection(tuple(Path((name,)) for name in names))

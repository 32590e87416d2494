"""Parses conditions. Tightest first: comparisons and functions, NOT, AND, OR."""

from eventstore.testing.dynamodb.expressions import conditions
from eventstore.testing.dynamodb.expressions.conditions import Condition
from eventstore.testing.dynamodb.expressions.operands import Operand, Path, Placeholder, SizeOf
from eventstore.testing.dynamodb.expressions.parser import Parser

COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
DEPTH_MAX = 100  # deeper than any sensible expression, and well within the stack
CHOICES_MAX = 100
"""Operands of IN. Source: AWS, "Quotas in Amazon DynamoDB", expression parameters."""

_ARITY = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}


class ConditionParser(Parser):
    """Parses one condition, whole."""

    _depth = 0

    def parse(self) -> Condition:
        """Return the condition."""
        condition = self._either()
        self.tokens.expect_end()
        return condition

    def _either(self) -> Condition:
        parts = [self._every()]
        while self.tokens.take_keyword("OR"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else conditions.Either(tuple(parts))

    def _every(self) -> Condition:
        parts = [self._negation()]
        while self.tokens.take_keyword("AND"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else conditions.Every(tuple(parts))

    def _negation(self) -> Condition:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self.tokens.invalid("The expression is nested too deeply")
        condition = conditions.Not(self._negation()) if self.tokens.take_keyword("NOT") else self._primary()
        self._depth -= 1
        return condition

    def _primary(self) -> Condition:
        if self.tokens.take_sign("("):
            inner = self._either()
            self.tokens.expect_sign(")")
            if isinstance(inner, conditions.Parenthesized):
                raise self.tokens.invalid("The expression has redundant parentheses;")
            return conditions.Parenthesized(inner)
        function = self.function_name()
        if function is not None and function != "size":
            return self._function(function)
        return self._comparison(self._size() if function else self._operand())

    def _comparison(self, left: Operand) -> Condition:
        if self.tokens.take_keyword("BETWEEN"):
            low = self._operand()
            self.tokens.expect_keyword("AND")
            return conditions.IsBetween(left, low, self._operand())
        if self.tokens.take_keyword("IN"):
            self.tokens.expect_sign("(")
            choices = self._operands()
            if len(choices) > CHOICES_MAX:
                raise self.tokens.invalid(f"The IN operator takes at most {CHOICES_MAX} operands")
            return conditions.Among(left, choices)
        token = self.tokens.current
        if token.kind != "sign" or token.text not in COMPARATORS:
            if isinstance(left, SizeOf):
                detail = "The function is not allowed to be used this way in an expression; function: size"
                raise self.tokens.invalid(detail)
            raise self.tokens.unexpected()
        self.tokens.take()
        right = self._operand()
        self._check_distinct(token.text, left, right)
        return conditions.Comparison(token.text, left, right)

    def _check_distinct(self, operator: str, left: Operand, right: Operand) -> None:
        if isinstance(left, Path) and left == right:
            detail = "The first operand must be distinct from the remaining operands for this operator or function"
            raise self.tokens.invalid(f"{detail}; operator: {operator}, first operand: {left}")

    def _operands(self) -> tuple[Operand, ...]:
        operands = [self._operand()]
        while self.tokens.take_sign(","):
            operands.append(self._operand())
        self.tokens.expect_sign(")")
        return tuple(operands)

    def _operand(self) -> Operand:
        placeholder = self.placeholder()
        if placeholder is not None:
            return placeholder
        function = self.function_name()
        if function is None:
            return self.path()
        if function != "size":
            detail = "The function is not allowed to be used this way in an expression; function"
            raise self.tokens.invalid(f"{detail}: {function}")
        return self._size()

    def _size(self) -> SizeOf:
        return SizeOf(self._path_operand("size", self._arguments("size")[0]))

    def _arguments(self, function: str) -> tuple[Operand, ...]:
        operands = self._operands()
        if len(operands) != _ARITY[function]:
            detail = f"operator or function: {function}, number of operands: {len(operands)}"
            raise self.tokens.invalid(f"Incorrect number of operands for operator or function; {detail}")
        return operands

    def _path_operand(self, function: str, operand: Operand) -> Path:
        if not isinstance(operand, Path):
            detail = f"operator or function: {function}"
            raise self.tokens.invalid(f"Operator or function requires a document path; {detail}")
        return operand

    def _function(self, name: str) -> Condition:
        if name not in _ARITY:
            raise self.tokens.invalid(f"The function is not allowed in this expression; function: {name}")
        first, *rest = self._arguments(name)
        path = self._path_operand(name, first)
        if name in {"attribute_exists", "attribute_not_exists"}:
            return conditions.Exists(path, is_wanted=name == "attribute_exists")
        if name == "attribute_type":
            if not isinstance(rest[0], Placeholder):
                raise self.tokens.invalid("Incorrect operand type for operator or function; attribute_type")
            return conditions.HasType(path, rest[0])
        self._check_distinct(name, path, rest[0])
        return conditions.BeginsWith(path, rest[0]) if name == "begins_with" else conditions.Contains(path, rest[0])

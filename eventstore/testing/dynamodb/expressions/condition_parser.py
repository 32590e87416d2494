"""Parses conditions. Tightest first: comparisons and functions, NOT, AND, OR.

Parentheses may stand around a condition, and around an operand: `(size(a)) = :n`. Which of the two they hold shows only
behind them, so one loop reads both, with a `Parenthesis` for each that is open. It calls itself nowhere: how deep an
expression may nest is bounded by how many operators it may have, and not by Python's stack.
"""

from collections.abc import Mapping
from typing import TypeAlias

from eventstore.testing.dynamodb.errors import ServiceError
from eventstore.testing.dynamodb.expressions import conditions
from eventstore.testing.dynamodb.expressions.conditions import Condition
from eventstore.testing.dynamodb.expressions.operands import Operand, Path, Placeholder, SizeOf
from eventstore.testing.dynamodb.expressions.parser import Parser

COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
CHOICES_MAX = 100
"""Operands of IN. Source: AWS, "Quotas in Amazon DynamoDB", expression parameters."""

_ARITY = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}
_OPERANDS = (Path, Placeholder, SizeOf)

Term: TypeAlias = Condition | Path | Placeholder | SizeOf


class Parenthesis:
    """What was read between an open parenthesis and here, or from the beginning.

    Attributes:
        negations: How many NOT stand before what comes next.
    """

    def __init__(self) -> None:
        self.negations = 0
        self._alternatives: list[Condition] = []
        self._parts: list[Condition] = []

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was read yet, no NOT either."""
        return not (self._alternatives or self._parts or self.negations)

    def add(self, condition: Condition) -> None:
        """Take a condition, with the NOTs before it."""
        self._parts.append(conditions.negated(condition, self.negations))
        self.negations = 0

    def end_alternative(self) -> None:
        """Put what AND has joined so far behind each other; OR follows, or the end."""
        self._alternatives.append(conditions.all_of(self._parts))
        self._parts = []

    def condition(self) -> Condition:
        """Return all of it as one condition."""
        self.end_alternative()
        return conditions.any_of(self._alternatives)


class ConditionParser(Parser):
    """Parses one condition, whole."""

    def __init__(self, label: str, text: str, names: Mapping[str, str]) -> None:
        super().__init__(label, text, names)
        self._group = Parenthesis()
        self._outer: list[Parenthesis] = []

    def parse(self) -> Condition:
        """Return the condition."""
        while True:
            self._open()
            whole = self._close(self._function_or_operand())
            if whole is not None:
                return whole

    def _open(self) -> None:
        """Read NOT and parentheses before a term."""
        while True:
            if self.tokens.take_keyword("NOT"):
                self.count_operator()
                self._group.negations += 1
            elif self.tokens.take_sign("("):
                self._outer.append(self._group)
                self._group = Parenthesis()
            else:
                return

    def _close(self, term: Term) -> Condition | None:
        """Take a term, and the parentheses that end behind it; None when AND or OR calls for another term."""
        is_wrapped = False
        while True:
            if isinstance(term, _OPERANDS):
                compared = self._compared(term)
                if compared is None:
                    self._end_of_wrapped(term, is_wrapped=is_wrapped)
                    is_wrapped = True
                    continue
                term, is_wrapped = compared, False
            is_redundant = is_wrapped and self._group.is_empty
            self._group.add(term)
            if self._joins():
                return None
            if not self._outer:
                self.tokens.expect_end()
                return self._group.condition()
            self.tokens.expect_sign(")")
            if is_redundant:
                raise self.refuse_redundant_parentheses()
            term, is_wrapped = self._group.condition(), True
            self._group = self._outer.pop()

    def _joins(self) -> bool:
        """Tell whether AND or OR follows, and go on past it."""
        if self.tokens.take_keyword("AND"):
            self.count_operator()
            return True
        if self.tokens.take_keyword("OR"):
            self.count_operator()
            self._group.end_alternative()
            return True
        return False

    def _end_of_wrapped(self, operand: Operand, *, is_wrapped: bool) -> None:
        """Go on past the end of the parentheses around an operand; refuse an operand that is compared with nothing."""
        if not (self._outer and self._group.is_empty and self.tokens.take_sign(")")):
            raise self._misplaced("size") if isinstance(operand, SizeOf) else self.tokens.unexpected()
        if is_wrapped:
            raise self.refuse_redundant_parentheses()
        self._group = self._outer.pop()

    def _function_or_operand(self) -> Term:
        function = self.function_name()
        if function is not None and function != "size":
            return self._function(function)
        return self._size() if function else self._bare_operand()

    def _compared(self, left: Path | Placeholder | SizeOf) -> Condition | None:
        """Return the comparison that an operand begins; None when it begins none."""
        if self.tokens.take_keyword("BETWEEN"):
            self.count_operator()
            low = self._operand()
            self.tokens.expect_keyword("AND")
            high = self._operand()
            self.check_distinct("BETWEEN", left, (low, high))
            return conditions.IsBetween(left, low, high)
        if self.tokens.take_keyword("IN"):
            self.count_operator()
            self.tokens.expect_sign("(")
            choices = self._operands()
            if len(choices) > CHOICES_MAX:
                raise self.tokens.invalid(f"The IN operator takes at most {CHOICES_MAX} operands")
            self.check_distinct("IN", left, choices)
            return conditions.Among(left, choices)
        token = self.tokens.current
        if token.kind != "sign" or token.text not in COMPARATORS:
            return None
        self.tokens.take()
        self.count_operator()
        right = self._operand()
        self.check_distinct(token.text, left, (right,))
        return conditions.Comparison(token.text, left, right)

    def _operands(self) -> tuple[Operand, ...]:
        operands = [self._operand()]
        while self.tokens.take_sign(","):
            operands.append(self._operand())
        self.tokens.expect_sign(")")
        return tuple(operands)

    def _operand(self) -> Operand:
        """Parse an operand, which may stand in parentheses."""
        is_wrapped = self._begins_wrapped()
        function = self.function_name()
        if function not in {None, "size"}:
            raise self._misplaced(function)
        operand = self._size() if function else self._bare_operand()
        if is_wrapped:
            self.tokens.expect_sign(")")
        return operand

    def _bare_operand(self) -> Path | Placeholder:
        return self.placeholder() or self.path()

    def _size(self) -> SizeOf:
        """Parse the rest of `size(operand)`; the operand is no function, so that no nesting is followed."""
        is_wrapped = self._begins_wrapped()
        function = self.function_name()
        if function == "size":
            detail = "operator or function: size, operand type: N"
            raise self.tokens.invalid(f"Incorrect operand type for operator or function; {detail}")
        if function is not None:
            raise self._misplaced(function)
        operand = self._bare_operand()
        if is_wrapped:
            self.tokens.expect_sign(")")
        self.tokens.expect_sign(")")
        return SizeOf(operand)

    def _begins_wrapped(self) -> bool:
        is_wrapped = self.tokens.take_sign("(")
        if is_wrapped and self.tokens.is_sign("("):
            raise self.refuse_redundant_parentheses()
        return is_wrapped

    def _misplaced(self, function: str | None) -> ServiceError:
        detail = "The function is not allowed to be used this way in an expression; function"
        return self.tokens.invalid(f"{detail}: {function}")

    def _arguments(self, function: str) -> tuple[Operand, ...]:
        operands = self._operands()
        if len(operands) != _ARITY[function]:
            detail = f"operator or function: {function}, number of operands: {len(operands)}"
            raise self.tokens.invalid(f"Incorrect number of operands for operator or function; {detail}")
        return operands

    def _function(self, name: str) -> Condition:
        if name not in _ARITY:
            raise self.tokens.invalid(f"The function is not allowed in this expression; function: {name}")
        first, *rest = self._arguments(name)
        if name in {"attribute_exists", "attribute_not_exists"}:
            if not isinstance(first, Path):
                detail = f"operator or function: {name}"
                raise self.tokens.invalid(f"Operator or function requires a document path; {detail}")
            return conditions.Exists(first, is_wanted=name == "attribute_exists")
        if name == "attribute_type":
            if not isinstance(rest[0], Placeholder):
                raise self.tokens.invalid("Incorrect operand type for operator or function; attribute_type")
            return conditions.HasType(first, rest[0])
        self.check_distinct(name, first, rest)
        return conditions.BeginsWith(first, rest[0]) if name == "begins_with" else conditions.Contains(first, rest[0])

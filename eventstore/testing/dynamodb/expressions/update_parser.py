"""Parses updates: SET, REMOVE, ADD and DELETE sections, each at most once."""

from collections.abc import Callable

from eventstore.testing.dynamodb.expressions import updates
from eventstore.testing.dynamodb.expressions.operands import Operand, Path, Placeholder
from eventstore.testing.dynamodb.expressions.parser import Parser
from eventstore.testing.dynamodb.expressions.updates import UpdateAction


class UpdateParser(Parser):
    """Parses one update, whole."""

    def parse(self) -> tuple[UpdateAction, ...]:
        """Return its actions."""
        sections: dict[str, Callable[[], UpdateAction]] = {
            "SET": self._set,
            "REMOVE": self._remove,
            "ADD": self._add,
            "DELETE": self._delete,
        }
        actions: list[UpdateAction] = []
        seen: set[str] = set()
        while self.tokens.current.kind != "end":
            keyword = self.tokens.current.text.upper()
            section = sections.get(keyword)
            if section is None or self.tokens.current.kind != "word":
                raise self.tokens.unexpected()
            if keyword in seen:
                detail = f'The "{keyword}" section can only be used once in an update expression;'
                raise self.tokens.invalid(detail)
            seen.add(keyword)
            self.tokens.take()
            actions.append(section())
            while self.tokens.take_sign(","):
                actions.append(section())
        self.check_apart([action.path for action in actions])
        return tuple(actions)

    def _set(self) -> UpdateAction:
        path = self.path()
        self.tokens.expect_sign("=")
        return updates.SetAction(path, self._value())

    def _remove(self) -> UpdateAction:
        return updates.RemoveAction(self.path())

    def _add(self) -> UpdateAction:
        return updates.AddAction(self.path(), self._needed_placeholder())

    def _delete(self) -> UpdateAction:
        return updates.DeleteAction(self.path(), self._needed_placeholder())

    def _needed_placeholder(self) -> Placeholder:
        placeholder = self.placeholder()
        if placeholder is None:
            raise self.tokens.unexpected()
        return placeholder

    def _value(self) -> Operand:
        """Parse `a`, `a + b` or `a - b`; each operand may stand in parentheses, and so may the whole."""
        if not self.tokens.take_sign("("):
            return self._sum(self._operand())
        is_wrapped = self.tokens.is_sign("(")
        inner = self._sum(self._wrapped_operand())
        self.tokens.expect_sign(")")
        if isinstance(inner, updates.Arithmetic):
            return inner
        if is_wrapped:
            raise self.refuse_redundant_parentheses()
        return self._sum(inner)

    def _sum(self, left: Operand) -> Operand:
        for operator in ("+", "-"):
            if self.tokens.take_sign(operator):
                self.count_operator()
                right = self._wrapped_operand()
                for operand in (left, right):
                    self._refuse_list_append(operand)
                return updates.Arithmetic(operator, left, right)
        return left

    def _wrapped_operand(self) -> Operand:
        """Parse an operand that may stand in parentheses."""
        if not self.tokens.take_sign("("):
            return self._operand()
        if self.tokens.is_sign("("):
            raise self.refuse_redundant_parentheses()
        operand = self._operand()
        self.tokens.expect_sign(")")
        return operand

    def _operand(self) -> Operand:
        placeholder = self.placeholder()
        if placeholder is not None:
            return placeholder
        function = self.function_name()
        if function is None:
            return self.path()
        if function not in {"if_not_exists", "list_append"}:
            raise self.tokens.invalid(f"The function is not allowed in an update expression; function: {function}")
        first = self._wrapped_operand()
        self._refuse_list_append(first)
        self.tokens.expect_sign(",")
        second = self._wrapped_operand()
        self._refuse_list_append(second)
        self.tokens.expect_sign(")")
        if function == "list_append":
            return updates.ListAppend(first, second)
        if not isinstance(first, Path):
            detail = f"operator or function: {function}"
            raise self.tokens.invalid(f"Operator or function requires a document path; {detail}")
        self.check_distinct(function, first, [second])
        return updates.IfNotExists(first, second)

    def _refuse_list_append(self, operand: Operand) -> None:
        """Refuse `list_append` anywhere but as the whole value of a SET."""
        if isinstance(operand, updates.ListAppend):
            detail = "The function is not allowed to be used this way in an expression; function: list_append"
            raise self.tokens.invalid(detail)

"""Parses updates: SET, REMOVE, ADD and DELETE sections, each at most once."""

from collections.abc import Callable
from itertools import combinations

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
        self._check_overlaps(actions)
        return tuple(actions)

    def _check_overlaps(self, actions: list[UpdateAction]) -> None:
        for one, other in combinations([action.path for action in actions], 2):
            if one.overlaps(other):
                detail = "Two document paths overlap with each other; must remove or rewrite one of these paths"
                raise self.tokens.invalid(f"{detail}; path one: {one}, path two: {other}")

    def _set(self) -> UpdateAction:
        path = self.path()
        self.tokens.expect_sign("=")
        return updates.SetAction(path, self._sum())

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

    def _sum(self) -> Operand:
        if self.tokens.take_sign("("):
            inner = self._sum()
            self.tokens.expect_sign(")")
            return inner
        left = self._operand()
        for operator in ("+", "-"):
            if self.tokens.take_sign(operator):
                return updates.Arithmetic(operator, left, self._operand())
        return left

    def _operand(self) -> Operand:
        placeholder = self.placeholder()
        if placeholder is not None:
            return placeholder
        function = self.function_name()
        if function is None:
            return self.path()
        if function not in {"if_not_exists", "list_append"}:
            raise self.tokens.invalid(f"The function is not allowed in an update expression; function: {function}")
        first = self._operand()
        self.tokens.expect_sign(",")
        second = self._operand()
        self.tokens.expect_sign(")")
        if function == "list_append":
            return updates.ListAppend(first, second)
        if not isinstance(first, Path):
            detail = f"operator or function: {function}"
            raise self.tokens.invalid(f"Operator or function requires a document path; {detail}")
        return updates.IfNotExists(first, second)

"""What all expressions share when they are parsed: names, placeholders, document paths, and how much they may hold."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from eventstore.testing.dynamodb.errors import ServiceError
from eventstore.testing.dynamodb.expressions.lexer import TokenStream
from eventstore.testing.dynamodb.expressions.operands import Path, Placeholder
from eventstore.testing.dynamodb.expressions.reserved import RESERVED_WORDS

FUNCTIONS = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}
    | {"if_not_exists", "list_append"}
)

OPERATORS_MAX = 300
"""Comparators, functions, AND, OR, NOT, + and -. Source: AWS, "Quotas in Amazon DynamoDB", expression parameters."""

PATH_LEVELS_MAX = 32
INDEX_MAX = 2**31 - 1
"""Sources: AWS, same page, attribute depth; DynamoDB Local refuses a greater index."""


class Parser:
    """Parses the parts that every kind of expression has, and notes which names and values were used.

    Args:
        label: The parameter's name, for messages.
        text: The expression.
        names: ExpressionAttributeNames.
    """

    def __init__(self, label: str, text: str, names: Mapping[str, str]) -> None:
        self.tokens = TokenStream(label, text)
        self.names_used: set[str] = set()
        self.values_used: set[str] = set()
        self.paths: list[Path] = []
        self._names = names
        self._operators = 0

    def count_operator(self) -> None:
        """Count one operator or function; refuse one too many."""
        self._operators += 1
        if self._operators > OPERATORS_MAX:
            raise self.tokens.invalid(f"The expression contains too many operators; operator count: {self._operators}")

    def refuse_redundant_parentheses(self) -> ServiceError:
        """Return the refusal of parentheses around parentheses."""
        return self.tokens.invalid("The expression has redundant parentheses;")

    def check_apart(self, paths: Sequence[Path]) -> None:
        """Refuse paths that lead to or through each other, or that take one thing for a map and for a list."""
        for one, other in combinations(paths, 2):
            word = "overlap" if one.overlaps(other) else "conflict" if one.conflicts(other) else None
            if word is not None:
                detail = f"Two document paths {word} with each other; must remove or rewrite one of these paths"
                raise self.tokens.invalid(f"{detail}; path one: {one}, path two: {other}")

    def check_distinct(self, operator: str, first: object, others: Sequence[object]) -> None:
        """Refuse an operator or function that is given one path twice, the first time in the first place."""
        if isinstance(first, Path) and first in others:
            detail = "The first operand must be distinct from the remaining operands for this operator or function"
            raise self.tokens.invalid(f"{detail}; operator: {operator}, first operand: {first}")

    def path(self) -> Path:
        """Parse a document path: `a`, `#a`, `a.b`, `a[0]`."""
        parts: list[str | int] = [self._name()]
        while True:
            if self.tokens.take_sign("."):
                parts.append(self._name())
            elif self.tokens.take_sign("["):
                parts.append(self._index())
                self.tokens.expect_sign("]")
            else:
                if len(parts) > PATH_LEVELS_MAX:
                    detail = f"The document path has too many nesting levels; nesting levels: {len(parts)}"
                    raise self.tokens.invalid(detail)
                path = Path(tuple(parts))
                self.paths.append(path)
                return path

    def _index(self) -> int:
        if self.tokens.current.kind != "number":
            raise self.tokens.unexpected()
        text = self.tokens.take().text
        if len(text) > len(str(INDEX_MAX)) or int(text) > INDEX_MAX:
            raise self.tokens.invalid(f"List index is not within the allowable range; index: [{text}]")
        return int(text)

    def _name(self) -> str:
        token = self.tokens.current
        if token.kind == "alias":
            self.tokens.take()
            self.names_used.add(token.text)
            if token.text not in self._names:
                detail = "An expression attribute name used in the document path is not defined"
                raise self.tokens.invalid(f"{detail}; attribute name: {token.text}")
            return self._names[token.text]
        if token.kind != "word":
            raise self.tokens.unexpected()
        if token.text.upper() in RESERVED_WORDS:
            detail = "Attribute name is a reserved keyword; reserved keyword"
            raise self.tokens.invalid(f"{detail}: {token.text}")
        self.tokens.take()
        return token.text

    def placeholder(self) -> Placeholder | None:
        """Parse `:value` if there is one."""
        if self.tokens.current.kind != "value":
            return None
        name = self.tokens.take().text
        self.values_used.add(name)
        return Placeholder(name)

    def function_name(self) -> str | None:
        """Take the name of a function and its opening parenthesis if there is one."""
        if self.tokens.current.kind != "word" or not self.tokens.next_is_sign("("):
            return None
        name = self.tokens.take().text
        if name not in FUNCTIONS:
            raise self.tokens.invalid(f"Invalid function name; function: {name}")
        self.count_operator()
        self.tokens.expect_sign("(")
        return name

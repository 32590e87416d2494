"""What all expressions share when they are parsed: names, placeholders, document paths."""

from collections.abc import Mapping

from eventstore.testing.dynamodb.expressions.lexer import TokenStream
from eventstore.testing.dynamodb.expressions.operands import Path, Placeholder
from eventstore.testing.dynamodb.expressions.reserved import RESERVED_WORDS

FUNCTIONS = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}
    | {"if_not_exists", "list_append"}
)


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

    def path(self) -> Path:
        """Parse a document path: `a`, `#a`, `a.b`, `a[0]`."""
        parts: list[str | int] = [self._name()]
        while True:
            if self.tokens.take_sign("."):
                parts.append(self._name())
            elif self.tokens.take_sign("["):
                if self.tokens.current.kind != "number":
                    raise self.tokens.unexpected()
                parts.append(int(self.tokens.take().text))
                self.tokens.expect_sign("]")
            else:
                path = Path(tuple(parts))
                self.paths.append(path)
                return path

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
        self.tokens.expect_sign("(")
        return name

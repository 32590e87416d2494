"""Cuts an expression into tokens."""

import re
from dataclasses import dataclass

from eventstore.testing.dynamodb.errors import ServiceError, validation

EXPRESSION_MAX_BYTES = 4096
"""Source: AWS, "Quotas in Amazon DynamoDB", expression parameters."""

END = "<EOF>"

_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z][A-Za-z0-9_]*)|(?P<alias>#[A-Za-z0-9_]+)|(?P<value>:[A-Za-z0-9_]+)|(?P<number>0|[1-9][0-9]*)"
    r"|(?P<sign><>|<=|>=|[=<>()\[\],.+-])|(?P<other>\S))"
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its text and what it is - `word`, `alias`, `value`, `number`, `sign`, `other` or `end`."""

    kind: str
    text: str


def invalid(label: str, detail: str) -> ServiceError:
    """Return the refusal of an expression; `label` is the parameter's name, such as `ConditionExpression`."""
    return validation(f"Invalid {label}: {detail}")


def tokens_of(label: str, text: str) -> list[Token]:
    """Return the tokens of an expression, closed by one of kind `end`."""
    if not text.strip():
        raise invalid(label, "The expression can not be empty;")
    if len(text.encode()) > EXPRESSION_MAX_BYTES:
        raise invalid(label, f"Expression size has exceeded the maximum allowed size; expression size: {len(text)}")
    tokens = [Token(match.lastgroup or "other", match[match.lastgroup or "other"]) for match in _TOKEN.finditer(text)]
    return [*tokens, Token("end", END)]


class TokenStream:
    """Tokens with a place in them.

    Args:
        label: The parameter's name, for messages.
        text: The expression.
    """

    def __init__(self, label: str, text: str) -> None:
        self.label = label
        self._tokens = tokens_of(label, text)
        self._place = 0

    @property
    def current(self) -> Token:
        """The token at the place."""
        return self._tokens[self._place]

    def take(self) -> Token:
        """Return the token at the place and go on."""
        token = self._tokens[self._place]
        if token.kind != "end":
            self._place += 1
        return token

    def take_sign(self, text: str) -> bool:
        """Go on if the token at the place is this sign; tell whether it was."""
        if self.is_sign(text):
            self._place += 1
            return True
        return False

    def is_sign(self, text: str) -> bool:
        """Tell whether the token at the place is this sign."""
        return self.current.kind == "sign" and self.current.text == text

    def take_keyword(self, keyword: str) -> bool:
        """Go on if the token at the place is this keyword, in any case; tell whether it was."""
        if self.is_keyword(keyword):
            self._place += 1
            return True
        return False

    def is_keyword(self, keyword: str) -> bool:
        """Tell whether the token at the place is this keyword, in any case."""
        return self.current.kind == "word" and self.current.text.upper() == keyword

    def next_is_sign(self, text: str) -> bool:
        """Tell whether the token after the place is this sign."""
        following = self._tokens[min(self._place + 1, len(self._tokens) - 1)]
        return following.kind == "sign" and following.text == text

    def expect_sign(self, text: str) -> None:
        """Go on past this sign, or refuse the expression."""
        if not self.take_sign(text):
            raise self.unexpected()

    def expect_keyword(self, keyword: str) -> None:
        """Go on past this keyword, or refuse the expression."""
        if not self.take_keyword(keyword):
            raise self.unexpected()

    def expect_end(self) -> None:
        """Refuse the expression if anything is left."""
        if self.current.kind != "end":
            raise self.unexpected()

    def unexpected(self) -> ServiceError:
        """Return the refusal of the token at the place."""
        around = self._tokens[max(0, self._place - 1) : self._place + 2]
        near = " ".join(token.text for token in around if token.kind != "end")
        return self.invalid(f'Syntax error; token: "{self.current.text}", near: "{near}"')

    def invalid(self, detail: str) -> ServiceError:
        """Return the refusal of the expression for a reason."""
        return invalid(self.label, detail)

"""Cuts a PartiQL statement into tokens."""

import re
from dataclasses import dataclass

from eventstore.testing.dynamodb.errors import ServiceError, validation

_TOKEN = re.compile(
    r'\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)|"(?P<name>(?:[^"]|"")+)"|(?P<parameter>\?)'
    r"|'(?P<text>(?:[^']|'')+)'|(?P<sign>[=(),*+:{}])|(?P<other>\S))"
)


_QUOTES = {"name": '"', "text": "'"}
"""How each kind of quoted token is quoted; a quote inside stands twice."""


@dataclass(frozen=True, slots=True)
class PartiqlToken:
    """One token: its text and what it is - `word`, `name`, `text`, `parameter`, `sign`, `other` or `end`."""

    kind: str
    text: str


def tokens_of(text: str) -> list[PartiqlToken]:
    """Return the tokens of a statement, names without their quotes, closed by one of kind `end`."""
    tokens = [
        PartiqlToken(match.lastgroup or "other", match[match.lastgroup or "other"]) for match in _TOKEN.finditer(text)
    ]
    return [*map(_unquoted, tokens), PartiqlToken("end", "")]


def _unquoted(token: PartiqlToken) -> PartiqlToken:
    if token.kind not in _QUOTES:
        return token
    quote = _QUOTES[token.kind]
    return PartiqlToken(token.kind, token.text.replace(quote * 2, quote))


class PartiqlTokens:
    """Tokens with a place in them.

    Args:
        text: The statement.

    Attributes:
        parameter_count: How many parameters were taken so far.
    """

    def __init__(self, text: str) -> None:
        self.parameter_count = 0
        self._text = text
        self._tokens = tokens_of(text)
        self._place = 0

    def take_words(self, words: str) -> bool:
        """Go on past these words, in any case, if they are next; tell whether they were."""
        wanted = words.split()
        following = self._tokens[self._place : self._place + len(wanted)]
        if [(token.kind, token.text.upper()) for token in following] != [("word", word) for word in wanted]:
            return False
        self._place += len(wanted)
        return True

    def expect_words(self, words: str) -> None:
        """Go on past these words, or refuse the statement."""
        if not self.take_words(words):
            raise self.malformed()

    def take_sign(self, sign: str) -> bool:
        """Go on if this sign is next; tell whether it was."""
        if self._tokens[self._place] != PartiqlToken("sign", sign):
            return False
        self._place += 1
        return True

    def expect_sign(self, sign: str) -> None:
        """Go on past this sign, or refuse the statement."""
        if not self.take_sign(sign):
            raise self.malformed()

    def name(self) -> str:
        """Take a name in double quotes, or refuse the statement."""
        return self._take("name").text

    def is_name(self) -> bool:
        """Tell whether a name in double quotes is next."""
        return self._tokens[self._place].kind == "name"

    def text(self) -> str:
        """Take a text in single quotes, or refuse the statement."""
        return self._take("text").text

    def parameter(self) -> int:
        """Take a `?`, or refuse the statement; return its place among the parameters, from 0."""
        self._take("parameter")
        self.parameter_count += 1
        return self.parameter_count - 1

    def expect_end(self) -> None:
        """Refuse the statement if anything is left."""
        self._take("end")

    def _take(self, kind: str) -> PartiqlToken:
        token = self._tokens[self._place]
        if token.kind != kind:
            raise self.malformed()
        self._place += 1
        return token

    def malformed(self) -> ServiceError:
        """Return the refusal of the statement."""
        return validation(f"Statement wasn't well formed, can't be processed: {self._text}")

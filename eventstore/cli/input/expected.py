"""The version a writer expects, as a word on a command line or in a line of input."""

import re
from typing import Literal

import click

from eventstore.expectation import ANY, EXISTS, NO_EVENTS, Expectation

Word = Literal["any", "exists", "new"]

_WORDS: dict[str, int | Expectation] = {"any": ANY, "exists": EXISTS, "new": NO_EVENTS}
_NUMBER = re.compile(r"-?[0-9]{1,16}")


def expectation(text: str) -> int | Expectation:
    """Return the expectation that an option means; the library checks whether a count is valid.

    Raises:
        click.BadParameter: It is neither a number nor one of the words.
    """
    if _NUMBER.fullmatch(text):
        return int(text)
    if text not in _WORDS:
        raise click.BadParameter(f"{text!r} is not an expectation; give a count of events, or new, exists or any")
    return _WORDS[text]


def meant(given: int | Word) -> int | Expectation:
    """Return the expectation that a number or a word stands for."""
    return given if isinstance(given, int) else _WORDS[given]

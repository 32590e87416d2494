"""Cuts a text into words as Elasticsearch's standard analyzer does: Unicode's rules for words, and lower case. Pure.

Letters and digits make words, and an underscore joins them; an apostrophe, a colon or a full stop is a part of a word
between letters, a comma or a full stop between digits. Each ideograph and each emoji is a word. What is none of these -
punctuation alone, say - makes no words. Sources: Elasticsearch, "Standard analyzer"; Unicode, UAX #29, word boundaries.

Left out are the rules for Hebrew quotes, and emoji that are made of several.
"""

import unicodedata
from enum import Enum, auto
from functools import lru_cache

WORD_MAX_CHARACTERS = 255
"""A longer word is cut into several. Source: Elasticsearch, "Standard analyzer", max_token_length."""


class _Kind(Enum):
    LETTER = auto()
    DIGIT = auto()
    KATAKANA = auto()
    JOINER = auto()
    WHOLE = auto()  # a word by itself
    RUN = auto()  # of a script that sets no spaces
    MID_LETTER = auto()
    MID_DIGIT = auto()
    MID_BOTH = auto()
    MARK = auto()  # belongs to what is before it
    OTHER = auto()


_SPECIAL = {
    **dict.fromkeys(":\u00b7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a", _Kind.MID_LETTER),
    **dict.fromkeys("'.\u2018\u2019\u2024\ufe52\uff07\uff0e", _Kind.MID_BOTH),
    **dict.fromkeys(
        ",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b", _Kind.MID_DIGIT
    ),
    "\u200b": _Kind.OTHER,  # a space, although it has no width
}
_BY_CATEGORY = {
    **dict.fromkeys(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl"), _Kind.LETTER),
    **dict.fromkeys(("Mn", "Me", "Mc", "Cf"), _Kind.MARK),
    "Nd": _Kind.DIGIT,
    "Pc": _Kind.JOINER,
}
_BY_NAME = (
    (("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA"), _Kind.WHOLE),
    (("KATAKANA", "HALFWIDTH KATAKANA"), _Kind.KATAKANA),
    (("THAI ", "LAO ", "KHMER ", "MYANMAR ", "TAI ", "NEW TAI "), _Kind.RUN),
)
_EMOJI_FROM = 0x1F000
_SYMBOLS = range(0x2600, 0x27C0)

_PART = frozenset({_Kind.LETTER, _Kind.DIGIT, _Kind.KATAKANA, _Kind.JOINER})
_BETWEEN = {_Kind.LETTER: {_Kind.MID_LETTER, _Kind.MID_BOTH}, _Kind.DIGIT: {_Kind.MID_DIGIT, _Kind.MID_BOTH}}


@lru_cache(4096)
def _kind(character: str) -> _Kind:
    special = _SPECIAL.get(character)
    if special is not None:
        return special
    category = unicodedata.category(character)
    if category == "So" and (ord(character) >= _EMOJI_FROM or ord(character) in _SYMBOLS):
        return _Kind.WHOLE
    kind = _BY_CATEGORY.get(category, _Kind.OTHER)
    if kind is _Kind.LETTER:
        name = unicodedata.name(character, "")
        return next((other for prefixes, other in _BY_NAME if name.startswith(prefixes)), kind)
    return kind


def words(text: str) -> set[str]:
    """Return the words of a text, in lower case."""
    found: set[str] = set()
    place = 0
    while place < len(text):
        end = _end_of(text, place)
        if end is None:
            place += 1
            continue
        if any(_kind(character) not in {_Kind.JOINER, _Kind.MARK} for character in text[place:end]):
            word = "".join(character.lower()[0] for character in text[place:end])  # one by one, as Java does
            found.update(
                word[start : start + WORD_MAX_CHARACTERS] for start in range(0, len(word), WORD_MAX_CHARACTERS)
            )
        place = end
    return found


def _end_of(text: str, start: int) -> int | None:
    """Return where the word that begins here ends; None when none begins here."""
    kind = _kind(text[start])
    end = _past_marks(text, start + 1)
    if kind is _Kind.WHOLE:
        return end
    if kind is _Kind.RUN:
        while end < len(text) and _kind(text[end]) is _Kind.RUN:
            end = _past_marks(text, end + 1)
        return end
    if kind not in _PART:
        return None
    while end < len(text):
        following = _kind(text[end])
        if _joins(kind, following):
            kind, end = following, _past_marks(text, end + 1)
            continue
        beyond = _past_marks(text, end + 1)
        if following not in _BETWEEN.get(kind, ()) or beyond >= len(text) or _kind(text[beyond]) is not kind:
            break
        end = _past_marks(text, beyond + 1)
    return end


def _joins(kind: _Kind, following: _Kind) -> bool:
    if following not in _PART:
        return False
    if _Kind.JOINER in {kind, following}:
        return True
    return (kind is _Kind.KATAKANA) == (following is _Kind.KATAKANA)


def _past_marks(text: str, place: int) -> int:
    while place < len(text) and _kind(text[place]) is _Kind.MARK:
        place += 1
    return place

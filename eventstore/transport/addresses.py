"""Addresses in words that people read: without the user and the password that they may hold. Pure."""

import re

# A password may hold what should have been escaped, so all up to the last `@` counts, but for the next address.
_IN_ADDRESS = re.compile(r"//(?:(?![,;]\s*[A-Za-z][A-Za-z0-9+.-]*://).)*@")
_BARE = re.compile(r"(?<![^\s'\"(\[{=,;<])[^\s'\"(\[{=,;<:/@]+:[^\s:/@]\S*@(?=[\w\[])")


def masked(words: str) -> str:
    """Return words with `***` in place of user and password of each address in them, whoever wrote the words."""
    if "@" not in words:
        return words
    return _BARE.sub("***@", _IN_ADDRESS.sub("//***@", words))

"""Addresses in words that people read: without the user and the password that they may hold. Pure."""

import re

_CREDENTIALS = re.compile(r"//[^,]*@")


def masked(words: str) -> str:
    """Return words with `***` in place of user and password of each address in them."""
    return _CREDENTIALS.sub("//***@", words)

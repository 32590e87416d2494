"""Client request tokens: what makes a repeated TransactWriteItems harmless.

Source: AWS, API reference of TransactWriteItems, ClientRequestToken: valid for 10 minutes after the first request
that used it has finished.
"""

import json
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

from eventstore.testing.dynamodb.errors import idempotent_parameter_mismatch, validation

TOKEN_VALID_MS = 10 * 60 * 1000
TOKEN_MAX_CHARACTERS = 36


def digest_of(content: object) -> bytes:
    """Return a digest of a request, the same for every order of names in a map."""
    text = json.dumps(content, sort_keys=True, default=_encode)
    return blake2b(text.encode(), digest_size=16).digest()


def _encode(content: object) -> str:
    if isinstance(content, bytes | bytearray):
        return content.hex()
    return repr(content)


@dataclass(frozen=True, slots=True)
class _Used:
    digest: bytes
    until_ms: int


class Tokens:
    """The tokens that were used lately."""

    def __init__(self) -> None:
        self._used: OrderedDict[str, _Used] = OrderedDict()

    def is_repeat(self, token: str, digest: bytes, now_ms: int) -> bool:
        """Tell whether a request with this token was carried out within the time that it is valid.

        Raises:
            ServiceError: IdempotentParameterMismatchException; it was, with another request.
        """
        if not 1 <= len(token) <= TOKEN_MAX_CHARACTERS:
            detail = f"Member must have length less than or equal to {TOKEN_MAX_CHARACTERS}"
            raise validation(f"Value '{token}' at 'clientRequestToken' failed to satisfy constraint: {detail}")
        self._forget(now_ms)
        used = self._used.get(token)
        if used is None or used.until_ms <= now_ms:
            return False
        if used.digest != digest:
            raise idempotent_parameter_mismatch()
        return True

    def keep(self, token: str, digest: bytes, now_ms: int, valid_ms: int = TOKEN_VALID_MS) -> None:
        """Remember a request that was carried out."""
        self._used[token] = _Used(digest, now_ms + valid_ms)

    def _forget(self, now_ms: int) -> None:
        while self._used:
            token, used = next(iter(self._used.items()))
            if used.until_ms > now_ms:
                return
            del self._used[token]

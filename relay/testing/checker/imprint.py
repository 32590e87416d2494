"""What is kept of something that came before it could be judged: a digest of each field, some 150 bytes in all."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from relay.testing.checker.comparison import ABSENT, Discrepancy, canonical

DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Imprint:
    """Digests of fields.

    Attributes:
        names: Of the fields.
        digests: Of their values, `DIGEST_BYTES` each, in the same order.
    """

    names: tuple[str, ...]
    digests: bytes

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Imprint":
        """Return the imprint of some fields."""
        return cls(_shared(tuple(fields)), b"".join(map(_digest, fields.values())))

    def differing(self, other: "Imprint") -> list[str]:
        """Return the names of fields that differ, or that only one of both has."""
        mine, theirs = self.by_name(), other.by_name()
        return [name for name in dict.fromkeys((*mine, *theirs)) if mine.get(name) != theirs.get(name)]

    def discrepancies(self, wanted: Mapping[str, Any]) -> list[Discrepancy]:
        """Return the fields that are not as wanted; what stood there is not known any more."""
        mine = self.by_name()
        return [
            Discrepancy(name, repr(wanted[name]) if name in wanted else ABSENT, None if name in mine else ABSENT)
            for name in self.differing(Imprint.of(wanted))
        ]

    def by_name(self) -> dict[str, bytes]:
        """Return the digest of each field."""
        places = range(0, len(self.digests), DIGEST_BYTES)
        return {name: self.digests[at : at + DIGEST_BYTES] for name, at in zip(self.names, places, strict=True)}


def _digest(value: Any) -> bytes:
    return blake2b(canonical(value).encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


@lru_cache(maxsize=256)
def _shared(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return one tuple for all that are equal: most messages have the same fields."""
    return names

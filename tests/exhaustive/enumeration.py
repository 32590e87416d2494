"""Cases without any order of steps: each is looked at, the smallest first."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tests.exhaustive.explorer import CounterexampleError


class Described(Protocol):
    """A case that says what it is."""

    def words(self) -> tuple[str, ...]:
        """Return it in words, a line each."""
        ...

    def check(self) -> None:
        """Raise when something does not hold."""
        ...


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Cases that are looked at one by one.

    Attributes:
        name: In the area.
        cases: Returns them, those with less in them first.
        count: How many there are, written by hand when they were last counted.
    """

    name: str
    cases: Callable[[], Iterable[Described]]
    count: int


def look_at_all(enumeration: Enumeration) -> int:
    """Look at each case; return how many there were.

    Raises:
        CounterexampleError: Something does not hold in the first case that is named.
    """
    count = 0
    for case in enumeration.cases():
        count += 1
        try:
            case.check()
        except Exception as error:
            raise CounterexampleError(case.words(), f"{error}") from error
    return count


def splits(count: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to cut so many rows into pages of one or more, in order: `(2, 1)` is two pages."""
    if count == 0:
        yield ()
    for first in range(1, count + 1):
        for rest in splits(count - first):
            yield first, *rest

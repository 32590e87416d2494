"""The list of deliberate bugs: each breaks a promise of the product, and a simulation must find it for that reason.

To add one: in a module that `planted` names, a function that yields while the product is patched, under
`@planted("name", "the promise it breaks")`. The product has no switch for any of them.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """A deliberate bug.

    Attributes:
        plant: The product has it within the block.
        promises: Those that it breaks; a run which breaks another one first has not found it.
    """

    plant: Callable[[], AbstractContextManager[None]]
    promises: frozenset[str]


BUGS: dict[str, Bug] = {}


def planted(name: str, *promises: str) -> Callable[[Callable[[], Iterator[None]]], Bug]:
    """Add a bug to the list, with the promises that it breaks, any of them."""
    assert promises, "a bug breaks a promise"

    def add(body: Callable[[], Iterator[None]]) -> Bug:
        BUGS[name] = Bug(contextmanager(body), frozenset(promises))
        return BUGS[name]

    return add

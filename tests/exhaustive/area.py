"""What is looked at exhaustively: areas, their cases, how much each has, and the bugs that must be found in them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import structlog

from tests.exhaustive.enumeration import Enumeration, look_at_all
from tests.exhaustive.explorer import CounterexampleError, Explored, World, explore

STATES_MAX = 1_000_000
"""No case is cut off in an ordinary run: each says itself how many states it has."""


@dataclass(frozen=True, slots=True)
class Case:
    """A small world of which every course is looked at.

    Attributes:
        name: In the area.
        begin: Returns the world before anything has happened.
        states: How many there are, written by hand when it was last measured; fewer means that less is looked at.
        steps: Likewise, steps between them.
    """

    name: str
    begin: Callable[[], World]
    states: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """A deliberate bug that must be found.

    Attributes:
        name: In words.
        plant: The product has it within the block.
        case: In which it is looked for.
        why: What the counterexample says, in part.
        length: Steps of the shortest counterexample.
    """

    name: str
    plant: Callable[[], AbstractContextManager[None]]
    case: str
    why: str
    length: int


@dataclass(frozen=True, slots=True)
class Area:
    """What belongs together.

    Attributes:
        name: On the page and on the command line.
        cases: In an ordinary run.
        bugs: Deliberate ones.
        large: With `make explore` alone.
        enumerations: Cases without an order of steps, in an ordinary run.
    """

    name: str
    cases: tuple[Case, ...]
    bugs: tuple[PlantedBug, ...]
    large: tuple[Case, ...] = ()
    enumerations: tuple[Enumeration, ...] = ()

    def look_at(self, name: str) -> None:
        """Look at one case of the ordinary run.

        Raises:
            CounterexampleError: Something does not hold.
        """
        for case in self.cases:
            if case.name == name:
                explore_case(case)
        for enumeration in self.enumerations:
            if enumeration.name == name:
                with silent():
                    look_at_all(enumeration)


def explore_case(
    case: Case, told: Callable[[int, int], object] = lambda _states, _steps: None, states_max: int = STATES_MAX
) -> Explored:
    """Look at every course of a case; what the product logs on the way is dropped."""
    with silent():
        return explore(case.begin, states_max, told)


def counterexample(area: Area, bug: PlantedBug) -> CounterexampleError | None:
    """Return the shortest course that shows a deliberate bug; None when none does."""
    with bug.plant():
        try:
            area.look_at(bug.case)
        except CounterexampleError as error:
            return error
    return None


@contextmanager
def silent() -> Iterator[None]:
    """Drop what the product logs within the block: every course would say it again."""
    before = structlog.get_config()
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.configure(**before)


def _drop(_logger: object, _name: str, _event: object) -> dict[str, object]:
    raise structlog.DropEvent

"""Every order in which the steps of a small world can happen, shortest first.

A world is built anew for each step that is looked at, by repeating the steps before it: the product's objects need not
be copied, and a counterexample is a list of names. Worlds that cannot be told apart are gone on with once.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from tests.exhaustive.graph import Edge, fair_circle, unable_to_finish

TOLD_EVERY = 1_000
"""Steps after which whoever wants to know how far it is is told."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that can happen in a world.

    Attributes:
        name: In words; no other step that is possible at the time has it.
        do: Lets it happen.
        is_fault: It may as well never happen, so that no end depends on it.
    """

    name: str
    do: Callable[[], object]
    is_fault: bool = False


class World:
    """A small case: what can happen in it, and what must hold whatever happens."""

    def steps(self) -> Sequence[Step]:
        """Return what can happen now, always in the same order."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise when something does not hold that must hold at every moment."""

    def fingerprint(self) -> Hashable:
        """Return what tells this world from others that may go on in another way."""
        raise NotImplementedError

    def is_done(self) -> bool:
        """Tell whether it has come to the end that it must always be able to come to.

        It is asked last: the world may go on by itself to find out.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what would outlive it."""


class CounterexampleError(AssertionError):
    """A course of steps after which something does not hold.

    Attributes:
        course: The names of the steps, a shortest one.
        why: What does not hold.
    """

    def __init__(self, course: Sequence[str], why: str) -> None:
        lines = [f"{number:>3}. {name}" for number, name in enumerate(course, 1)]
        super().__init__("\n".join([f"{why}, after {len(course)} steps:", *lines]))
        self.course = tuple(course)
        self.why = why


@dataclass(frozen=True, slots=True)
class Explored:
    """How much there was.

    Attributes:
        states: Worlds that can be told apart.
        steps: Steps that were taken from one to another, or back to one that was known.
        longest: Steps of the longest of the shortest courses.
        done: Worlds that had come to their end.
        is_whole: Nothing is left; otherwise the bound on states was met.
    """

    states: int
    steps: int
    longest: int
    done: int
    is_whole: bool


@dataclass(slots=True)
class _Found:
    """A state: how it was first come to, and what can happen in it."""

    before: int
    by: str
    length: int
    names: Sequence[str]
    faults: frozenset[str]
    is_done: bool
    edges: list[Edge] = field(default_factory=list)


def explore(
    begin: Callable[[], World],
    states_max: int,
    told: Callable[[int, int], object] = lambda _states, _steps: None,
) -> Explored:
    """Look at every course of steps, by their length.

    Args:
        begin: Returns the world before anything has happened, the same each time.
        states_max: Nothing is looked at behind the states beyond so many.
        told: Told now and then how many states were found and how many steps taken.

    Raises:
        CounterexampleError: Something does not hold: an assertion of the world or of the product failed, something
            raised, the end cannot be come to any more without a fault, or it need not be come to although every step
            that can be taken again and again is taken.
    """
    search = _Search(begin, states_max, told)
    return search.run()


class _Search:
    def __init__(self, begin: Callable[[], World], states_max: int, told: Callable[[int, int], object]) -> None:
        self._begin = begin
        self._states_max = states_max
        self._told = told
        self._found: list[_Found] = []
        self._known: dict[Hashable, int] = {}
        self._waiting: deque[int] = deque()
        self._steps = 0

    def run(self) -> Explored:
        world = self._begin()
        try:
            self._arrive(world, -1, "")
        finally:
            world.close()
        while self._waiting and len(self._found) < self._states_max:
            place = self._waiting.popleft()
            state = self._found[place]
            for name in state.names:
                self._steps += 1
                target = self._go(place, name)
                state.edges.append(Edge(target, name, is_fault=name in state.faults))
                if self._steps % TOLD_EVERY == 0:
                    self._told(len(self._found), self._steps)
        self._look_at_ends()
        return Explored(
            states=len(self._found),
            steps=self._steps,
            longest=max(state.length for state in self._found),
            done=sum(state.is_done for state in self._found),
            is_whole=not self._waiting,
        )

    def _go(self, place: int, name: str) -> int:
        course = [*self._course(place), name]
        world = self._begin()
        try:
            for each in course[:-1]:
                _step(world, each).do()
            step = _step(world, name)
            try:
                step.do()
            except Exception as error:
                raise CounterexampleError(course, _words(error)) from error
            return self._arrive(world, place, name)
        finally:
            world.close()

    def _arrive(self, world: World, before: int, by: str) -> int:
        try:
            world.check()
            fingerprint = world.fingerprint()
            place = self._known.get(fingerprint)
            if place is not None:
                return place
            steps = world.steps()
            is_done = world.is_done()
        except Exception as error:
            raise CounterexampleError([*self._course(before), by] if by else [], _words(error)) from error
        place = self._known[fingerprint] = len(self._found)
        length = 0 if before < 0 else self._found[before].length + 1
        names = [step.name for step in steps]
        assert len(set(names)) == len(names), f"two steps have one name: {names}"
        faults = frozenset(step.name for step in steps if step.is_fault)
        self._found.append(_Found(before, by, length, names, faults, is_done))
        self._waiting.append(place)
        return place

    def _course(self, place: int) -> list[str]:
        names: list[str] = []
        while place > 0:
            names.append(self._found[place].by)
            place = self._found[place].before
        return names[::-1]

    def _look_at_ends(self) -> None:
        edges = [state.edges for state in self._found]
        hopeful = [place for place, state in enumerate(self._found) if state.is_done]
        hopeful += self._waiting  # what lies behind them is not known
        stuck = unable_to_finish(edges, hopeful)
        if stuck is not None:
            raise CounterexampleError(self._course(stuck), "the end cannot be come to any more")
        circle = fair_circle(edges, hopeful)
        if circle is not None:
            why = f"it goes round for ever: {', '.join(circle.names)}"
            raise CounterexampleError(self._course(circle.place), why)


def _step(world: World, name: str) -> Step:
    for step in world.steps():
        if step.name == name:
            return step
    raise AssertionError(f"the same steps led somewhere else: {name!r} cannot happen now")


def _words(error: Exception) -> str:
    return str(error).partition("\n")[0] if isinstance(error, AssertionError) and str(error) else repr(error)
